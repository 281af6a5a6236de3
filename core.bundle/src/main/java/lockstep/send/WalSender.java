package lockstep.send;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import lockstep.commit.CommitLevel;
import lockstep.commit.SyncRole;
import lockstep.io.Clock;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.io.Workers;
import lockstep.recovery.ControlFile;
import lockstep.retention.ReplicationSlots;
import lockstep.retention.ReplicationSlots.Slot;
import lockstep.retention.SlotException;
import lockstep.transport.api.DownstreamStandby;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.BaseBackupRequest;
import lockstep.transport.api.Message.DegradedRange;
import lockstep.transport.api.Message.DownstreamStatus;
import lockstep.transport.api.Message.MoveRefused;
import lockstep.transport.api.Message.MoveRequest;
import lockstep.transport.api.Message.Reason;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.SessionSuccession;
import lockstep.transport.api.Message.StandbyReason;
import lockstep.transport.api.Message.StandbyStatus;
import lockstep.transport.api.Message.StartReplication;
import lockstep.transport.api.Message.SwitchoverAnswer;
import lockstep.transport.api.Message.SwitchoverRequest;
import lockstep.transport.api.Message.TakeOver;
import lockstep.transport.api.Message.TookOver;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.wal.Wal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One session with a standby.
 *
 * <pre>
 *   state      event                                next
 *   STARTUP    BaseBackupRequest                    BACKUP
 *   STARTUP    StartReplication, acceptable         CATCHUP
 *   STARTUP    StartReplication, not acceptable     STOPPING, after a Refusal
 *   BACKUP     all files sent                       STARTUP: the same session asks for the WAL next
 *   CATCHUP    everything flushed has been sent     STREAMING
 *   STARTUP    StartReplication after Succession    STREAMING: the standby has streamed all along, only elsewhere
 *   any        session closed, timeout, shutdown    STOPPING
 * </pre>
 *
 * <p><b>Succession.</b> A standby that changes its transport opens a second session while the first goes on. To commits both
 * are one standby, which streams and has acknowledged what it has: the second takes over positions, slot and place among those
 * that count in one step, and from then on hears of what is acknowledged on the first. That one is sent WAL until the
 * standby has moved over, which it says by its first status on the second. If the second ends before that, the first
 * counts again.
 *
 * <p>A standby that serves others never sends while it writes: it sends, from its worker, what is checked and on its disk,
 * and beside it how far the primary has flushed.
 *
 * <p>A sender that streams may fall behind again for a while, when its peer takes no more: it then reads behind the writer
 * until it has caught up. Its state stays STREAMING, as in PostgreSQL: what it acknowledged still counts.
 *
 * <p><b>Threads.</b> Three use a sender: the WAL writer's ({@link #filled}, {@link #flushed}), the session's (messages of
 * the standby) and its own worker's ({@link #step}: catch-up, timers). What they send goes through the {@link WalFeed}, which
 * lets one of them at a time.
 */
final class WalSender implements SessionHandler, Successor, ReplicationSlots.User {
    private static final long BACK_PRESSURE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long ANSWER_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long FINISH_WAIT_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final DownstreamStatus NO_DOWNSTREAM = new DownstreamStatus(0, 0, List.of());
    private static final Logger log = LoggerFactory.getLogger(WalSender.class);

    private final long id;
    private final Session session;

    /** Whether this is a PostgreSQL client, or another that would apply all that it gets. */
    private final boolean flushedWalOnly;

    private final Wal wal;
    private final SendingServer server;
    private final Admission admission;
    private final WalSenders senders;
    private final Workers workers;
    private final Clock clock;
    private final long startedMicros;
    private final WalFeed feed;
    private final Progress progress = new Progress();

