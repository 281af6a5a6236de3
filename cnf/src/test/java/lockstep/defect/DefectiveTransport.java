package lockstep.defect;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.MoveRefused;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;

/**
 * Does what {@code tcp} does, for as long as there is no file that says what it shall do wrong: {@code throw} or {@code hang} in
 * send, {@code flood} the server with messages, or hang elsewhere: {@code hang-listen}, {@code hang-connect}, {@code hang-close}.
 */
final class DefectiveTransport implements Transport {
    private static final int FLOOD = 1000;
    private static final long HANG_LOOK_NANOS = 10_000_000;

    private final Transport tcp;
    private final Path mode;

    DefectiveTransport(Transport tcp, Path mode) {
        this.tcp = tcp;
        this.mode = mode;
    }

    private boolean is(String wanted) {
        try {
            return Files.readString(mode).equals(wanted);
        } catch (NoSuchFileException e) {
            return false;
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Whoever interrupts this is not listened to. */
    private void hangFor(String wanted) {
        while (is(wanted)) {
            Thread.interrupted();
            LockSupport.parkNanos(HANG_LOOK_NANOS);
        }
    }

    private static Endpoint inner(Endpoint endpoint) {
        return Endpoint.parse(endpoint.toString().replaceFirst("^defect:", "tcp:"));
    }

    @Override
    public String scheme() {
        return "defect";
    }

    @Override
    public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
        hangFor("hang-listen");
        Listener listener = tcp.listen(inner(endpoint), session -> {
            Faulty faulty = new Faulty(session);
            faulty.handler = acceptor.accept(faulty);
            return faulty;
        });
        return new Listener() {
            @Override
            public Endpoint endpoint() {
                return endpoint;
            }

            @Override
            public void close() {
                listener.close();
            }
        };
    }

    @Override
    public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
        hangFor("hang-connect");
        Faulty faulty = new Faulty(null);
        faulty.handler = handler;
        faulty.session = tcp.connect(inner(endpoint), faulty);
        return faulty;
    }

    private final class Faulty implements Session, SessionHandler {
        private volatile Session session;
        private volatile SessionHandler handler;
        private volatile boolean closed;

        Faulty(Session session) {
            this.session = session;
        }

        @Override
        public void send(Message message) {
            if (is("throw")) {
                throw new IllegalStateException("a defect that a test wants");
            }
            hangFor("hang");
            session.send(message);
        }

        @Override
        public boolean isWritable() {
            return session.isWritable();
        }

        @Override
        public Peer peer() {
            return session.peer();
        }

        @Override
        public void close(String cause) {
            closed = true;
            hangFor("hang-close");
            session.close(cause);
        }

        @Override
        public String localName() {
            return handler.localName();
        }

        @Override
        public void received(Session from, Message message) {
            session = from;
            handler.received(this, message);
            while (!closed && is("flood")) {
                for (int i = 0; i < FLOOD; i++) {
                    handler.received(this, new MoveRefused("flood", "nobody has asked"));
                }
            }
        }

        @Override
        public void endOfBatch() {
            handler.endOfBatch();
        }

        @Override
        public void writable() {
            handler.writable();
        }

        @Override
        public void closed(String cause) {
            closed = true;
            handler.closed(cause);
        }
    }
}
