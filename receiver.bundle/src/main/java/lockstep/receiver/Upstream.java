package lockstep.receiver;

import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import lockstep.io.Clock;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.io.Workers;
import lockstep.receiver.api.ReceiverState;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one session with a primary open: tries the endpoints of {@code primary_conninfo} in order, watches over silence,
 * and opens the next session when one ends, through whatever transport then serves the endpoint's scheme.
 *
 * <p><b>Idea.</b> There is never more than one session, and nothing is opened before the last one has said {@link
 * SessionHandler#closed}. So the {@link Conversation} above needs no notion of old and new sessions: what it hears is
 * always from the present one, and when it begins anew nobody is still at work on the last.
 *
 * <pre>
 *   state        event                                               next
 *   STOPPED      start                                               STARTING
 *   STARTING     the primary agrees to stream                        STREAMING
 *   STARTING     an endpoint fails or refuses, and there is another  STARTING
 *   STARTING     the last endpoint fails or refuses                  WAITING
 *   STREAMING    the session ends after something came over it       RESTARTING
 *   STREAMING    it ends without, or is to be backed off from        WAITING
 *   WAITING      the next try is due, or a transport arrives         STARTING
 *   RESTARTING   (at once)                                           STARTING
 *   any          close                                               STOPPED
 * </pre>
 *
 * <p><b>When the next try is due.</b> A primary or transport that was there a moment ago is most likely back in a moment:
 * after a session that worked the first tries follow each other within milliseconds, each pause twice the one before, up to
 * {@code wal_retrieve_retry_interval}. What a session was ended for on purpose waits the whole interval.
 *
 * <p><b>Threads.</b> Sessions are opened and timers watched on the worker {@code wal-receiver}; messages come on threads of
 * the transport. <b>Lock.</b> {@code this} guards the fields marked so, and is held while nothing else is called.
 */
final class Upstream implements Step, Transports.Listener, AutoCloseable {
    /** A transport delivers what was sent before within a second, and then ends the session. */
    private static final long CLOSE_WAIT_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final long CLOSE_LOOK_NANOS = TimeUnit.MICROSECONDS.toNanos(100);

    private static final long FIRST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private static final Logger log = LoggerFactory.getLogger(Upstream.class);

    private final StandbyConfig config;
    private final Transports transports;
    private final Workers workers;
    private final Clock clock;
    private volatile Conversation conversation;
    private volatile boolean last;
    private volatile Worker worker;

    // Guarded by this; volatile where status looks.
    private volatile ReceiverState state = ReceiverState.STOPPED;
    private volatile Link link;
    private volatile String lastError = "";
    private volatile String lastEndpoint = "";
    private int nextEndpoint;
    private long retryAtNanos;
    private long pauseNanos = FIRST_PAUSE_NANOS;
    private final AtomicLong sessions = new AtomicLong();

    Upstream(StandbyConfig config, Transports transports, Workers workers, Clock clock) {
        this.config = config;
        this.transports = transports;
        this.workers = workers;
        this.clock = clock;
    }

    /** Begins, or begins again after {@link #close}. */
    void start(Conversation first) {
        conversation = first;
        synchronized (this) {
            nextEndpoint = 0;
            pauseNanos = FIRST_PAUSE_NANOS;
            lastError = "";
            last = false;
            become(ReceiverState.STARTING, "the standby starts");
        }
        transports.addListener(this);
        worker = workers.start("wal-receiver", this);
    }

    /** Goes on with another conversation, on the present session if there is one. The one before has nothing to say. */
    void converse(Conversation next) {
        conversation = next;
        Link open = link;
        if (open != null && open.session != null && !open.ending) {
            next.begin(open.session);
        }
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
        return pauseNanos > 2 * FIRST_PAUSE_NANOS
                && (state == ReceiverState.STARTING || state == ReceiverState.WAITING);
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

    /** Ends the session because of what came over it; the next is opened at once. */
    void end(String cause) {
        lastError = cause;
        endLink(cause, false);
    }

    /** Ends the session; the next is tried after the retry interval. */
    void backOff(String cause) {
        lastError = cause;
        endLink(cause, true);
    }

    /** Tells the primary that nothing can come of this session, and ends it. */
    void refuse(RefusalCode code, String text) {
        log.error("WAL receiver: {}", text);
        lastError = text;
        Link open = link;
        if (open != null && open.session != null) {
            open.session.send(new Refusal(code, text));
        }
        backOff(text);
    }

    /** The present session is the last one, until {@link #close} and {@link #start}; on its thread. */
    void openNoOther() {
        last = true;
    }

    private void endLink(String cause, boolean backOff) {
        Link open = link;
        if (open != null) {
            if (backOff) {
                open.backOff = true;
            }
            open.end(cause);
        }
    }

    /** Returns whether the present session is about to end, so that what came over it need not be stored. */
    boolean isEnding() {
        Link open = link;
        return open == null || open.ending;
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
                    long left = retryAtNanos - clock.nanos();
                    if (left > 0) {
                        return left;
                    }
                    nextEndpoint = 0;
                    become(ReceiverState.STARTING, "the next try is due");
                }
                case RESTARTING -> {
                    nextEndpoint = 0;
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
        return open.ending ? UNTIL_WOKEN : Math.min(conversation.tick(), watch(open));
    }

    private synchronized boolean isRoundBegun() {
        return nextEndpoint > 0;
    }

    private void connect() {
        Endpoint endpoint;
        synchronized (this) {
            if (nextEndpoint >= config.primaries().size()) {
                roundFailed(pauseNanos);
                return;
            }
            endpoint = config.primaries().get(nextEndpoint++);
        }
        lastEndpoint = endpoint.toString();
        Optional<Transport> transport = transports.get(endpoint.scheme());
        if (transport.isEmpty()) {
            failed("cannot reach " + endpoint + ": no transport for \"" + endpoint.scheme()
                    + "\" is here. Install and start its bundle");
            return;
        }
        Link opening = new Link(transport.get());
        link = opening;
        try {
            opening.session = transport.get().connect(endpoint, opening);
        } catch (TransportException e) {
            link = null;
            failed(e.getMessage());
            return;
        } catch (RuntimeException e) {
            link = null;
            log.error("the transport for {} has a defect", endpoint, e);
            failed("cannot reach " + endpoint + ": its transport failed with " + e);
            return;
        }
        if (state == ReceiverState.STOPPED || opening.ending) {
            opening.end("the standby is being stopped");
        } else {
            conversation.begin(opening.session);
        }
    }

    private void failed(String why) {
        if (why.equals(lastError)) {
            log.debug("WAL receiver: {}", why);
        } else {
            log.warn("WAL receiver: {}", why);
            lastError = why;
        }
    }

    private void roundFailed(long nanos) {
        long pause = Math.min(nanos, retryIntervalNanos());
        pauseNanos = Math.min(2 * pause, retryIntervalNanos());
        retryAtNanos = clock.nanos() + pause;
        become(
                ReceiverState.WAITING,
                (config.primaries().isEmpty() ? "there is no primary" : "no primary can be used") + "; next try in "
                        + TimeUnit.NANOSECONDS.toMillis(pause) + " ms");
    }

    private long retryIntervalNanos() {
        return TimeUnit.MILLISECONDS.toNanos(config.retrieveRetryIntervalMs());
    }

    /** Watches over the primary's silence; returns when to look again. */
    private long watch(Link open) {
        long timeout = TimeUnit.MILLISECONDS.toNanos(config.receiverTimeoutMs());
        if (timeout == 0 || open.busy) {
            return timeout == 0 ? UNTIL_WOKEN : timeout / 2;
        }
        long silent = clock.nanos() - open.heardNanos;
        if (silent >= timeout) {
            end("nothing heard from the primary at " + lastEndpoint + " for " + TimeUnit.NANOSECONDS.toMillis(silent)
                    + " ms (wal_receiver_timeout)");
            return UNTIL_WOKEN;
        }
        if (silent >= timeout / 2) {
            if (!open.probed) {
                open.probed = true;
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
            pauseNanos = FIRST_PAUSE_NANOS;
            if (state == ReceiverState.WAITING) {
                retryAtNanos = clock.nanos();
            }
        }
        wake();
    }

    @Override
    public void left(Transport transport) {
        Link open = link;
        if (open != null && open.transport == transport) {
            open.end("transport withdrawn");
        }
    }

    private void closed(Link ended, String cause) {
        if (link != ended) {
            return;
        }
        log.info("WAL receiver: the session with {} has ended: {}", lastEndpoint, cause);
        conversation.ended();
        synchronized (this) {
            link = null;
            if (state == ReceiverState.STREAMING) {
                if (ended.worked && !ended.backOff) {
                    pauseNanos = FIRST_PAUSE_NANOS;
                    become(ReceiverState.RESTARTING, cause);
                } else {
                    roundFailed(ended.backOff ? retryIntervalNanos() : pauseNanos);
                }
            } else if (state == ReceiverState.STARTING && ended.backOff) {
                nextEndpoint = config.primaries().size();
                pauseNanos = retryIntervalNanos();
            }
            if (lastError.isEmpty()) {
                lastError = cause;
            }
        }
        wake();
    }

    /** Takes leave of the primary, and ends. When this returns, no conversation is at work on the disk any more. */
    @Override
    public void close() {
        transports.removeListener(this);
        Link open;
        synchronized (this) {
            open = link;
            if (open != null) {
                open.ending = true;
            }
            become(ReceiverState.STOPPED, "the standby is being stopped");
        }
        if (open != null && open.session != null) {
            conversation.leave();
            open.session.close("the standby is being stopped");
        }
        if (worker != null) {
            worker.close();
        }
        long deadline = clock.nanos() + CLOSE_WAIT_NANOS;
        while (link != null) {
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
        Session session = open == null ? null : open.session;
        return session == null ? "" : session.peer().address();
    }

    long heardMicros() {
        Link open = link;
        return open == null ? 0 : open.heardMicros;
    }

    long sessions() {
        return sessions.get();
    }

    String lastError() {
        return lastError;
    }

    /** One session, from its opening to its end. */
    private final class Link implements SessionHandler {
        private final Transport transport;
        private volatile Session session;
        private volatile long heardNanos = clock.nanos();
        private volatile long heardMicros;

        /** A message is being worked on; while the disk is full that may take long, and is no silence of the primary. */
        private volatile boolean busy;

        private volatile boolean probed;
        private volatile boolean ending;
        private volatile boolean backOff;
        private volatile boolean worked;

        Link(Transport transport) {
            this.transport = transport;
        }

        @Override
        public String localName() {
            return config.name();
        }

        void end(String cause) {
            ending = true;
            Session open = session;
            if (open != null) {
                open.close(cause);
            }
        }

        @Override
        public void received(Session from, Message message) {
            if (ending) {
                return;
            }
            session = from;
            busy = true;
            probed = false;
            heardMicros = clock.micros();
            try {
                if (message instanceof Refusal refusal) {
                    failed("the primary at " + lastEndpoint + " refuses: " + refusal.text());
                    end("refused: " + refusal.text());
                } else {
                    if (state == ReceiverState.STREAMING) {
                        worked = true;
                    }
                    conversation.received(from, message);
                }
            } catch (IOException e) {
                log.error("WAL receiver: {}", e.getMessage(), e);
                Upstream.this.backOff(e.getMessage());
            } finally {
                heardNanos = clock.nanos();
                busy = false;
            }
        }

        @Override
        public void endOfBatch() {
            conversation.endOfBatch();
        }

        @Override
        public void closed(String cause) {
            Upstream.this.closed(this, cause);
        }
    }
}