    private volatile String name = "";
    private volatile SenderState state = SenderState.STARTUP;
    private volatile long heldLsn = Long.MAX_VALUE;
    private volatile long heardNanos;
    private volatile long heardMicros;
    private volatile long drainedNanos;
    private boolean standstillTold;
    private volatile boolean replyAsked;
    private volatile long askedNanos;
    private volatile String reason = "";
    private volatile DownstreamStatus downstream = NO_DOWNSTREAM;
    private volatile SwitchoverAnswer switchoverAnswer;
    private volatile TookOver tookOver;
    private volatile boolean backupRequested;
    private volatile Slot slot;
    private volatile Worker worker;

    /** Whether this session may count; of two of one standby only one may. */
    private volatile boolean listed = true;

    /** The session that goes on until this one has caught up; null when it has, or there is none. */
    private volatile WalSender predecessor;

    private volatile WalSender successor;

    private volatile boolean succeeds;
    private volatile boolean hadBackup;
    private volatile CompletableFuture<WalSender> move;

    WalSender(
            long id, Session session, Wal wal, SendingServer server, WalSenders senders, Workers workers, Clock clock) {
        this.id = id;
        this.session = session;
        flushedWalOnly = session.peer().flushedWalOnly();
        this.wal = wal;
        this.server = server;
        admission = new Admission(wal, server);
        this.senders = senders;
        this.workers = workers;
        this.clock = clock;
        feed = new WalFeed(session, wal, server, clock);
        startedMicros = clock.micros();
        heardNanos = clock.nanos();
        drainedNanos = heardNanos;
    }

    void start() {
        worker = workers.start("wal-sender-" + id, this::step);
    }

    private void become(SenderState next, String why) {
        if (change(next, why)) {
            server.standbyProgressed();
        }
    }

    private boolean change(SenderState next, String why) {
        if (state == next || state == SenderState.STOPPING) {
            return false;
        }
        log.info("standby {} at {}: {} -> {}: {}", label(), session.peer().address(), state, next, why);
        if (next == SenderState.STOPPING) {
            stepBack();
        }
        state = next;
        if (next == SenderState.STOPPING) {
            releaseSlot();
        }
        return true;
    }

    private String label() {
        return name.isEmpty() ? "(session " + id + ")" : name;
    }

    // What the standby says: the session's thread.

    @Override
    public void received(Session from, Message message) {
        heardNanos = clock.nanos();
        heardMicros = clock.micros();
        replyAsked = false;
        if (state == SenderState.STOPPING) {
            return;
        }
        if (message instanceof StandbyStatus status) {
            progressed(status);
            takenOver();
        } else if (message instanceof StandbyReason standbyReason) {
            explained(standbyReason);
        } else if (message instanceof DownstreamStatus status) {
            heardOfDownstream(status);
        } else if (message instanceof SessionSuccession && state == SenderState.STARTUP) {
            succeeds = true;
        } else if (message instanceof MoveRefused refused) {
            moveRefused(refused.text());
        } else if (message instanceof SwitchoverAnswer answer) {
            switchoverAnswer = answer;
        } else if (message instanceof TookOver said) {
            tookOver = said;
        } else if (message instanceof StartReplication start && state == SenderState.STARTUP) {
            startReplication(start);
        } else if (message instanceof BaseBackupRequest request && state == SenderState.STARTUP) {
            if (takeName(request.standbyName()) && takeSlot(request)) {
                become(SenderState.BACKUP, "it asks for a base backup");
                hadBackup = true;
                backupRequested = true;
                worker.wake();
            }
        } else {
            refuse(new Refusal(
                    RefusalCode.PROTOCOL,
                    message.getClass().getSimpleName() + " has no place in state " + state + " of this session"));
        }
    }

    private void progressed(StandbyStatus status) {
        long now = clock.nanos();
        long sentLsn = feed.sentLsn();
        progress.acknowledged(
                Math.min(status.writtenLsn(), sentLsn),
                Math.min(status.flushedLsn(), sentLsn),
                Math.min(status.appliedLsn(), sentLsn),
                now);
        WalSender next = successor;
        if (next != null) {
            next.progress.goOnFrom(progress, now);
        }
        if (state == SenderState.CATCHUP || state == SenderState.STREAMING) {
            heldLsn = hasLsn() == 0 ? heldLsn : hasLsn();
            Slot held = slot;
            if (held != null && progress.flushedLsn() != 0) {
                held.advance(progress.flushedLsn());
            }
        }
        server.standbyProgressed();
        if (status.replyRequested()) {
            feed.keepalive(false);
        }
    }

