package lockstep.send;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.Predicate;
import lockstep.commit.StandbyProgress;
import lockstep.commit.SyncRole;
import lockstep.io.Clock;
import lockstep.io.Workers;
import lockstep.retention.Retention;
import lockstep.retention.SlotException;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.DegradedRange;
import lockstep.transport.api.Message.DownstreamStatus;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalFormat;
import lockstep.wal.WalListener;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All sessions with standbys: lets them in, and passes on what the WAL writer is about to write.
 *
 * <p><b>Live or behind.</b> A sender that has caught up is <i>live</i>: the WAL writer's own thread hands it each range
 * before the range is written, so that transmit and local flush overlap. One that is behind, or whose peer takes no more
 * at the moment, reads what is flushed on a thread of its own, from the WAL buffers or the files, and costs the writer and
 * the others nothing.
 *
 * <p><b>Changing over without a gap.</b> A sender becomes live between two ranges: under {@link #rangeLock}, which the
 * writer holds while it hands a range out, it sends what is still missing up to the end of the last range, and from then on
 * gets every range. What it sends under the lock is at most one range, and is in the buffers, since it is not flushed yet
 * or just has been.
 *
 * <p><b>On a standby</b> no sender is ever live: {@link #filled} is not called, and {@link #flushed} with what may be sent.
 */
public final class WalSenders implements Acceptor, ServedLog, WalListener, Retention.Attached, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(WalSenders.class);

    /** The version of PostgreSQL whose form Lockstep's own log has. */
    private static final int OWN_VERSION = 15;

    private final Wal wal;
    private final SendingServer server;
    private final Workers workers;
    private final Clock clock;
    private final List<WalSender> senders = new CopyOnWriteArrayList<>();
    private final AtomicLong sessions = new AtomicLong();
    private final FlushTimes flushTimes = new FlushTimes();
    private final Object rangeLock = new Object();

    /** The end of the last range that was handed out; guarded by {@link #rangeLock}. */
    private long handedOutLsn;

    private volatile StandbyProgress[] progress = {};
    private volatile SenderConfig config;
    private volatile boolean open = true;

    /** Begins without sessions. */
    public WalSenders(Wal wal, SendingServer server, SenderConfig config, Workers workers, Clock clock) {
        this.wal = wal;
        this.server = server;
        this.config = config;
        this.workers = workers;
        this.clock = clock;
        handedOutLsn = wal.filledLsn();
        flushTimes.flushed(wal.flushedLsn(), clock.nanos());
    }

    /** Makes it a service: of its own name, for who listens, and as the log that is served. */
    public static ServiceRegistration<?> register(BundleContext context, WalSenders senders) {
        return context.registerService(
                new String[] {WalSenders.class.getName(), ServedLog.class.getName()}, senders, null);
    }

    /** Changes how standbys are served, from now on. */
    public void configure(SenderConfig newConfig) {
        config = newConfig;
        // Each set its timer by the times before.
        senders.forEach(WalSender::wake);
    }

    SenderConfig config() {
        return config;
    }

    @Override
    public SessionHandler accept(Session session) {
        WalSender sender = new WalSender(sessions.incrementAndGet(), session, wal, server, this, workers, clock);
        if (senders.size() >= config.maxSenders()) {
            sender.refuse(new Refusal(
                    RefusalCode.TOO_MANY_STANDBYS,
                    "the server serves " + senders.size() + " standbys and takes no more (max_wal_senders = "
                            + config.maxSenders() + ")"));
        } else {
            sender.start();
            senders.add(sender);
            listProgress();
            // After it was added: whoever closes either finds it there, or it finds the door closed.
            if (!open) {
                sender.refuse(new Refusal(RefusalCode.SHUTTING_DOWN, "the server is shutting down"));
            }
        }
        return sender;
    }

    /** Returns whether another session has that replication slot, and its standby is still there. */
    boolean isSlotTaken(String slotName, WalSender by) {
        return senders.stream()
                .anyMatch(other -> other != by && other.slotName().equals(slotName) && other.isThere());
    }

    /** Returns the other sessions that have that standby name. */
    List<WalSender> named(String name, WalSender by) {
        return senders.stream()
                .filter(other -> other != by && other.name().equals(name) && !other.hasEnded())
                .toList();
    }

    /**
     * Has one session count in the place of another. The latter does until all is ready, and whoever looks finds one of them.
     *
     * @param getReady makes the new one what it is to be when it counts
     */
    synchronized void replace(WalSender before, WalSender by, Runnable getReady) {
        by.list(false);
        listProgress();
        getReady.run();
        before.list(false);
        by.list(true);
        listProgress();
    }

    /**
     * Asks a standby to move over to another of its endpoints, without a pause.
     *
     * @param scheme of that endpoint, or {@link lockstep.transport.api.Message.MoveRequest#ANY_OTHER}
     * @return completes with the standby's new session; or with an {@link IllegalStateException} that says why there is none
     * @throws IllegalArgumentException if no standby of that name is connected
     */
    public CompletableFuture<StandbyMove> move(String standby, String scheme) {
        WalSender sender = senders.stream()
                .filter(each -> each.name().equals(standby) && each.isListed() && !each.hasEnded())
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        "no standby named \"" + standby + "\" is connected here; \"standbys\" lists those that are"));
        return sender.move(scheme).thenApply(next -> new StandbyMove(sender.peer(), next.peer()));
    }

    void left(WalSender sender) {
        if (senders.remove(sender)) {
            listProgress();
            server.standbyProgressed();
        }
    }

    @Override
    public void filled(long fromLsn, long toLsn) {
        synchronized (rangeLock) {
            handedOutLsn = toLsn;
            for (WalSender sender : senders) {
                sender.filled(fromLsn, toLsn);
            }
        }
    }

    @Override
    public void flushed(long lsn) {
        flushTimes.flushed(lsn, clock.nanos());
        for (WalSender sender : senders) {
            sender.flushed(lsn);
        }
    }

    /** Has the standbys told how far the primary has flushed, which has moved. */
    public void primaryFlushed() {
        for (WalSender sender : senders) {
            sender.wake();
        }
    }

    /**
     * Ends all sessions, so that the standbys connect again and are told anew from where they are sent WAL. When this returns,
     * nothing that is read from the log for one of them leaves any more.
     */
    public void endSessions(String cause) {
        for (WalSender sender : senders) {
            sender.end(cause);
        }
    }

    /** Tells those standbys of WAL whose commits were acknowledged without them; who connects later is told by the server. */
    public void tell(DegradedRange range, Predicate<StandbyProgress> whom) {
        for (WalSender sender : senders) {
            if (whom.test(sender)) {
                sender.tell(range);
            }
        }
    }

    /** Runs with the end of the last range, while no other range is handed out. */
    void betweenRanges(BetweenRanges action) throws IOException {
        synchronized (rangeLock) {
            action.run(handedOutLsn);
        }
    }

    /** What is done between two ranges. */
    interface BetweenRanges {
        void run(long handedOutLsn) throws IOException;
    }

    /** Returns how far the standbys are; an array that is not changed. */
    public StandbyProgress[] progress() {
        return progress;
    }

    private synchronized void listProgress() {
        progress = senders.stream().filter(WalSender::isListed).toArray(StandbyProgress[]::new);
    }

    @Override
    public long oldestNeededLsn() {
        return senders.stream().mapToLong(WalSender::neededLsn).min().orElse(Long.MAX_VALUE);
    }

    @Override
    public void endBefore(long lsn) {
        for (WalSender sender : senders) {
            if (sender.neededLsn() < lsn) {
                sender.refuseRemoved(lsn);
            }
        }
    }

    /**
     * Returns the connected standbys.
     *
     * @param role what each is to commits
     */
    public List<StandbyView> standbys(Function<StandbyProgress, SyncRole> role) {
        return senders.stream().map(sender -> sender.view(role.apply(sender))).toList();
    }

    /** Returns the session with the standby of that name, the newest if an older one is ending. */
    public Optional<Successor> find(String name) {
        return senders.stream()
                .filter(sender -> sender.name().equals(name))
                .reduce((older, newer) -> newer)
                .map(Successor.class::cast);
    }

    /** Returns all standbys below this server, each before those that it serves, with their lag behind this server. */
    public List<StandbyNode> tree() {
        return StandbyTree.view(branches(), server.sendableLsn(), flushTimes, clock.nanos());
    }

    /** Returns what this server, a standby, tells its upstream of all standbys below it. */
    public DownstreamStatus downstreamStatus() {
        return StandbyTree.status(server.serverId(), branches());
    }

    private List<StandbyTree.Branch> branches() {
        return senders.stream()
                .filter(sender -> !sender.name().isEmpty() && sender.isListed())
                .map(WalSender::branch)
                .toList();
    }

    /** Lets nobody in any more, and ends all sessions at once: another server has all there is. */
    public void leave(String why) {
        open = false;
        for (WalSender sender : senders) {
            sender.leave(why);
        }
    }

    // What standbys may ask before they ask for WAL.

    @Override
    public long systemId() {
        return wal.config().identity().systemId();
    }

    @Override
    public int segmentBytes() {
        return wal.config().layout().segmentBytes();
    }

    @Override
    public int postgresVersion() {
        WalFormat format = wal.config().identity().format();
        return format.isPostgres() ? format.postgresVersion() : OWN_VERSION;
    }

    @Override
    public TimelineHistory history() {
        return wal.config().identity().history();
    }

    @Override
    public long flushedLsn() {
        return server.primaryFlushedLsn();
    }

    @Override
    public boolean isStandby() {
        return server.isStandby();
    }

    @Override
    public OptionalLong slotRestartLsn(String name) {
        return server.slots().restartLsn(name);
    }

    @Override
    public void createSlot(String name, boolean reserve, boolean temporary) throws SlotException, IOException {
        server.slots().create(name, reserve ? server.control().redoLsn() : Lsn.INVALID, temporary);
    }

    @Override
    public void dropSlot(String name) throws SlotException, IOException {
        server.slots().drop(name);
    }

    /** Lets nobody in any more, and sends those connected what is left before their sessions are closed. */
    @Override
    public void close() {
        open = false;
        for (WalSender sender : senders) {
            sender.finish();
        }
        log.debug("all standby sessions are closed");
    }
}
