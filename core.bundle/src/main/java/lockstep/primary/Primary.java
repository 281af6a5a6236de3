package lockstep.primary;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import lockstep.archive.ArchiveConfig;
import lockstep.archive.Archiver;
import lockstep.archive.ArchiverStatus;
import lockstep.commit.CommitPosition;
import lockstep.commit.CommitQueue;
import lockstep.commit.CommitStatus;
import lockstep.commit.Commits;
import lockstep.commit.DegradedLog;
import lockstep.commit.DegradedMode;
import lockstep.commit.DegradedPeriod;
import lockstep.commit.Fence;
import lockstep.commit.LogCommits;
import lockstep.commit.ReleaseMarks;
import lockstep.commit.StandbyPolicy;
import lockstep.config.ServerRole;
import lockstep.io.Clock;
import lockstep.io.Commands;
import lockstep.io.Disk;
import lockstep.io.Panic;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.io.Workers;
import lockstep.recovery.Checkpointer;
import lockstep.recovery.ControlFile;
import lockstep.recovery.ControlStore;
import lockstep.recovery.EpochNote;
import lockstep.recovery.LogCourse;
import lockstep.redo.Redo;
import lockstep.redo.Redone;
import lockstep.retention.ReplicationSlots;
import lockstep.retention.Retention;
import lockstep.rmgr.BackupSink;
import lockstep.rmgr.ResourceManager;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SendingServer;
import lockstep.send.StandbyView;
import lockstep.send.WalSenders;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.DegradedRange;
import lockstep.transport.api.Term;
import lockstep.wal.EndOfRecoveryRecord;
import lockstep.wal.Placement;
import lockstep.wal.RecordGroup;
import lockstep.wal.RestorePointRecord;
import lockstep.wal.SegmentFiles;
import lockstep.wal.SegmentSource;
import lockstep.wal.Wal;
import lockstep.wal.WalConfig;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalLayout;
import lockstep.wal.WalListener;
import lockstep.wal.WalSource;
import lockstep.wal.XlogInfo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A primary: recovers its log, and from then on accepts commits and serves standbys.
 *
 * <pre>
 *   state        what happens                                                             next
 *   RECOVERING   redo from the last checkpoint to the end of the log; waits for resource  RUNNING, FAILED
 *                managers that are not there yet
 *   RUNNING      commits; resource managers that arrive are given what they missed        STOPPED
 *   FAILED       the log is damaged, or the disk cannot be read: nothing is changed       STOPPED
 * </pre>
 *
 * <p><b>What is in doubt.</b> After a crash only what had been released is redone; the rest of the log waits in the commit queue, see
 * {@link InDoubt}. A standby that is opened as a primary has nothing in doubt: what it has is the log from now on.
 *
 * <p><b>Each start</b> but the first opens an epoch, which is in the control file before any byte of it is sent.
 *
 * <p><b>After a crash</b> the log ends where the first invalid record is. What a torn last write may have left behind that
 * place is wiped out, so that it can never be taken for WAL again, and a standby that has more of the epoch before cuts it back.
 *
 * <p><b>After a promotion</b> it goes on where the standby of this process stopped, with the resource managers open, and its
 * first record is that of a new timeline. The first checkpoint is taken in the background. If the server crashes before it,
 * recovery starts on the timeline before, as far back as the standby's last restartpoint.
 */
public final class Primary implements SendingServer, AutoCloseable {
    private static final int REDO_BATCH = 1000;
    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final Logger log = LoggerFactory.getLogger(Primary.class);

    /** What a primary is doing. */
    public enum State {
        /** It redoes its log. */
        RECOVERING,
        /** It accepts commits. */
        RUNNING,
        /** It could not recover, and says why. */
        FAILED,
        /** It has been stopped. */
        STOPPED
    }

    private final Disk disk;
    private final Clock clock;
    private final Workers workers;
    private final Panic panic;
    private final ResourceManagers managers;
    private final Runnable stateChanged;
    private final ControlStore control;
    private final Fencing fencing;
    private final WalIdentity identity;
    private final SegmentFiles files;
    private final ReleaseMarks marks;
    private final InDoubt inDoubt = new InDoubt();
    private final ReplicationSlots slots;
    private final Redo redo;
    private final DegradedLog periods;
    private final List<DegradedMode.Listener> transitionListeners = new CopyOnWriteArrayList<>();
    private final boolean takesOver;