    private void heardOfDownstream(DownstreamStatus status) {
        downstream = status;
        long own = server.serverId();
        if (own != 0
                && (status.serverId() == own
                        || status.standbys().stream().anyMatch(standby -> standby.serverId() == own))) {
            refuse(new Refusal(
                    RefusalCode.LOOP,
                    "this server is a standby and follows the one that asks, perhaps through others: in a"
                            + " ring nobody hears from a primary. Correct primary_conninfo of one of them"));
        }
    }

    private void explained(StandbyReason said) {
        if (said.reason() == Reason.RECOVERED) {
            log.info("standby {} is well again: {}", label(), said.detail());
            reason = "";
        } else {
            log.warn("standby {} says {} at {}: {}", label(), said.reason(), Lsn.text(said.lsn()), said.detail());
            reason = said.reason() + ": " + said.detail();
        }
        if (said.reason() == Reason.LEAVING) {
            server.standbyLeaving();
            become(SenderState.STOPPING, "it leaves: " + said.detail());
        } else {
            server.standbyProgressed();
        }
    }

    /**
     * Returns whether the standby is still there, as far as is known, and asks it. A standby that comes back after its link was
     * cut finds its own old session in the way; if that has not answered when it tries again, it is given up.
     */
    boolean isThere() {
        if (state != SenderState.CATCHUP && state != SenderState.STREAMING) {
            return state != SenderState.STOPPING;
        }
        long now = clock.nanos();
        if (askedNanos == 0 || heardNanos - askedNanos > 0) {
            askedNanos = now;
            feed.keepalive(true);
        } else if (now - askedNanos > ANSWER_NANOS) {
            say(
                    new Refusal(RefusalCode.NAME_IN_USE, "another session has taken the name \"" + name + '"'),
                    "it does not answer, and its standby has come back");
            return false;
        }
        return true;
    }

    private boolean takeName(String asked) {
        for (WalSender other : senders.named(asked, this)) {
            if (isSameServer(other)) {
                meetOwn(other);
            } else if (other.isThere() && !flushedWalOnly) {
                // Among PostgreSQL's clients many may have one name.
                refuse(new Refusal(
                        RefusalCode.NAME_IN_USE,
                        "a standby named \"" + asked + "\" is connected; give this one another application_name"));
                return false;
            }
        }
        name = asked;
        return true;
    }

    private boolean isSameServer(WalSender other) {
        long serverId = downstream.serverId();
        return serverId != 0 && serverId == other.downstream.serverId();
    }

    /** Meets another session of the same running standby: one that it goes on with until this one can, or has lost. */
    private void meetOwn(WalSender other) {
        // After a base backup it has other data than that which it acknowledged there.
        if (succeeds && !hadBackup && predecessor == null && other.isStreaming() && other.successor == null) {
            predecessor = other;
        } else {
            other.end("its standby has opened another session");
        }
    }

    /** Takes the place of the session before, if it still has one. */
    private void takePlace(String from) {
        WalSender before = predecessor;
        if (before == null || !before.isStreaming()) {
            predecessor = null;
            return;
        }
        senders.replace(before, this, () -> {
            progress.goOnFrom(before.progress, clock.nanos());
            before.successor = this;
            change(SenderState.STREAMING, from + ", in the place of session " + before.id);
        });
    }

    /** This session ends. If the standby has not moved over to it, the one before counts again. */
    private void stepBack() {
        WalSender before = predecessor;
        predecessor = null;
        if (before != null && before.successor == this) {
            senders.replace(this, before, () -> before.successor = null);
        }
    }

    /** The standby has moved over to this session, and needs the one before no more. */
    private void takenOver() {
        WalSender before = predecessor;
        if (before != null) {
            predecessor = null;
            before.end("its standby has moved over to session " + id);
        }
    }

