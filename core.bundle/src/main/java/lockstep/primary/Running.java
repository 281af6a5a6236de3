package lockstep.primary;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import lockstep.archive.ArchiveConfig;
import lockstep.archive.Archiver;
import lockstep.commit.CommitPosition;
import lockstep.commit.CommitQueue;
import lockstep.commit.CommitStatus;
import lockstep.commit.DegradedMode;
import lockstep.commit.DegradedPeriod;
import lockstep.commit.Fence;
import lockstep.commit.LogCommits;
import lockstep.commit.StandbyPolicy;
import lockstep.io.Commands;
import lockstep.io.Worker;
import lockstep.recovery.Checkpointer;
import lockstep.retention.Retention;
import lockstep.send.SendingServer;
import lockstep.send.StandbyView;
import lockstep.send.WalSenders;
import lockstep.wal.Wal;
import lockstep.wal.WalConfig;
import lockstep.wal.WalListener;

/**
 * The parts that a primary has while it accepts commits, put together when its log has been recovered and taken apart when it stops.
 *
 * <pre>
 *   commits ─► wal ─► senders ─► standbys      a commit is inserted; the log hands WAL to the senders while it writes it
 *   queue ◄─ fence ◄─ policy ◄─ wal, senders   how far it is on disks here and there decides what the queue releases
 *   mode ─► policy, journal                    asks less of the standbys while they are away, and has that recorded
 *   checkpointer ─► retention, archiver        decides what of the log is needed; nothing goes before it is archived
 * </pre>
 *
 * <p><b>Order.</b> What is in doubt is in the queue before the log takes anything new. The first records are those of the timeline
 * and the epoch. After a crash a checkpoint is taken before the first commit, after a promotion only after it: if the server
 * crashes before, recovery starts on the timeline before, as far back as the standby's last restartpoint.
 *
 * <p><b>Threads.</b> Made and begun by the worker {@code startup}; the parts have workers of their own, and are thread-safe.
 */
final class Running {
    private final Foundation base;
    private final Wal wal;
    private final StandbyPolicy policy;
    private final DegradedMode mode;
    private final CommitQueue queue;
    private final LogCommits commits;
    private final WalSenders senders;
    private final Retention retention;
    private final Checkpointer checkpointer;
    private final Optional<Archiver> archiver;
    private final OwnRecords records;
    private final HandRelease handRelease;
    private final Worker checkpoints;
    private final Worker modes;

    /** Whether and how WAL is archived. */
    record Archiving(ArchiveConfig config, Commands commands) {}

    /**
     * Puts the parts together, and starts the log.
     *
     * @param config how the server is configured now
     * @param recovery has read the log to its end
     * @param endLsn where the log goes on
     * @param server what the senders send from
     * @param transitions is told when degraded mode changes
     */
    Running(
            Foundation base,
            Supplier<PrimaryConfig> config,
            Recovery recovery,
            long endLsn,
            Fencing fencing,
            SendingServer server,
            Optional<Archiving> archiving,
            DegradedMode.Listener transitions)
            throws IOException {
        this.base = base;
        PrimaryConfig atFirst = config.get();
        WalConfig walConfig = new WalConfig(base.identity(), atFirst.bufferBytes(), atFirst.syncMethod(), false);
        wal = new Wal(walConfig, base.disk(), base.files(), base.workers(), base.panic(), endLsn);
        wal.startInserting(recovery.lastRecordLsn());
        senders = new WalSenders(wal, server, atFirst.senders(), base.workers(), base.clock());
        policy = new StandbyPolicy(
                wal::flushedLsn,
                senders::progress,
                atFirst.standbys().names(),
                base.control().get().redoLsn());
        Fence fence = new Fence(policy);
        base.marks().beginEpoch(base.control().get().epochs().last().number(), endLsn);
        queue = new CommitQueue(fence, base.clock(), base.panic(), base.marks());
        fencing.guard(queue, fence);
        commits = new LogCommits(
                wal,
                queue,
                base.clock(),
                courseOf(base),
                () -> List.of(senders.progress()),
                recovery.nextXid(),
                atFirst.commitLevel());
        archiver = archiver(archiving);
        retention = new Retention(
                wal,
                base.slots(),
                senders,
                () -> base.control().get().redoLsn(),
                () -> archiver.map(Archiver::unarchivedLsn).orElse(Long.MAX_VALUE),
                () -> config.get().checkpoints().retention(),
                base.clock());
        checkpointer = new Checkpointer(
                wal,
                commits,
                base.managers(),
                base.control(),
                () -> config.get().checkpoints(),
                retention,
                base.clock(),
                base.panic());
        wal.addListener(new WalListener() {
            @Override
            public void flushed(long lsn) {
                commits.flushed(lsn);
            }
        });
        wal.addListener(senders);
        recovery.requeue(queue);
        if (recovery.inDoubt().isEmpty()) {
            base.marks().setSettled(endLsn);
        }
        base.marks().write();
        wal.start();
        records = new OwnRecords(base, wal);
        if (base.identity().history().startLsn() == endLsn) {
            records.beginTimeline();
            records.noteEpoch();
            checkpointer.request();
        } else {
            records.noteEpoch();
            if (recovery.hasCrashed()) {
                checkpointer.checkpoint();
            }
        }
        DegradedJournal journal = new DegradedJournal(wal, base.periods(), senders);
        mode = degradedMode(journal, atFirst, endLsn);
        mode.addListener(transitions);
        handRelease = new HandRelease(base.identity().timeline(), wal, policy, journal, queue, base.clock());
        checkpoints = base.workers().start("checkpointer", () -> {
            base.marks().sync();
            return checkpointer.run();
        });
        modes = base.workers().start("degraded-mode", mode);
    }

