package lockstep.receiver;

import java.io.IOException;
import java.util.Optional;
import java.util.function.Supplier;
import lockstep.commit.DegradedLog;
import lockstep.io.Clock;
import lockstep.io.Disk;
import lockstep.io.Panic;
import lockstep.io.Worker;
import lockstep.io.Workers;
import lockstep.receiver.api.MissingRange;
import lockstep.receiver.api.PrefetchStatus;
import lockstep.receiver.api.ReceiverStatus;
import lockstep.receiver.api.RestartpointStatus;
import lockstep.recovery.ControlFile;
import lockstep.recovery.ControlStore;
import lockstep.recovery.Promotion;
import lockstep.redo.Redo;
import lockstep.redo.RedoListener;
import lockstep.redo.Redone;
import lockstep.retention.ReplicationSlots;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.transport.api.Lsn;
import lockstep.wal.CheckpointRecord;
import lockstep.wal.SegmentFiles;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalConfig;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalListener;
import lockstep.wal.WalRecord;
import lockstep.wal.WalStatistics;

/**
 * The parts of a standby that has WAL: they are made together, and end together. {@code lockstep.receiver} in one picture:
 *
 * <pre>
 *   Upstream ──messages──▶ WalReceiver ──WAL──▶ ReceivedLog ◀──WAL── ArchivedWal ◀──segments── WalSupply
 *                               └▶ Agreement ──cuts──▲ │
 *                                                      ▼
 *                                Wal (buffers, writer, segments) ──flushed──▶ Acknowledger ──▶ primary
 *                                 │ │                                  └▶ Downstream ──▶ standbys of this one
 *                                 │ reads: memory, or files when behind
 *                Prefetcher ┄┄▶ ContinuousRedo ──▶ resource managers
 *                                 │ checkpoint records
 *                               Restartpoints ──▶ control file, recycling
 * </pre>
 */
final class Replication implements AutoCloseable {
    /** Half of the WAL buffers is history: redo that is less behind finds its WAL in memory. */
    private static final int HISTORY_PART = 2;

    private final Supplier<StandbyConfig> config;
    private final Upstream upstream;
    private final Clock clock;
    private final Workers workers;
    private final Panic panic;
    private final ControlStore control;
    private final SettledMark mark;
    private final MissingWal missing;
    private final Wal wal;
    private final ReplicationSlots slots;
    private final Downstream downstream;
    private final Retention retention;
    private final Restartpoints restartpoints;
    private final WalStatistics statistics;
    private final Redo redo;
    private final ContinuousRedo continuousRedo;
    private final ReceivedLog receivedLog;
    private final WalSupply supply;
    private final WalReceiver receiver;
    private final Prefetcher prefetcher;
    private Worker restartpointWorker;
    private Worker prefetchWorker;

    Replication(
            Supplier<StandbyConfig> config,
            WalConfig walConfig,
            WalScan scan,
            ControlStore control,
            SettledMark mark,
            SegmentFiles files,
            Disk disk,
            Clock clock,
            Workers workers,
            Panic panic,
            ResourceManagers managers,
            Upstream upstream,
            Optional<Archive> archive,
            Rewind rewind,
            Succession succession)
            throws IOException {
        this.config = config;
        this.upstream = upstream;
        this.clock = clock;
        this.workers = workers;
        this.panic = panic;
        this.control = control;
        this.mark = mark;
        missing = new MissingWal(disk);
        ControlFile file = control.get();
        wal = new Wal(walConfig, disk, files, workers, this::panic, scan.endLsn());
        slots = ReplicationSlots.open(disk, clock, config.get().retention().maxSlots());
        downstream = new Downstream(
                config.get(),
                control,
                managers,
                wal,
                missing,
                this::flushedLsn,
                this::primaryFlushedLsn,
                slots,
                workers,
                clock);
        retention = new Retention(
                wal,
                slots,
                downstream.senders(),
                () -> control.get().redoLsn(),
                () -> isArchive() ? Lsn.INVALID : Long.MAX_VALUE,
                () -> config.get().retention(),
                clock);
        restartpoints = new Restartpoints(control, managers, new DegradedLog(disk), this::settledLsn, retention);
        RecoveryTarget target = config.get().recovery().target();
        statistics = new WalStatistics(file.format());
        Passed passed = new Passed();
        redo = new Redo(walConfig.identity(), wal::source, managers, passed, target, file.redoLsn());
        // Only who reads the records finds a target.
        Optional<CheckedLog> checked = file.format().isPostgres() && target.equals(RecoveryTarget.none())
                ? Optional.of(new CheckedLog(passed, this::settledLsn))
                : Optional.empty();
        continuousRedo = new ContinuousRedo(redo, target, this::appliableLsn, this::applied, checked);
        WalIdentity identity = walConfig.identity();
        receivedLog = new ReceivedLog(
                control,
                wal,
                identity,
                continuousRedo,
                checked,
                mark,
                downstream,
                workers,
                scan.lastRecordLsn(),
                rewind.isRequested() ? file.redoLsn() : Math.max(file.appliableLsn(), mark.lsn()));
        ArchivedWal archived = new ArchivedWal(control, wal, identity, receivedLog, downstream);
        supply = new WalSupply(config, archive, archived, receivedLog, continuousRedo, control, identity, disk);
        receiver = new WalReceiver(
                config,
                control,
                wal,
                identity,
                receivedLog,
                new Agreement(
                        control, wal, identity, receivedLog, archived, continuousRedo, upstream, downstream, rewind),
                supply,
                continuousRedo,
                missing,
                upstream,
                downstream,
                succession,
                workers,
                clock);
        wal.addListener(new WalListener() {
            @Override
            public void flushed(long lsn) {
                continuousRedo.limitMoved();
            }
        });
        prefetcher = new Prefetcher(
                managers,
                disk,
                walConfig.identity(),
                redo::appliedLsn,
                this::appliableLsn,
                // A log of which nothing is redone need not be brought near.
                file.format().isPostgres() ? Long.MAX_VALUE : walConfig.bufferBytes() / HISTORY_PART);
    }

