package lockstep.primary;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import lockstep.archive.ArchiveConfig;
import lockstep.archive.Archiver;
import lockstep.archive.ArchiverStatus;
import lockstep.commit.CommitQueue;
import lockstep.commit.Commits;
import lockstep.commit.DegradedMode;
import lockstep.config.ServerRole;
import lockstep.io.Clock;
import lockstep.io.Commands;
import lockstep.io.Disk;
import lockstep.io.Panic;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.io.Workers;
import lockstep.recovery.ControlFile;
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
import lockstep.wal.RestorePointRecord;
import lockstep.wal.Wal;
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
 * <p>It opens what it stands on ({@link Foundation}), has the log read to its end ({@link Recovery}), and puts together what accepts
 * commits ({@link Running}). What can come between is another primary: that ends its commits ({@link Fencing}), or is made so in good
 * order ({@link Switchover}). Here is only which of them there is now, and who may ask what of them.
 *
 * <p><b>Threads.</b> The worker {@code startup} goes through the states up to RUNNING, and then looks after resource managers that
 * arrive. {@code this} is held to begin a switchover and when a foreign term is heard of, so that each knows of the other.
 */
public final class Primary implements SendingServer, AutoCloseable {
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

    private final Foundation base;
    private final Runnable stateChanged;
    private final Fencing fencing;
    private final Recovery recovery;
    private final List<DegradedMode.Listener> transitionListeners = new CopyOnWriteArrayList<>();
    private final Runnable wakeStartup = this::wakeStartup;

    private volatile PrimaryConfig config;
    private volatile State state = State.RECOVERING;
    private volatile String failure = "";

    /** What there is only while the server accepts commits. */
    private volatile Running running;

    private volatile Worker startup;
    private volatile Switchover switchover;
    private Optional<Running.Archiving> archiving = Optional.empty();
    private ServerRole role;
    private Connector connector;

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
        this.stateChanged = stateChanged;
        base = Foundation.open(config, disk, clock, workers, panic, managers);
        fencing = new Fencing(base.control());
        recovery = new Recovery(base, handover);
    }

    /**
     * Has WAL archived, if it is configured so. Called before {@link #start}, or never.
     *
     * @param commands runs the command, and is stopped with this server
     */
    public void archive(ArchiveConfig archiveConfig, Commands commands) {
        archiving = Optional.of(new Running.Archiving(archiveConfig, commands));
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
                        base.control(),
                        base.managers(),
                        role,
                        connector,
                        base.workers(),
                        base.clock(),
                        base.panic()));
        switchover.start();
        return switchover.done();
    }

    /** Starts the thread {@code startup}, which recovers. */
    public void start() {
        recovery.announce();
        base.managers().addListener(wakeStartup);
        startup = base.workers().start("startup", this::step);
    }

    private void wakeStartup() {
        recovery.arrived();
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
                case RUNNING -> recovery.admit(running.commits(), running.queue());
                default -> Step.UNTIL_WOKEN;
            };
        } catch (IOException | RuntimeException e) {
            fail("the server stopped recovering at " + Lsn.text(recovery.redoneLsn()) + ": " + e.getMessage(), e);
            return Step.UNTIL_WOKEN;
        }
    }

    private void fail(String reason, Exception cause) {
        failure = reason;
        log.error("{}", reason, cause);
        become(State.FAILED);
    }

    private long recover() throws IOException {
        return switch (recovery.step()) {
            case GOES_ON -> Step.AGAIN;
            case BLOCKED -> Step.UNTIL_WOKEN;
            case DONE -> {
                run(recovery.end(config.bufferBytes()));
                yield recovery.takesOver() ? Step.AGAIN : Step.UNTIL_WOKEN;
            }
        };
    }

    private void run(long endLsn) throws IOException {
        Running now = new Running(base, () -> config, recovery, endLsn, fencing, this, archiving, this::changed);
        recovery.follow(now.wal());
        running = now;
        now.begin();
        become(State.RUNNING);
    }

    private void changed(DegradedMode.Transition transition) {
        transitionListeners.forEach(listener -> listener.changed(transition));
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
        return now.records().restorePoint(name);
    }

    /** Changes what can be changed while the server works; the sizes and the sync method stay until the next start. */
    public void configure(PrimaryConfig newConfig) {
        config = newConfig;
        base.slots().configure(newConfig.checkpoints().retention().maxSlots());
        Running now = running;
        if (now != null) {
            now.configure(newConfig);
        }
    }

    /** Changes how WAL is archived; whether it is, stays until the next start. */
    public void configure(ArchiveConfig newConfig) {
        running(Running::archiver).flatMap(own -> own).ifPresent(own -> own.configure(newConfig));
    }

    /** Returns how archiving is doing, if WAL is archived. */
    public Optional<ArchiverStatus> archiver() {
        return running(Running::archiver).flatMap(own -> own).map(Archiver::status);
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
            case RECOVERING -> recovery.blockedReason();
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
        return recovery.redoneLsn();
    }

    private <T> Optional<T> running(Function<Running, T> part) {
        return Optional.ofNullable(running).map(part);
    }

    /** Returns the log, once the server accepts commits. */
    public Optional<Wal> wal() {
        return running(Running::wal);
    }

    /** Returns what commits, once the server accepts commits. */
    public Optional<Commits> commits() {
        return running(Running::commits);
    }

    /** Returns the queue of commits, once the server accepts commits. */
    public Optional<CommitQueue> queue() {
        return running(Running::queue);
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
        return recovery.inDoubt();
    }

    /** Returns what it does while standbys are away, once the server accepts commits. */
    public Optional<DegradedMode> degradedMode() {
        return running(Running::mode);
    }

    /**
     * Explains why commits wait, once the server accepts commits.
     *
     * @param lsn the position asked about; 0 for that of the commit that has waited longest
     */
    public Optional<WaitExplanation> explain(long lsn) {
        return running(now -> now.explain(lsn));
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
        return running(Running::senders);
    }

    /** Returns the connected standbys. */
    public List<StandbyView> standbys() {
        Running now = running;
        return now == null ? List.of() : now.standbys();
    }

    @Override
    public ControlFile control() {
        return base.control().get();
    }

    @Override
    public ReplicationSlots slots() {
        return base.slots();
    }

    /** Returns who decides which WAL is kept, once the server accepts commits. */
    public Optional<Retention> retention() {
        return running(Running::retention);
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
        base.managers().backup(sink);
    }

    @Override
    public DegradedRange degradedRange(long standbyEndLsn) {
        return DegradedJournal.missing(base.periods(), standbyEndLsn);
    }

    @Override
    public void standbyProgressed() {
        Running now = running;
        if (now != null) {
            now.standbyProgressed();
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
        base.managers().removeListener(wakeStartup);
        if (startup != null) {
            startup.close();
        }
        Running now = running;
        Switchover exchange = switchover;
        boolean handedOver = exchange != null && exchange.stop();
        try {
            if (now != null) {
                if (handedOver) {
                    now.leave(exchange.reason());
                } else {
                    now.close();
                }
            }
        } finally {
            recovery.close();
            base.marks().close();
            for (ResourceManager manager : base.managers().all()) {
                manager.close();
            }
            become(State.STOPPED);
        }
    }
}