    /**
     * Asks the standby to move over to another of its endpoints.
     *
     * @return completes with the session that has taken the place of this one; or with an {@link IllegalStateException} that says
     *     why there is none
     */
    CompletableFuture<WalSender> move(String scheme) {
        synchronized (this) {
            CompletableFuture<WalSender> asked = move;
            if (asked != null && !asked.isDone()) {
                return CompletableFuture.failedFuture(
                        new IllegalStateException("standby " + label() + " is being moved already"));
            }
            if (session.peer().flushedWalOnly()) {
                return CompletableFuture.failedFuture(new IllegalStateException("standby " + label()
                        + " speaks a protocol in which it cannot be asked to move: change its primary_conninfo there"));
            }
            if (state != SenderState.STREAMING) {
                return CompletableFuture.failedFuture(new IllegalStateException("standby " + label() + " is in state "
                        + state + ", and is moved only while it streams: \"standbys\" shows when it does"));
            }
            move = new CompletableFuture<>();
            feed.send(new MoveRequest(scheme));
            return move;
        }
    }

    private void answerMove(String cause) {
        CompletableFuture<WalSender> asked = move;
        WalSender next = successor;
        if (asked != null && next != null) {
            asked.complete(next);
        } else {
            moveRefused("its session has ended: " + cause);
        }
    }

    private void moveRefused(String why) {
        CompletableFuture<WalSender> asked = move;
        if (asked != null) {
            asked.completeExceptionally(new IllegalStateException("standby " + label() + " stays: " + why));
        }
    }

    /** A slot, or the refusal that there is none. */
    private interface SlotSource {
        Slot get() throws SlotException, IOException;
    }

    private boolean takeSlot(String asked, SlotSource source) {
        releaseSlot();
        if (asked.isEmpty()) {
            return true;
        }
        // Asks the one who has it, if somebody has, so that it is given up if it does not answer; the slot itself
        // refuses.
        senders.isSlotTaken(asked, this);
        try {
            slot = source.get();
        } catch (SlotException e) {
            refuse(new Refusal(
                    e.code(),
                    e.getMessage()
                            + (e.code() == RefusalCode.SLOT_INVALIDATED
                                    ? "; this server has WAL from "
                                            + Lsn.text(wal.files().oldestLsn(wal.filledLsn()))
                                    : "")));
            return false;
        } catch (IOException e) {
            refuse(new Refusal(RefusalCode.NOT_READY, e.getMessage()));
            return false;
        }
        if (state == SenderState.STOPPING) {
            releaseSlot();
            return false;
        }
        return true;
    }

    private boolean takeSlot(BaseBackupRequest asked) {
        return takeSlot(
                asked.slotName(), () -> server.slots().acquireForBackup(asked.slotName(), asked.createSlot(), this));
    }

    private boolean takeSlot(StartReplication asked, long startLsn) {
        WalSender before = predecessor;
        Slot held = before == null ? null : before.slot;
        if (held != null && held.name().equals(asked.slotName()) && held.pass(before, this)) {
            before.slot = null;
            slot = held;
            return true;
        }
        // A PostgreSQL client may ask from anywhere: its slot follows what it has flushed, and nothing else.
        long slotLsn = flushedWalOnly ? Lsn.INVALID : startLsn;
        return takeSlot(asked.slotName(), () -> server.slots().acquire(asked.slotName(), slotLsn, this));
    }

    private void releaseSlot() {
        Slot held = slot;
        slot = null;
        if (held != null) {
            held.release(this);
        }
    }

    @Override
    public String description() {
        return "standby " + label() + " at " + session.peer().address();
    }

    @Override
    public void invalidated(String text) {
        refuse(new Refusal(RefusalCode.SLOT_INVALIDATED, text));
    }

    /** Ends the session because WAL it needs is about to be removed. */
    void refuseRemoved(long oldestLsn) {
        refuse(new Refusal(
                RefusalCode.WAL_REMOVED,
                "standby \"" + name + "\" needs WAL from " + Lsn.text(heldLsn)
                        + ", which was removed when it was more than max_slot_wal_keep_size allows; this server has it"
                        + " from " + Lsn.text(oldestLsn) + ". Run \"rebuild\" on the standby"));
    }