    /** A new system begins in its first epoch, and opens none. */
    private final boolean isNew;

    private final Runnable wakeStartup = this::wakeStartup;

    private volatile PrimaryConfig config;
    private volatile State state = State.RECOVERING;
    private volatile String failure = "";
    private volatile boolean arrivals;
    private volatile Running running;
    private volatile Archiver archiver;
    private ArchiveConfig archiveConfig;
    private Commands archiveCommands;
    private volatile Worker startup;
    private ServerRole role;
    private Connector connector;
    private volatile Switchover switchover;

    /** What there is only while the server accepts commits. */
    private record Running(
            Wal wal,
            StandbyPolicy policy,
            DegradedMode mode,
            CommitQueue queue,
            HandRelease handRelease,
            LogCommits commits,
            WalSenders senders,
            Retention retention,
            Checkpointer checkpointer,
            Worker checkpoints,
            Worker modes) {}

    /**
     * Opens the data directory, making a new system if it has none.
     *
     * @param handover what a standby has left that was promoted here, if one was
     * @param stateChanged called when {@link #state} has changed, on the thread that changed it
     */
    public Primary(
            PrimaryConfig config,
            Disk disk,
            Clock clock,
            Workers workers,
            Panic panic,
            ResourceManagers managers,
            Optional<Redone> handover,
            Runnable stateChanged)
            throws IOException {
        this.config = config;
        this.disk = disk;
        this.clock = clock;
        this.workers = workers;
        this.panic = panic;
        this.managers = managers;
        this.stateChanged = stateChanged;
        isNew = !ControlFile.exists(disk);
        ControlFile file = isNew
                ? NewSystem.create(disk, new WalLayout(config.segmentBytes()), clock, workers, panic)
                : ControlFile.read(disk);
        control = new ControlStore(disk, file);
        identity = file.identity(disk);
        fencing = new Fencing(control);
        files = new SegmentFiles(disk, identity);
        periods = new DegradedLog(disk);
        slots = ReplicationSlots.open(disk, clock, retentionConfig().maxSlots());
        marks = new ReleaseMarks(disk, file.systemId(), file.epochs()::endIfThere);
        takesOver = handover.isPresent();
        redo = takesOver
                ? new Redo(identity, this::source, managers, inDoubt, file.redoLsn(), handover.get())
                : new Redo(identity, this::source, managers, inDoubt, file.redoLsn());
        if (!takesOver && file.state() == ControlFile.State.IN_PRODUCTION) {
            // A promotion keeps all WAL there is: what stands before the timeline begins was never in doubt on it.
            long keptLsn = identity.history().startLsn();
            redo.holdBackAfter(Math.max(keptLsn, Math.max(file.redoLsn(), marks.settledLsn())));
        }
    }

    /**
     * Has WAL archived, if it is configured so. Called before {@link #start}, or never.
     *
     * @param commands runs the command, and is stopped with this server
     */
    public void archive(ArchiveConfig archiving, Commands commands) {
        archiveConfig = archiving;
        archiveCommands = commands;
    }

    /**
     * Lets the server hand over to one of its standbys. Called before {@link #start}, or never.
     *
     * @param newRole has this server become a standby
     * @param newConnector reaches the standby at the endpoint where it listens
     */
    public void allowSwitchover(ServerRole newRole, Connector newConnector) {
        role = newRole;
        connector = newConnector;
    }

    /**
     * Exchanges roles with a standby.
     *
     * @return completes when that one is the primary, and this server is about to follow it. Completes with an {@link
     *     IllegalStateException} that says why if not: then this server goes on, unless the message says otherwise
     */
    public synchronized CompletionStage<SwitchedOver> switchOver(SwitchoverPlan plan) {
        Running now = running;
        Switchover before = switchover;
        String obstacle = null;
        if (now == null || state != State.RUNNING) {
            obstacle = "the server is " + state + ", and hands over only when it accepts commits";
        } else if (!fencing.reason().isEmpty()) {
            obstacle = fencing.reason();
        } else if (before != null && !before.isOver()) {
            obstacle = "one is under way";
        } else if (role == null) {
            obstacle = "this server cannot change its role";
        }
        if (obstacle != null) {
            return CompletableFuture.failedFuture(new IllegalStateException("no switchover: " + obstacle));
        }
        if (before != null) {
            before.stop();
        }
        switchover = new Switchover(
                plan,
                new Switchover.Parts(
                        now.wal(),
                        now.commits(),
                        now.senders(),
                        now.checkpointer(),
                        now.mode(),
                        control,
                        managers,
                        role,
                        connector,
                        workers,
                        clock,
                        panic));
        switchover.start();
        return switchover.done();
    }

