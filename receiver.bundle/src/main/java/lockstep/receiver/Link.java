package lockstep.receiver;

import java.util.Optional;
import java.util.function.Supplier;
import lockstep.io.Clock;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;

/**
 * One session of {@link Upstream}, from its opening to its end: with whom it is, when something was last heard on it, and what is
 * known by the time it has ended of how to go on.
 *
 * <p><b>Silence</b> is when nothing comes and nothing that came is being worked on: while the disk is full that may take long, and
 * is no silence of the primary.
 *
 * <p><b>Threads.</b> What comes is told on the thread of the session; the rest is for any. No lock: each field stands for itself.
 */
final class Link implements SessionHandler {
    /** Hears what comes over sessions, on their threads. */
    interface Listener {
        void received(Link link, Session session, Message message);

        void endOfBatch();

        void closed(Link link, String cause);
    }

    private final Transport transport;
    private final Endpoint endpoint;
    private final Supplier<StandbyConfig> config;
    private final Listener listener;
    private final Clock clock;
    private final long openedNanos;
    private volatile Session session;
    private volatile String problem = "";
    private volatile long heardNanos;
    private volatile long heardMicros;
    private volatile boolean busy;
    private volatile boolean probed;
    private volatile boolean ending;
    private volatile boolean backOff;
    private volatile boolean worked;

    Link(Transport transport, Endpoint endpoint, Supplier<StandbyConfig> config, Listener listener, Clock clock) {
        this.transport = transport;
        this.endpoint = endpoint;
        this.config = config;
        this.listener = listener;
        this.clock = clock;
        openedNanos = clock.nanos();
        heardNanos = openedNanos;
    }

    /** Opens it; what comes over it may be told before this returns. */
    Session open() throws TransportException {
        session = transport.connect(endpoint, this);
        return session;
    }

    @Override
    public String localName() {
        return config.get().name();
    }

    @Override
    public void received(Session from, Message message) {
        session = from;
        busy = true;
        probed = false;
        heardMicros = clock.micros();
        try {
            listener.received(this, from, message);
        } finally {
            heardNanos = clock.nanos();
            busy = false;
        }
    }

    @Override
    public void endOfBatch() {
        busy = true;
        try {
            listener.endOfBatch();
        } finally {
            heardNanos = clock.nanos();
            busy = false;
        }
    }

    @Override
    public void closed(String cause) {
        listener.closed(this, cause);
    }

    Endpoint endpoint() {
        return endpoint;
    }

    boolean isThrough(Transport other) {
        return transport == other;
    }

    /** Returns the session, once it is open. */
    Optional<Session> session() {
        return Optional.ofNullable(session);
    }

    /** Returns how long it has been open, or opening. */
    long ageNanos() {
        return clock.nanos() - openedNanos;
    }

    /** Returns for how long the primary has been silent. */
    long silentNanos() {
        return busy ? 0 : clock.nanos() - heardNanos;
    }

    long heardMicros() {
        return heardMicros;
    }

    /** Returns whether the primary is to be asked for a sign of life: once in a silence. */
    boolean wantsProbe() {
        boolean first = !probed;
        probed = true;
        return first;
    }

    // Its end.

    /** Nothing that comes over it counts any more. */
    void beginEnd() {
        ending = true;
    }

    void end(String cause) {
        beginEnd();
        Session open = session;
        if (open != null) {
            open.close(cause);
        }
    }

    /** Tells the primary that nothing can come of it, and ends it. */
    void refuse(Refusal refusal) {
        Session open = session;
        if (open != null) {
            open.send(refusal);
            failed(refusal.text());
            backOff();
            end(refusal.text());
        }
    }

    boolean isEnding() {
        return ending;
    }

    void failed(String why) {
        problem = why;
    }

    /** Returns what was wrong with it; empty if nothing is known. */
    String problem() {
        return problem;
    }

    /** The next session is to wait. */
    void backOff() {
        backOff = true;
    }

    boolean isToBackOffFrom() {
        return backOff;
    }

    /** Something has come of it: whoever is there is worth another try at once. */
    void worked() {
        worked = true;
    }

    boolean hasWorked() {
        return worked;
    }
}