    private void startReplication(StartReplication asked) {
        Admission.Answer answer = admission.judge(asked, flushedWalOnly);
        if (answer instanceof Admission.Refused refused) {
            // Why the slot did not keep the WAL tells more than that the WAL has been removed.
            if (refused.refusal().code() != RefusalCode.WAL_REMOVED || takeSlot(asked, Lsn.INVALID)) {
                refuse(refused.refusal());
            }
        } else if (answer instanceof Admission.Admitted admitted
                && takeName(asked.standbyName())
                && takeSlot(asked, admitted.answer().startLsn())) {
            ReplicationStarted started = admitted.answer();
            heldLsn = started.startLsn();
            // Before the standby hears that it can move over, and ends the session before.
            feed.start(started, () -> takePlace(admitted.from()));
            if (state == SenderState.STREAMING) {
                server.standbyProgressed();
            } else {
                become(SenderState.CATCHUP, admitted.from());
            }
            // After it became one that is told of changes, so that none falls between.
            tell(server.degradedRange(started.startLsn()));
            worker.wake();
        }
    }

    void refuse(Refusal refusal) {
        log.warn("standby at {} refused: {}", session.peer().address(), refusal.text());
        say(refusal, "refused: " + refusal.text());
    }

    private void say(Refusal refusal, String cause) {
        feed.send(refusal);
        become(SenderState.STOPPING, cause);
        session.close(cause);
    }

    /** The peer has taken what the link held: a sign of life, though not a word. */
    @Override
    public void writable() {
        drainedNanos = clock.nanos();
        Worker own = worker;
        if (own != null) {
            own.wake();
        }
    }

    @Override
    public void closed(String cause) {
        become(SenderState.STOPPING, "the session has ended: " + cause);
        senders.left(this);
        answerMove(cause);
        if (worker != null) {
            worker.wake();
        }
    }

    // What the WAL writer hands over: the writer's thread.

    /** Takes a range that is about to be written, under the senders' range lock. */
    void filled(long fromLsn, long toLsn) {
        if (feed.filled(fromLsn, toLsn)) {
            worker.wake();
        }
    }

    /** Tells the standby how far it may apply, unless the next range is about to do so. */
    void flushed(long lsn) {
        progress.flushedHere(lsn, clock.nanos());
        if (!feed.isLive()) {
            worker.wake();
        } else if (wal.filledLsn() == lsn) {
            feed.keepalive(false);
        }
    }

    // Catch-up, backups and timers: the sender's own worker.

    private long step() throws IOException {
        if (state == SenderState.STOPPING) {
            end();
            return Step.UNTIL_WOKEN;
        }
        try {
            if (backupRequested) {
                backupRequested = false;
                backup();
            }
            if (!feed.isLive() && (state == SenderState.CATCHUP || state == SenderState.STREAMING)) {
                catchUp();
            }
            return untilTimer();
        } catch (IOException | RuntimeException e) {
            if (state == SenderState.STOPPING) {
                // The session ended under way, perhaps because the WAL that was being read has been cut off.
                return Step.AGAIN;
            }
            log.error("sending to standby {} failed", label(), e);
            session.close("the server could not go on: " + e.getMessage());
            return Step.UNTIL_WOKEN;
        }
    }

    private void catchUp() throws IOException {
        while (session.isWritable() && state != SenderState.STOPPING) {
            long limitLsn = flushedWalOnly ? server.primaryFlushedLsn() : server.sendableLsn();
            if (feed.sentLsn() < limitLsn) {
                if (!feed.sendFromLog(limitLsn)) {
                    refuse(new Refusal(
                            RefusalCode.WAL_REMOVED,
                            "the WAL at " + Lsn.text(feed.sentLsn())
                                    + " is no longer there. Run \"rebuild\" on the standby, so that it"
                                    + " takes a new base backup"));
                    return;
                }
            } else if (server.isStandby() || flushedWalOnly) {
                become(SenderState.STREAMING, "it has caught up at " + Lsn.text(feed.sentLsn()));
                feed.tellFlushed();
                return;
            } else {
                senders.betweenRanges(feed::goLive);
                if (feed.isLive()) {
                    become(SenderState.STREAMING, "it has caught up at " + Lsn.text(feed.sentLsn()));
                    return;
                }
            }
        }
    }