    private Retention.Config retentionConfig() {
        return config.checkpoints().retention();
    }

    private WalConfig walConfig() {
        return new WalConfig(identity, config.bufferBytes(), config.syncMethod(), false);
    }

    private WalSource source() {
        Running now = running;
        return now == null ? new SegmentSource(disk, identity) : now.wal().source();
    }

    /** Starts the thread {@code startup}, which recovers. */
    public void start() {
        if (!takesOver) {
            logRecovery();
        }
        managers.addListener(wakeStartup);
        startup = workers.start("startup", this::step);
    }

    private void logRecovery() {
        log.info(
                "recovery from {}, the last checkpoint is at {}; the server was {}",
                Lsn.text(control.get().redoLsn()),
                Lsn.text(control.get().checkpointLsn()),
                control.get().state() == ControlFile.State.SHUT_DOWN ? "shut down" : "interrupted");
    }

    private void wakeStartup() {
        arrivals = true;
        Worker worker = startup;
        if (worker != null) {
            worker.wake();
        }
    }

    private void become(State next) {
        state = next;
        stateChanged.run();
    }

    private long step() {
        try {
            return switch (state) {
                case RECOVERING -> recover();
                case RUNNING -> admit();
                default -> Step.UNTIL_WOKEN;
            };
        } catch (IOException | RuntimeException e) {
            fail("the server stopped recovering at " + Lsn.text(redo.appliedLsn()) + ": " + e.getMessage(), e);
            return Step.UNTIL_WOKEN;
        }
    }

    private void fail(String reason, Exception cause) {
        failure = reason;
        log.error("{}", reason, cause);
        become(State.FAILED);
    }

    private long recover() throws IOException {
        if (takesOver) {
            run(redo.appliedLsn(), false);
            // One that came while the role changed was told to nobody.
            arrivals = true;
            return Step.AGAIN;
        }
        for (int i = 0; i < REDO_BATCH; i++) {
            switch (redo.step(Long.MAX_VALUE)) {
                case APPLIED -> {}
                case BLOCKED -> {
                    return Step.UNTIL_WOKEN;
                }
                case WAIT, END, STOPPED -> {
                    endRecovery();
                    return Step.UNTIL_WOKEN;
                }
            }
        }
        return Step.AGAIN;
    }

    private void endRecovery() throws IOException {
        ControlFile file = control.get();
        long endLsn = redo.appliedLsn();
        redo.checkEnd(files.endLsn(), config.bufferBytes(), file.knownFlushedLsn());
        boolean crashed = file.state() != ControlFile.State.SHUT_DOWN;
        if (crashed) {
            files.truncate(endLsn, redo.bytesEndLsn());
        }
        control.update(old -> (isNew ? old : old.with(old.epochs().next(endLsn, clock.micros())))
                .with(ControlFile.State.IN_PRODUCTION));
        log.info(
                "the log ends at {} ({}); term {}",
                Lsn.text(endLsn),
                redo.endReason(),
                control.get().term());
        run(endLsn, crashed);
    }