    private static LogCommits.Log courseOf(Foundation base) {
        return new LogCommits.Log() {
            @Override
            public CommitPosition position(long lsn) {
                return base.course().position(lsn);
            }

            @Override
            public CommitStatus status(CommitPosition position, boolean isReleased) {
                return base.course().status(position, isReleased);
            }
        };
    }

    private Optional<Archiver> archiver(Optional<Archiving> archiving) throws IOException {
        if (archiving.isEmpty() || !archiving.get().config().on()) {
            return Optional.empty();
        }
        return Optional.of(new Archiver(
                archiving.get().config(),
                archiving.get().commands(),
                base.disk(),
                wal,
                base.control()::get,
                base.clock()));
    }

    /** A period that another server left open, from which this one has taken over, is over where this one began. */
    private DegradedMode degradedMode(DegradedJournal journal, PrimaryConfig config, long endLsn) throws IOException {
        int timeline = base.identity().timeline();
        Optional<DegradedPeriod> open = base.periods().open();
        if (open.isPresent() && open.get().timeline() != timeline) {
            journal.record(open.get().ended(endLsn, base.clock().micros()));
            open = Optional.empty();
        }
        return new DegradedMode(policy, config.standbys(), timeline, open, journal, queue::release, base.clock());
    }

    /** Has the parts do by themselves what they do. */
    void begin() {
        mode.runBy(modes);
        // It may go on in degraded mode, by whose rule what is in doubt is released.
        queue.release();
        archiver.ifPresent(own -> own.start(base.workers()));
    }

    /** Changes what can be changed while they work. */
    void configure(PrimaryConfig config) {
        mode.configure(config.standbys());
        commits.setDefaultLevel(config.commitLevel());
        senders.configure(config.senders());
    }

    /** Takes note that a standby's position, state or presence has changed. */
    void standbyProgressed() {
        mode.progressed();
        queue.release();
    }

    /** Takes no more commits, checkpoints, sends standbys all there is, and closes the log. */
    void close() throws IOException {
        commits.close();
        endWorkers();
        checkpointer.shutdownCheckpoint();
        senders.close();
        closeLog();
    }

    /** Closes a log that was ended by a switchover; the standbys will find the rest with the new primary, for the reason given. */
    void leave(String why) throws IOException {
        endWorkers();
        senders.leave(why);
        closeLog();
    }

    private void endWorkers() throws IOException {
        checkpoints.close();
        modes.close();
        if (archiver.isPresent()) {
            archiver.get().close();
        }
    }

    private void closeLog() throws IOException {
        base.slots().save();
        wal.close();
    }

    /** Returns why commits wait. */
    WaitExplanation explain(long lsn) {
        return WaitExplanation.of(lsn, wal, queue, policy, mode, standbys());
    }

    /** Returns the connected standbys. */
    List<StandbyView> standbys() {
        return senders.standbys(policy::role);
    }

    Wal wal() {
        return wal;
    }

    DegradedMode mode() {
        return mode;
    }

    CommitQueue queue() {
        return queue;
    }

    LogCommits commits() {
        return commits;
    }

    WalSenders senders() {
        return senders;
    }

    Retention retention() {
        return retention;
    }

    Checkpointer checkpointer() {
        return checkpointer;
    }

    Optional<Archiver> archiver() {
        return archiver;
    }

    OwnRecords records() {
        return records;
    }

    HandRelease handRelease() {
        return handRelease;
    }
}