    /** What redo says of the log. */
    private final class Passed implements RedoListener {
        @Override
        public void passed(WalRecord record) {
            statistics.add(record);
        }

        @Override
        public void checkpoint(long lsn, CheckpointRecord checkpoint) {
            restartpoints.checkpoint(lsn, checkpoint);
        }

        @Override
        public void degraded(String note) throws IOException {
            restartpoints.degraded(note);
        }
    }

    /** Returns whether all WAL is kept that ever came. */
    private boolean isArchive() {
        return control.get().format().isPostgres() && config.get().keepsPostgresWal();
    }

    private long appliableLsn() {
        return receivedLog.appliableLsn();
    }

    private long settledLsn() {
        return receivedLog.settledLsn();
    }

    private long flushedLsn() {
        return receivedLog.flushedLsn();
    }

    private long primaryFlushedLsn() {
        return receivedLog.primaryFlushedLsn();
    }

    private void applied() {
        receiver.applied();
    }

    private void panic(String message, Throwable cause) {
        receiver.panic(message);
        panic.panic(message, cause);
    }

    /**
     * Returns the number of a timeline that begins here: one past the newest there is, here and in the archive, or that this server
     * has heard of. The upstream has been closed.
     */
    int nextTimeline() throws IOException {
        return supply.unusedTimeline(
                Math.max(wal.config().timeline(), control.get().fencedBy().timeline()));
    }

    /**
     * Opens a new timeline where the WAL ends, all of which has been redone. What others see of the decision comes after it. The
     * upstream has been closed.
     *
     * @param timeline see {@link #nextTimeline}
     * @param reason for people
     */
    TimelineHistory promote(Disk disk, int timeline, String reason) throws IOException {
        WalIdentity identity = wal.config().identity();
        long endLsn = wal.filledLsn();
        String last = identity.segmentName(identity.layout().segmentOf(endLsn));
        boolean archived = supply.isArchived(last);
        TimelineHistory history = identity.history().fork(endLsn, timeline, reason);
        Promotion.begin(disk, history.timeline());
        wal.follow(history, () -> control.update(file -> file.promoted(history, clock.micros())));
        if (archived) {
            wal.files().removePartial(last);
        }
        downstream.endSessions("this server is the primary of timeline " + history.timeline() + " now");
        return history;
    }

    /** Returns all that the primary needs which takes over here. */
    Redone redone() {
        return redo.redone();
    }

    /** Goes by the configuration as it is now. */
    void configured() {
        slots.configure(config.get().retention().maxSlots());
        downstream.configure(config.get());
    }

    /** Starts all workers but that of redo, which {@code startup} runs. */
    void start(Worker startup) {
        continuousRedo.runBy(startup);
        wal.start();
        restartpointWorker = workers.start("restartpoint", restartpoints);
        restartpoints.runBy(restartpointWorker);
        prefetchWorker = workers.start("prefetcher", prefetcher);
    }

    ContinuousRedo redo() {
        return continuousRedo;
    }

    ReceivedLog receivedLog() {
        return receivedLog;
    }

    WalReceiver receiver() {
        return receiver;
    }

    Retention retention() {
        return retention;
    }

    WalSupply supply() {
        return supply;
    }

    Restartpoints restartpoints() {
        return restartpoints;
    }

    Downstream downstream() {
        return downstream;
    }

    Wal wal() {
        return wal;
    }

    Optional<MissingRange> missingRange() {
        return missing.missing(receivedLog.flushedLsn());
    }

    ControlFile control() {
        return control.get();
    }

    ReceiverStatus receiverStatus() {
        return new ReceiverStatus(
                upstream.state(),
                receiver.startLsn(),
                control.get().timeline(),
                wal.filledLsn(),
                receivedLog.writtenLsn(),
                receivedLog.flushedLsn(),
                control.get().timeline(),
                receiver.sentMicros(),
                upstream.heardMicros(),
                receiver.latestEndLsn(),
                receivedLog.primaryFlushedLsn(),
                upstream.endpoint(),
                upstream.peer(),
                Standby.conninfo(config.get()),
                config.get().slotName(),
                upstream.sessions(),
                receiver.corruptions(),
                receivedLog.isDiskFull(),
                upstream.lastError(),
                control.get().format().toString(),
                statistics.total());
    }

    PrefetchStatus prefetchStatus() {
        return prefetcher.status();
    }

    RestartpointStatus restartpointStatus() {
        return restartpoints.status();
    }

    /** Brings what was received to the disk, and ends. The upstream has been closed, and redo has ended. */
    @Override
    public void close() throws IOException {
        if (prefetchWorker != null) {
            prefetchWorker.close();
            restartpointWorker.close();
        }
        prefetcher.close();
        downstream.close();
        slots.save();
        wal.close();
        receiver.close();
        receivedLog.close();
        mark.close();
        redo.close();
    }
}