    private void run(long endLsn, boolean crashed) throws IOException {
        Wal wal = new Wal(walConfig(), disk, files, workers, panic, endLsn);
        wal.startInserting(redo.lastRecordLsn());
        WalSenders senders = new WalSenders(wal, this, config.senders(), workers, clock);
        StandbyPolicy policy = new StandbyPolicy(
                wal::flushedLsn,
                senders::progress,
                config.standbys().names(),
                control.get().redoLsn());
        Fence fence = new Fence(policy);
        marks.beginEpoch(control.get().epochs().last().number(), endLsn);
        CommitQueue queue = new CommitQueue(fence, clock, panic, marks);
        fencing.guard(queue, fence);
        LogCommits commits = new LogCommits(
                wal, queue, clock, log(), () -> List.of(senders.progress()), nextXid(), config.commitLevel());
        Retention retention = new Retention(
                wal, slots, senders, () -> control.get().redoLsn(), this::unarchivedLsn, this::retentionConfig, clock);
        Checkpointer checkpointer =
                new Checkpointer(wal, commits, managers, control, () -> config.checkpoints(), retention, clock, panic);
        wal.addListener(new WalListener() {
            @Override
            public void flushed(long lsn) {
                commits.flushed(lsn);
            }
        });
        wal.addListener(senders);
        inDoubt.queue(queue, redo);
        if (inDoubt.range().isEmpty()) {
            marks.setSettled(endLsn);
        }
        marks.write();
        if (archiveConfig != null && archiveConfig.on()) {
            archiver = new Archiver(archiveConfig, archiveCommands, disk, wal, control::get, clock);
        }
        wal.start();
        if (identity.history().startLsn() == endLsn) {
            beginTimeline(wal);
            noteEpoch(wal);
            checkpointer.request();
        } else {
            noteEpoch(wal);
            if (crashed) {
                checkpointer.checkpoint();
            }
        }
        DegradedJournal journal = new DegradedJournal(wal, periods, senders);
        DegradedMode mode = degradedMode(journal, policy, queue, endLsn);
        running = new Running(
                wal,
                policy,
                mode,
                queue,
                new HandRelease(identity.timeline(), wal, policy, journal, queue, clock),
                commits,
                senders,
                retention,
                checkpointer,
                workers.start("checkpointer", () -> {
                    marks.sync();
                    return checkpointer.run();
                }),
                workers.start("degraded-mode", mode));
        mode.runBy(running.modes());
        // It may go on in degraded mode, by whose rule what is in doubt is released.
        queue.release();
        if (archiver != null) {
            archiver.start(workers);
        }
        become(State.RUNNING);
    }

    private long unarchivedLsn() {
        Archiver own = archiver;
        return own == null ? Long.MAX_VALUE : own.unarchivedLsn();
    }

    private LogCommits.Log log() {
        return new LogCommits.Log() {
            @Override
            public CommitPosition position(long lsn) {
                return course().position(lsn);
            }

            @Override
            public CommitStatus status(CommitPosition position, boolean isReleased) {
                return course().status(position, isReleased);
            }
        };
    }

    private LogCourse course() {
        return new LogCourse(identity.history(), control.get().epochs());
    }

    /** A period that another server left open, from which this one has taken over, is over where this one began. */
    private DegradedMode degradedMode(DegradedJournal journal, StandbyPolicy policy, CommitQueue queue, long endLsn)
            throws IOException {
        Optional<DegradedPeriod> open = periods.open();
        if (open.isPresent() && open.get().timeline() != identity.timeline()) {
            journal.record(open.get().ended(endLsn, clock.micros()));
            open = Optional.empty();
        }
        DegradedMode mode =
                new DegradedMode(policy, config.standbys(), identity.timeline(), open, journal, queue::release, clock);
        mode.addListener(transition -> transitionListeners.forEach(listener -> listener.changed(transition)));
        return mode;
    }

    private int nextXid() {
        int seen = redo.lastXid();
        int known = control.get().nextXid();
        return seen != 0 && seen - known >= 0 ? LogCommits.xidAfter(seen) : known;
    }

    /** Writes the first record of a timeline. The checkpoint that lets redo start on it comes later: commits need not wait for it. */
    private void beginTimeline(Wal wal) {
        RecordGroup group = new RecordGroup();
        ByteBuffer data = group.add(0, XlogInfo.RMGR, XlogInfo.END_OF_RECOVERY, EndOfRecoveryRecord.BYTES);
        long startLsn = identity.history().startLsn();
        new EndOfRecoveryRecord(
                        clock.micros(), identity.timeline(), identity.history().timelineBefore(startLsn))
                .encode(data);
        wal.insert(group, Placement.NONE);
        log.info("timeline {} begins at {}", identity.timeline(), Lsn.text(startLsn));
    }

