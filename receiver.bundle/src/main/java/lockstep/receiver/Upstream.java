package lockstep.receiver;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Supplier;
import lockstep.io.Clock;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.io.Workers;
import lockstep.receiver.api.ReceiverState;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.MoveRequest;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Session;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one session with a primary open: tries the endpoints of {@code primary_conninfo} in order, watches over silence,
 * and opens the next session when one ends, through whatever transport then serves the endpoint's scheme. Whom to try next and when
 * is for {@link Round} to say; a session is a {@link Link}, and the wish to have another is a {@link Move}.
 *
 * <p><b>Idea.</b> There is one session, and the next is opened when that one has said {@link Link#closed}. So the
 * {@link Conversation} above knows at each moment whom it talks to, and when it begins anew nobody is still at work on the
 * last.
 *
 * <p><b>Moving.</b> The exception is a session that is given up on purpose, for another endpoint or transport: make before
 * break. Its <i>successor</i> is opened while it goes on, and the conversation goes on over both until the successor has all
 * that the present session has; then the present one is closed. Whatever happens to the successor before, nothing has been
 * lost; and if the present session breaks before, the successor is the session. One rule keeps this simple: of the two,
 * one at a time has its say ({@link #turn}).
 *
 * <pre>
 *   state        event                                               next
 *   STOPPED      start                                               STARTING
 *   STARTING     the primary agrees to stream                        STREAMING
 *   STARTING     an endpoint fails or refuses, and there is another  STARTING
 *   STARTING     the last endpoint fails or refuses                  WAITING
 *   STREAMING    the session ends, and has a successor               STARTING, or STREAMING if that had been agreed on
 *   STREAMING    the session ends after something came over it       RESTARTING
 *   STREAMING    it ends without, or is to be backed off from        WAITING
 *   WAITING      the next try is due, or a transport arrives         STARTING
 *   RESTARTING   (at once)                                           STARTING
 *   any          close                                               STOPPED
 * </pre>
 *
 * <p><b>Threads.</b> Sessions are opened and timers watched on the worker {@code wal-receiver}; messages come on threads of
 * the transport. <b>Locks.</b> {@code this} guards the fields marked so, and is held while nothing else is called. {@link
 * #turn}, taken before it, is held while the conversation hears of a session.
 */
final class Upstream implements Step, Link.Listener, Transports.Listener, AutoCloseable {
    /** A transport delivers what was sent before within a second, and then ends the session. */
    private static final long CLOSE_WAIT_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final long CLOSE_LOOK_NANOS = TimeUnit.MICROSECONDS.toNanos(100);

    /** How long a successor has to catch up. */
    private static final long SUCCESSION_NANOS = TimeUnit.SECONDS.toNanos(10);

    private static final Logger log = LoggerFactory.getLogger(Upstream.class);

    private final Supplier<StandbyConfig> config;
    private final Transports transports;
    private final Workers workers;
    private final Clock clock;
    private volatile Conversation conversation;
    private volatile boolean last;
    private volatile Worker worker;

    // Guarded by this; volatile where status looks.
    private final Round round;
    private volatile ReceiverState state = ReceiverState.STOPPED;
    private volatile Link link;
    private volatile Link successor;
    private volatile Move move;
    private volatile String lastError = "";
    private volatile String lastEndpoint = "";
    private final AtomicLong sessions = new AtomicLong();

    private final Object turn = new Object();

    /** Whose message the conversation is hearing; guarded by {@link #turn}. */
    private Link speaking;

    Upstream(Supplier<StandbyConfig> config, Transports transports, Workers workers, Clock clock) {
        this.config = config;
        round = new Round(config, clock);
        this.transports = transports;
        this.workers = workers;
        this.clock = clock;
    }

    /** Begins, or begins again after {@link #close}. */
    void start(Conversation first) {
        conversation = first;
        synchronized (this) {
            round.begin();
            round.hurry();
            lastError = "";
            move = null;
            last = false;
            become(ReceiverState.STARTING, "the standby starts");
        }
        transports.addListener(this);
        worker = workers.start("wal-receiver", this);
    }

    /** Goes on with another conversation, on the present session if there is one. The one before has nothing to say. */
    void converse(Conversation next) {
        synchronized (turn) {
            conversation = next;
            Link open = link;
            if (open != null && !open.isEnding()) {
                open.session().ifPresent(next::begin);
            }
        }
        wake();
    }

    /**
     * Goes by {@code primary_conninfo} as it is now. The present session goes on if its endpoint is still the best of those
     * that can be used; if it is not in the list any more, until another can be used.
     */
    void configured() {
        List<Endpoint> now = config.get().primaries();
        Move before;
        synchronized (this) {
            if (now.equals(round.endpoints())) {
                return;
            }
            before = move;
            round.goThrough(now);
            Link open = link;
            if (open != null) {
                move = Move.toBetter(now, open.endpoint()).orElse(null);
            }
        }
        if (before != null) {
            before.giveUp("its primary_conninfo has been changed meanwhile");
        }
        wake();
    }

    /** Begins anew with the primary, because what this standby says of itself has changed. */
    void introduceAnew(String cause) {
        Link open = link;
        if (open != null) {
            open.worked();
            open.end(cause);
        }
    }

    /**
     * Moves over to another transport, if that can be.
     *
     * @param scheme of that transport, or {@link MoveRequest#ANY_OTHER}
     * @return completes with where it is then, or with an {@link IllegalStateException} that says why it stays; whoever completes it
     *     gives the move up
     */
    CompletableFuture<Endpoint> moveTo(String scheme) {
        try {
            return wish(scheme).done();
        } catch (IllegalStateException e) {
            return CompletableFuture.failedFuture(e);
        } finally {
            wake();
        }
    }

    private synchronized Move wish(String scheme) {
        Link open = link;
        if (open != null && open.endpoint().scheme().equals(scheme)) {
            throw new IllegalStateException("it is connected through " + open.endpoint() + " already");
        }
        if (move != null && !move.isLasting() && !move.isSettled()) {
            throw new IllegalStateException("it is moving already");
        }
        move = Move.toTransport(
                scheme, round.endpoints(), Optional.ofNullable(open).map(Link::endpoint));
        return move;
    }

    /** As {@link lockstep.transports.Movable#leave}. */
    Optional<CompletableFuture<Endpoint>> leave(String scheme) {
        Link open = link;
        if (open == null || !open.endpoint().scheme().equals(scheme)) {
            return Optional.empty();
        }
        return Optional.of(
                state == ReceiverState.STREAMING && conversation.canMove()
                        ? moveTo(MoveRequest.ANY_OTHER)
                        : CompletableFuture.failedFuture(new IllegalStateException(
                                "it does not stream from " + open.endpoint() + " now, and moves only while it does")));
    }

    private void become(ReceiverState next, String reason) {
        if (state == next) {
            return;
        }
        if (isTryingOn() && (next == ReceiverState.STARTING || next == ReceiverState.WAITING)) {
            log.debug("WAL receiver: {} -> {}: {}", state, next, reason);
        } else {
            log.info("WAL receiver: {} -> {}: {}", state, next, reason);
        }
        state = next;
    }

    /** Whether several tries have failed already, of which the first has been told. */
    private boolean isTryingOn() {
        return round.hasFailedOften() && (state == ReceiverState.STARTING || state == ReceiverState.WAITING);
    }

    // What comes over sessions, on their threads.

    @Override
    public void received(Link from, Session session, Message message) {
        synchronized (turn) {
            if (!from.isEnding()) {
                speaking = from;
                hear(from, session, message);
            }
        }
    }

    private void hear(Link from, Session session, Message message) {
        try {
            if (message instanceof Refusal refusal) {
                refused(from, refusal);
            } else {
                if (state == ReceiverState.STREAMING) {
                    from.worked();
                }
                conversation.received(session, message);
            }
        } catch (IOException e) {
            log.error("WAL receiver: {}", e.getMessage(), e);
            backOff(e.getMessage());
        } finally {
            speaking = null;
        }
    }

    private void refused(Link by, Refusal refusal) {
        String problem = "the primary at " + by.endpoint() + " refuses: " + refusal.text();
        by.failed(problem);
        if (by != successor) {
            failed(problem);
        }
        by.end("refused: " + refusal.text());
    }

    @Override
    public void endOfBatch() {
        conversation.endOfBatch();
    }

    @Override
    public void closed(Link ended, String cause) {
        synchronized (turn) {
            if (link == ended) {
                presentClosed(ended, cause);
            } else if (successor == ended) {
                successorClosed(ended, cause);
            } else {
                return;
            }
        }
        wake();
    }

    private void successorClosed(Link ended, String cause) {
        log.info("WAL receiver: the session with {} has ended before it could be used: {}", ended.endpoint(), cause);
        conversation.ended(ended.session().orElse(null));
        synchronized (this) {
            successor = null;
            if (move != null) {
                move.failed(
                        ended.problem().isEmpty()
                                ? "the session with " + ended.endpoint() + " has ended: " + cause
                                : ended.problem());
            }
        }
    }

    private void presentClosed(Link ended, String cause) {
        log.info("WAL receiver: the session with {} has ended: {}", ended.endpoint(), cause);
        boolean goesOn = conversation.ended(ended.session().orElse(null));
        Move met = null;
        Link next;
        synchronized (this) {
            link = successor;
            next = successor;
            successor = null;
            if (link != null && state == ReceiverState.STREAMING) {
                met = move;
                move = null;
                round.begin();
                lastEndpoint = next.endpoint().toString();
                if (!goesOn) {
                    become(ReceiverState.STARTING, cause);
                }
            } else if (state == ReceiverState.STREAMING) {
                if (ended.isToBackOffFrom()) {
                    waitFor(round.pauseLong());
                } else if (ended.hasWorked()) {
                    round.hurry();
                    become(ReceiverState.RESTARTING, cause);
                } else {
                    waitFor(round.pause());
                }
            } else if (state == ReceiverState.STARTING && ended.isToBackOffFrom()) {
                round.giveUp();
            }
            if (lastError.isEmpty()) {
                lastError = cause;
            }
        }
        if (met != null) {
            met.met(next.endpoint());
        }
    }

    // What conversations say, on the session's thread.

    /** The primary has agreed to stream. */
    void streaming(String what) {
        synchronized (this) {
            if (state == ReceiverState.STARTING) {
                become(ReceiverState.STREAMING, what);
                sessions.incrementAndGet();
                lastError = "";
            }
        }
    }

    /** Ends the session because of what came over it, and its successor; the next is opened at once. */
    void end(String cause) {
        lastError = cause;
        endLinks(cause, false);
    }

    /** Ends the session, and its successor; the next is tried after the retry interval. */
    void backOff(String cause) {
        lastError = cause;
        endLinks(cause, true);
    }

    /** Tells the primary that nothing can come of the session that is heard, and ends it. */
    void refuse(RefusalCode code, String text) {
        log.error("WAL receiver: {}", text);
        Link heard = speaking;
        if (heard == null || heard != successor) {
            lastError = text;
        }
        if (heard != null) {
            heard.refuse(new Refusal(code, text));
        }
    }

    /** Says whether the present session is the last one, until {@link #close} and {@link #start}; on its thread. */
    void openNoOther(boolean isLast) {
        last = isLast;
    }

    private void endLinks(String cause, boolean backOff) {
        for (Link open : new Link[] {successor, link}) {
            if (open != null) {
                if (backOff) {
                    open.backOff();
                }
                open.end(cause);
            }
        }
    }

    /** Returns whether the session that is heard is about to end, so that what came over it need not be stored. */
    boolean isEnding() {
        Link heard = speaking;
        return heard == null || heard.isEnding();
    }

    /** Returns the endpoint of the session that is heard. */
    String speaker() {
        Link heard = speaking;
        return heard == null ? lastEndpoint : heard.endpoint().toString();
    }

    /** The successor that is heard has all that the present session has, and takes its place. */
    void moved(String where) {
        Link next = successor;
        Link before = link;
        Move met;
        synchronized (this) {
            link = next;
            successor = null;
            met = move;
            move = null;
            lastEndpoint = next.endpoint().toString();
            lastError = "";
            sessions.incrementAndGet();
        }
        next.worked();
        log.info("WAL receiver: moved from {} to {} {}", before.endpoint(), next.endpoint(), where);
        before.end("moved to " + next.endpoint());
        if (met != null) {
            met.met(next.endpoint());
        }
    }

    // The worker.

    @Override
    public long run() {
        synchronized (this) {
            switch (state) {
                case STOPPED -> {
                    return UNTIL_WOKEN;
                }
                case WAITING -> {
                    long left = round.leftNanos();
                    if (left > 0) {
                        return left;
                    }
                    round.begin();
                    become(ReceiverState.STARTING, "the next try is due");
                }
                case RESTARTING -> {
                    round.begin();
                    become(ReceiverState.STARTING, "it opens the next session");
                }
                case STARTING, STREAMING -> {}
            }
        }
        Link open = link;
        if (open == null && last) {
            return UNTIL_WOKEN;
        }
        if (open == null) {
            long elsewhere = isRoundBegun() ? 0 : conversation.beforeRound();
            if (elsewhere == 0) {
                connect();
            }
            return elsewhere;
        }
        return open.isEnding() ? UNTIL_WOKEN : Math.min(conversation.tick(), Math.min(watch(open), goOnMoving()));
    }

    private synchronized boolean isRoundBegun() {
        return round.isBegun();
    }

    private void connect() {
        Optional<Endpoint> endpoint;
        synchronized (this) {
            endpoint = round.next();
            if (endpoint.isEmpty()) {
                waitFor(round.pause());
                return;
            }
        }
        lastEndpoint = endpoint.get().toString();
        open(endpoint.get(), opening -> link = opening, conversation::begin).ifPresent(this::failed);
    }

    /**
     * Opens a session.
     *
     * @param place keeps it; and forgets it, with null
     * @param begin says the first word on it
     * @return why there is none
     */
    private Optional<String> open(Endpoint endpoint, Consumer<Link> place, Consumer<Session> begin) {
        Optional<Transport> transport = transports.get(endpoint.scheme());
        if (transport.isEmpty()) {
            return Optional.of("cannot reach " + endpoint + ": no transport for \"" + endpoint.scheme()
                    + "\" is here. Install and start its bundle");
        }
        Link opening = new Link(transport.get(), endpoint, config, this, clock);
        place.accept(opening);
        Session session;
        try {
            session = opening.open();
        } catch (TransportException e) {
            place.accept(null);
            return Optional.of(e.getMessage());
        } catch (RuntimeException e) {
            place.accept(null);
            log.error("the transport for {} has a defect", endpoint, e);
            return Optional.of("cannot reach " + endpoint + ": its transport failed with " + e);
        }
        if (state == ReceiverState.STOPPED || opening.isEnding()) {
            opening.end("the standby is being stopped");
        } else {
            synchronized (turn) {
                begin.accept(session);
            }
        }
        return Optional.empty();
    }

    /** Opens the successor that is wished for, and watches over it; returns when to look again. */
    private long goOnMoving() {
        Link next = successor;
        if (next != null) {
            long left = SUCCESSION_NANOS - next.ageNanos();
            if (left <= 0) {
                String why = "the session with " + next.endpoint() + " has not caught up within "
                        + TimeUnit.NANOSECONDS.toSeconds(SUCCESSION_NANOS) + " s";
                next.failed(why);
                next.end(why);
                return UNTIL_WOKEN;
            }
            return left;
        }
        Move wanted = move;
        if (wanted == null || last || state != ReceiverState.STREAMING || !conversation.canMove()) {
            return UNTIL_WOKEN;
        }
        if (wanted.isSettled()) {
            synchronized (this) {
                move = move == wanted ? null : move;
            }
            return UNTIL_WOKEN;
        }
        long left = wanted.leftNanos(clock.nanos());
        if (left > 0) {
            return left;
        }
        Optional<Endpoint> target = wanted.nextTarget();
        if (target.isEmpty()) {
            return cannotMove(wanted);
        }
        log.info("WAL receiver: moving to {}", target.get());
        open(target.get(), opening -> successor = opening, conversation::beginSuccessor)
                .ifPresent(wanted::failed);
        return AGAIN;
    }

    private long cannotMove(Move wanted) {
        log.warn("WAL receiver: it stays with {}: {}", lastEndpoint, wanted.problem());
        if (wanted.isLasting()) {
            long pause = round.retryIntervalNanos();
            wanted.tryAgainAt(clock.nanos() + pause);
            return pause;
        }
        synchronized (this) {
            if (move == wanted) {
                move = null;
            }
        }
        wanted.giveUp(wanted.problem());
        return UNTIL_WOKEN;
    }

    private void failed(String why) {
        if (why.equals(lastError)) {
            log.debug("WAL receiver: {}", why);
        } else {
            log.warn("WAL receiver: {}", why);
            lastError = why;
        }
    }

    private void waitFor(long pauseNanos) {
        become(
                ReceiverState.WAITING,
                (round.endpoints().isEmpty() ? "there is no primary" : "no primary can be used") + "; next try in "
                        + TimeUnit.NANOSECONDS.toMillis(pauseNanos) + " ms");
    }

    /** Watches over the primary's silence; returns when to look again. */
    private long watch(Link open) {
        long timeout = TimeUnit.MILLISECONDS.toNanos(config.get().receiverTimeoutMs());
        if (timeout == 0) {
            return UNTIL_WOKEN;
        }
        long silent = open.silentNanos();
        if (silent >= timeout) {
            String cause = "nothing heard from the primary at " + lastEndpoint + " for "
                    + TimeUnit.NANOSECONDS.toMillis(silent) + " ms (wal_receiver_timeout)";
            lastError = cause;
            open.end(cause);
            return UNTIL_WOKEN;
        }
        if (silent >= timeout / 2) {
            if (open.wantsProbe()) {
                conversation.probe();
            }
            return timeout - silent;
        }
        return timeout / 2 - silent;
    }

    /** Has the conversation asked soon what can be had without a primary, if it waits to be. */
    void wake() {
        Worker own = worker;
        if (own != null) {
            own.wake();
        }
    }

    // Transports come and go.

    @Override
    public void arrived(Transport transport) {
        synchronized (this) {
            round.hurry();
        }
        wake();
    }

    @Override
    public void left(Transport transport) {
        for (Link open : new Link[] {successor, link}) {
            if (open != null && open.isThrough(transport)) {
                open.end("transport withdrawn");
            }
        }
    }

    /** Takes leave of the primary, and ends. When this returns, no conversation is at work on the disk any more. */
    @Override
    public void close() {
        transports.removeListener(this);
        Link open;
        Link next;
        Move wanted;
        synchronized (this) {
            open = link;
            next = successor;
            wanted = move;
            if (open != null) {
                open.beginEnd();
            }
            become(ReceiverState.STOPPED, "the standby is being stopped");
        }
        if (wanted != null) {
            wanted.giveUp("the standby is being stopped");
        }
        if (next != null) {
            next.end("the standby is being stopped");
        }
        if (open != null && open.session().isPresent()) {
            conversation.leave();
            open.end("the standby is being stopped");
        }
        if (worker != null) {
            worker.close();
        }
        long deadline = clock.nanos() + CLOSE_WAIT_NANOS;
        while (link != null || successor != null) {
            if (clock.nanos() - deadline >= 0) {
                log.error("the transport of {} has not ended its session", lastEndpoint);
                return;
            }
            workers.pause(CLOSE_LOOK_NANOS);
        }
    }

    // Status.

    ReceiverState state() {
        return state;
    }

    String endpoint() {
        return lastEndpoint;
    }

    String peer() {
        Link open = link;
        return open == null
                ? ""
                : open.session().map(session -> session.peer().address()).orElse("");
    }

    long heardMicros() {
        Link open = link;
        return open == null ? 0 : open.heardMicros();
    }

    long sessions() {
        return sessions.get();
    }

    String lastError() {
        return lastError;
    }
}