    private void backup() throws IOException {
        server.checkpoint();
        ControlFile control = server.control();
        heldLsn = control.redoLsn();
        Slot held = slot;
        if (held != null) {
            held.beginAnew(control.redoLsn());
        }
        new BackupSender(session, this, workers)
                .send(control, wal.config().identity().history(), server);
        heardNanos = clock.nanos();
        become(SenderState.STARTUP, "the base backup is complete");
    }

    /**
     * Watches over the standby; returns when to look again. Any message is a sign of life, and so is a link that takes what it did
     * not take before: a standby at work on much WAL may find no time to answer. To live is not to make progress, of which there
     * is only talk here: whether commits wait for a standby without progress is not for its session to decide.
     */
    private long untilTimer() {
        long timeout = TimeUnit.MILLISECONDS.toNanos(senders.config().timeoutMs());
        if (timeout == 0 || state == SenderState.BACKUP) {
            return BACK_PRESSURE_NANOS;
        }
        long now = clock.nanos();
        long silent = now - Math.max(heardNanos, drainedNanos);
        if (silent >= timeout) {
            session.close("no sign of life: nothing heard from the standby for "
                    + TimeUnit.NANOSECONDS.toMillis(now - heardNanos) + " ms, and the link takes nothing"
                    + " (wal_sender_timeout)");
            return Step.UNTIL_WOKEN;
        }
        watchProgress(now, senders.config().timeoutMs());
        if (silent >= timeout / 2) {
            if (!replyAsked && state != SenderState.STARTUP) {
                replyAsked = true;
                feed.keepalive(true);
            }
            return timeout - silent;
        }
        return timeout / 2 - silent;
    }

    private void watchProgress(long now, long timeoutMillis) {
        long standstillMillis = progress.standstillMillis(now);
        boolean stands = standstillMillis >= timeoutMillis;
        if (stands && !standstillTold) {
            log.warn(
                    "standby {} is alive, but makes no progress: it has flushed up to {} of {} sent, and nothing more for {} ms",
                    label(),
                    Lsn.text(progress.flushedLsn()),
                    Lsn.text(feed.sentLsn()),
                    standstillMillis);
        }
        standstillTold = stands;
    }

    private void end() throws IOException {
        worker.close();
        feed.close();
    }

    /** Closes the session at once; nothing that is sent from now on leaves. */
    void end(String cause) {
        become(SenderState.STOPPING, cause);
        session.close(cause);
    }

    /** Tells a standby that is being sent WAL. */
    void tell(DegradedRange range) {
        if (state == SenderState.CATCHUP || state == SenderState.STREAMING) {
            feed.send(range);
        }
    }

    /** Wakes the worker, to send what there is. */
    void wake() {
        worker.wake();
    }

    /** Sends what is left, as the server stops, and closes the session. */
    void finish() {
        long deadline = clock.nanos() + FINISH_WAIT_NANOS;
        long endLsn = server.sendableLsn();
        if (flushedWalOnly && state == SenderState.STREAMING) {
            worker.wake();
            feed.keepalive(
                    true); // some PostgreSQL clients tell of their progress only now and then, or when they are asked
        }
        while (state == SenderState.STREAMING && hasLsn() < endLsn && clock.nanos() < deadline) {
            workers.pause(TimeUnit.MILLISECONDS.toNanos(1));
        }
        String why = "the server is shutting down";
        say(new Refusal(RefusalCode.SHUTTING_DOWN, why), why);
    }