    /** Leaves a note of the epoch in the log itself. */
    private void noteEpoch(Wal wal) {
        RecordGroup group = new RecordGroup();
        EpochNote.add(group, control.get().epochs());
        wal.insert(group, Placement.NONE);
    }

    /** Gives resource managers that have arrived what they missed, while no commit is released. */
    private long admit() throws IOException {
        if (!arrivals) {
            return Step.UNTIL_WOKEN;
        }
        Running now = running;
        long endLsn = now.wal().filledLsn();
        if (now.commits().settledLsn() < endLsn) {
            return RETRY_NANOS;
        }
        arrivals = false;
        now.queue().whileHeld(workers, () -> {
            redo.skipTo(now.commits().settledLsn());
            redo.admit();
        });
        return Step.UNTIL_WOKEN;
    }

    /**
     * Gives the present end of the log a name to recover to. Returns when that is on the disk.
     *
     * @return where its record ends
     * @throws IllegalArgumentException if a restore point cannot be called so
     */
    public long restorePoint(String name) throws IOException {
        RestorePointRecord.checkName(name);
        Running now = running;
        if (now == null) {
            throw new IOException("the server is " + state + ": a restore point can be made when it accepts commits");
        }
        RecordGroup group = new RecordGroup();
        new RestorePointRecord(clock.micros(), name)
                .encode(group.add(0, XlogInfo.RMGR, XlogInfo.RESTORE_POINT, RestorePointRecord.BYTES));
        long endLsn = now.wal().insert(group, Placement.NONE);
        now.wal().awaitFlushed(endLsn);
        log.info("restore point \"{}\" at {}", name, Lsn.text(endLsn));
        return endLsn;
    }

    /** Changes what can be changed while the server works; the sizes and the sync method stay until the next start. */
    public void configure(PrimaryConfig newConfig) {
        config = newConfig;
        slots.configure(retentionConfig().maxSlots());
        Running now = running;
        if (now != null) {
            now.mode().configure(newConfig.standbys());
            now.commits().setDefaultLevel(newConfig.commitLevel());
            now.senders().configure(newConfig.senders());
        }
    }

    /** Changes how WAL is archived; whether it is, stays until the next start. */
    public void configure(ArchiveConfig newConfig) {
        Archiver own = archiver;
        if (own != null) {
            own.configure(newConfig);
        }
    }

    /** Returns how archiving is doing, if WAL is archived. */
    public Optional<ArchiverStatus> archiver() {
        return Optional.ofNullable(archiver).map(Archiver::status);
    }

    @Override
    public synchronized void superseded(Term term, String by) {
        Switchover exchanging = switchover;
        if (exchanging != null && exchanging.heardOf(term)) {
            return;
        }
        fencing.heardOf(term, by);
    }

    /** Returns what the server is doing. */
    public State state() {
        return state;
    }

    /** Returns why it failed or what it waits for; empty if neither. */
    public String reason() {
        return switch (state) {
            case RECOVERING -> redo.blockedReason().orElse("");
            case RUNNING -> {
                Switchover exchanging = switchover;
                String fenced = fencing.reason();
                yield fenced.isEmpty() && exchanging != null ? exchanging.reason() : fenced;
            }
            default -> failure;
        };
    }

    /** Returns up to where the log has been redone. */
    public long redoneLsn() {
        return redo.appliedLsn();
    }

    /** Returns the log, once the server accepts commits. */
    public Optional<Wal> wal() {
        return Optional.ofNullable(running).map(Running::wal);
    }

    /** Returns what commits, once the server accepts commits. */
    public Optional<Commits> commits() {
        return Optional.ofNullable(running).map(Running::commits);
    }

    /** Returns the queue of commits, once the server accepts commits. */
    public Optional<CommitQueue> queue() {
        return Optional.ofNullable(running).map(Running::queue);
    }

    /**
     * Lets commits go that wait, up to a position, although the policy is not met; they get {@code LOCAL_ONLY}. That they may be on
     * this server only is recorded before, as a degraded period is.
     *
     * @param operator who decided it
     * @return how many commits are released by it
     * @throws IllegalStateException if the server accepts no commits, or is fenced: the other server may lack them
     * @throws IllegalArgumentException if the position is past the end of the log: commits to come are released by the policy
     */
    public long releaseByHand(long lsn, String operator) throws IOException {
        Running now = running;
        if (now == null) {
            throw new IllegalStateException("the server is " + state + ": commits wait when it accepts commits");
        }
        if (!fencing.reason().isEmpty()) {
            throw new IllegalStateException(fencing.reason());
        }
        return now.handRelease().release(lsn, operator);
    }

