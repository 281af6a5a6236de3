package lockstep.primary;

import java.util.Optional;
import java.util.concurrent.TimeUnit;
import lockstep.io.Clock;
import lockstep.io.Workers;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.StartReplication;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.TransportException;

/** Asks the server at an endpoint for WAL, as a standby does, to hear its first word, and leaves. */
final class Probe implements SessionHandler {
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private volatile Message answer;
    private volatile String closed;

    private final String name;

    private Probe(String name) {
        this.name = name;
    }

    /**
     * Asks.
     *
     * @return its first word; empty if it has said nothing in the time given
     * @throws TransportException if it cannot be reached, or ends the session without a word
     */
    static Optional<Message> ask(
            Connector connector,
            Endpoint endpoint,
            StartReplication question,
            long timeoutNanos,
            Workers workers,
            Clock clock)
            throws TransportException {
        Probe probe = new Probe(question.standbyName());
        long deadline = clock.nanos() + timeoutNanos;
        Session session = connector.connect(endpoint, probe);
        try {
            session.send(question);
            while (probe.answer == null && probe.closed == null && clock.nanos() - deadline < 0) {
                workers.pause(LOOK_NANOS);
            }
        } finally {
            session.close("it was only asked who is there");
        }
        if (probe.answer == null && probe.closed != null) {
            throw new TransportException("the server at " + endpoint + " has said nothing: " + probe.closed);
        }
        return Optional.ofNullable(probe.answer);
    }

    /** It is let in as the standby that this server would be, and asks as that. */
    @Override
    public String localName() {
        return name;
    }

    @Override
    public void received(Session session, Message message) {
        // A message with a buffer is of no use later; the first word has none.
        if (answer == null) {
            answer = message;
        }
    }

    @Override
    public void closed(String cause) {
        closed = cause;
    }
}