    /** Ends the session, because the server serves nobody any more. */
    void leave(String why) {
        say(new Refusal(RefusalCode.SHUTTING_DOWN, why), why);
    }

    // Handing over to this standby.

    @Override
    public SenderState state() {
        return state;
    }

    @Override
    public String address() {
        return session.peer().address();
    }

    @Override
    public boolean canBeAsked() {
        return !session.peer().flushedWalOnly();
    }

    @Override
    public long sentLsn() {
        return feed.sentLsn();
    }

    @Override
    public void ask(String primaryName) {
        switchoverAnswer = null;
        feed.send(new SwitchoverRequest(primaryName));
    }

    @Override
    public void handOver(long endLsn) {
        switchoverAnswer = null;
        feed.send(new TakeOver(endLsn));
    }

    @Override
    public Optional<SwitchoverAnswer> answer() {
        return Optional.ofNullable(switchoverAnswer);
    }

    @Override
    public Optional<TookOver> tookOver() {
        return Optional.ofNullable(tookOver);
    }

    /** Returns up to where the standby has the WAL: some PostgreSQL clients never say what they have flushed. */
    private long hasLsn() {
        return flushedWalOnly && progress.flushedLsn() == 0 ? progress.writtenLsn() : progress.flushedLsn();
    }

    // What others want to know.

    @Override
    public String name() {
        return name;
    }

    @Override
    public boolean isStreaming() {
        // Who has not said what it has flushed does not count, as in PostgreSQL: it may never say so.
        return state == SenderState.STREAMING && (progress.flushedLsn() != 0 || !flushedWalOnly);
    }

    @Override
    public String obstacle() {
        return reason;
    }

    @Override
    public long writtenLsn() {
        return progress.writtenLsn();
    }

    @Override
    public long flushedLsn() {
        return progress.flushedLsn();
    }

    @Override
    public long appliedLsn() {
        return progress.appliedLsn();
    }

    @Override
    public long reachedNanos(CommitLevel level, long lsn, long otherwise) {
        return progress.reachedNanos(level, lsn, otherwise);
    }

    /** Returns the first position this standby still needs; {@link Long#MAX_VALUE} if it needs none. */
    long neededLsn() {
        return state == SenderState.STOPPING ? Long.MAX_VALUE : heldLsn;
    }

    /** Returns the slot this session uses; empty if none. */
    String slotName() {
        Slot held = slot;
        return held == null ? "" : held.name();
    }

    /** Returns the standby as it stands, and those it says it serves. */
    StandbyTree.Branch branch() {
        DownstreamStatus below = downstream;
        return new StandbyTree.Branch(
                new DownstreamStandby(
                        StandbyTree.TOP,
                        below.serverId(),
                        name,
                        state.toString(),
                        feed.sentLsn(),
                        progress.writtenLsn(),
                        progress.flushedLsn(),
                        progress.appliedLsn()),
                below);
    }

    boolean isListed() {
        return listed;
    }

    void list(boolean now) {
        listed = now;
    }

    Peer peer() {
        return session.peer();
    }

    boolean hasEnded() {
        return state == SenderState.STOPPING;
    }

    private String feedState() {
        boolean flushedOnly = flushedWalOnly || server.isStandby();
        return feed.isLive() ? "live" : flushedOnly && state == SenderState.STREAMING ? "flushed" : "behind";
    }

    StandbyView view(SyncRole policysRole) {
        SyncRole role = flushedWalOnly && progress.flushedLsn() == 0 ? SyncRole.ASYNC : policysRole;
        long now = clock.nanos();
        return new StandbyView(
                id,
                name,
                session.peer().address(),
                startedMicros,
                state,
                feed.sentLsn(),
                progress.writtenLsn(),
                progress.flushedLsn(),
                progress.appliedLsn(),
                progress.writeLagMicros(now),
                progress.flushLagMicros(now),
                progress.replayLagMicros(now),
                role.priority(),
                role.state().toString(),
                heardMicros,
                feedState(),
                reason,
                session.peer().identity(),
                session.peer().facts());
    }
}