    /** Returns what a crash has left in doubt, if it is not released yet. */
    public Optional<InDoubtRange> inDoubt() {
        return inDoubt.range();
    }

    /** Returns what it does while standbys are away, once the server accepts commits. */
    public Optional<DegradedMode> degradedMode() {
        return Optional.ofNullable(running).map(Running::mode);
    }

    /**
     * Explains why commits wait, once the server accepts commits.
     *
     * @param lsn the position asked about; 0 for that of the commit that has waited longest
     */
    public Optional<WaitExplanation> explain(long lsn) {
        return Optional.ofNullable(running)
                .map(now -> WaitExplanation.of(lsn, now.wal(), now.queue(), now.policy(), now.mode(), standbys()));
    }

    /** Tells of each change of {@link #degradedMode} from now on. */
    public void addListener(DegradedMode.Listener listener) {
        transitionListeners.add(listener);
    }

    /** Tells of no more changes. */
    public void removeListener(DegradedMode.Listener listener) {
        transitionListeners.remove(listener);
    }

    /** Returns who lets standbys in, once the server accepts commits. */
    public Optional<WalSenders> senders() {
        return Optional.ofNullable(running).map(Running::senders);
    }

    /** Returns the connected standbys. */
    public List<StandbyView> standbys() {
        Running now = running;
        return now == null ? List.of() : now.senders().standbys(now.policy()::role);
    }

    @Override
    public ControlFile control() {
        return control.get();
    }

    @Override
    public ReplicationSlots slots() {
        return slots;
    }

    /** Returns who decides which WAL is kept, once the server accepts commits. */
    public Optional<Retention> retention() {
        return Optional.ofNullable(running).map(Running::retention);
    }

    @Override
    public boolean isStandby() {
        return false;
    }

    @Override
    public long serverId() {
        return 0;
    }

    @Override
    public long endLsn() {
        return running.wal().filledLsn();
    }

    @Override
    public long sendableLsn() {
        return running.wal().flushedLsn();
    }

    @Override
    public long primaryFlushedLsn() {
        return running.wal().flushedLsn();
    }

    @Override
    public void checkpoint() throws IOException {
        Running now = running;
        if (now == null) {
            throw new IOException("the server is " + state + ": a checkpoint can be taken when it accepts commits");
        }
        now.checkpointer().checkpoint();
    }

    @Override
    public void backup(BackupSink sink) throws IOException {
        managers.backup(sink);
    }

    @Override
    public DegradedRange degradedRange(long standbyEndLsn) {
        return DegradedJournal.missing(periods, standbyEndLsn);
    }

    @Override
    public void standbyProgressed() {
        Running now = running;
        if (now != null) {
            now.mode().progressed();
            now.queue().release();
        }
    }

    @Override
    public void standbyLeaving() {
        Running now = running;
        if (now != null) {
            now.mode().leaving();
        }
    }

    /**
     * Stops in good order: takes no more commits, checkpoints, sends standbys all there is, and closes the log. After a switchover
     * the first two have been done, and the standbys will find the rest with the new primary.
     */
    @Override
    public void close() throws IOException {
        if (state == State.STOPPED) {
            return;
        }
        managers.removeListener(wakeStartup);
        if (startup != null) {
            startup.close();
        }
        Running now = running;
        Switchover exchange = switchover;
        boolean handedOver = exchange != null && exchange.stop();
        try {
            if (now != null) {
                if (!handedOver) {
                    now.commits().close();
                }
                now.checkpoints().close();
                now.modes().close();
                if (archiver != null) {
                    archiver.close();
                }
                if (handedOver) {
                    now.senders().leave(exchange.reason());
                } else {
                    now.checkpointer().shutdownCheckpoint();
                    now.senders().close();
                }
                slots.save();
                now.wal().close();
            }
        } finally {
            redo.close();
            marks.close();
            for (ResourceManager manager : managers.all()) {
                manager.close();
            }
            become(State.STOPPED);
        }
    }
}
