package lockstep.transport.tck;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Pipe;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;

/** A transport within one process, which can be given a {@link Defect}. */
final class SampleTransport implements Transport {
    static final String SCHEME = "sample";
    static final String WITHDRAWN = "transport withdrawn";

    private final SampleNet net;
    private final Defect defect;
    private final List<SampleSession> sessions = new ArrayList<>();
    private final List<Door> doors = new ArrayList<>();
    private boolean withdrawn;

    SampleTransport(SampleNet net, Defect defect) {
        this.net = net;
        this.defect = defect;
    }

    @Override
    public String scheme() {
        return SCHEME;
    }

    @Override
    public synchronized Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
        check(endpoint);
        Door door = new Door(endpoint, acceptor);
        if (defect == Defect.LETS_TWO_LISTEN) {
            net.doors.put(endpoint, door);
        } else if (net.doors.putIfAbsent(endpoint, door) != null) {
            throw new TransportException("cannot listen on " + endpoint + ": somebody does already");
        }
        doors.add(door);
        return door;
    }

    private void check(Endpoint endpoint) throws TransportException {
        if (!endpoint.scheme().equals(SCHEME) && defect != Defect.TAKES_ANY_SCHEME) {
            throw new TransportException("endpoint \"" + endpoint + "\" is no sample://PLACE");
        }
        if (withdrawn && defect != Defect.OPENS_WHEN_WITHDRAWN) {
            throw new TransportException("cannot use " + endpoint + ": " + WITHDRAWN);
        }
    }

    @Override
    public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
        SampleWire wire = net.wires.get(endpoint);
        SampleSession client = new SampleSession(net, defect, wire);
        SampleSession server = new SampleSession(net, defect, null);
        synchronized (this) {
            check(endpoint);
            sessions.add(client);
        }
        Door door = net.doors.get(wire == null ? endpoint : wire.listening());
        if (door == null || !door.enter(server)) {
            synchronized (this) {
                sessions.remove(client);
            }
            String where = defect == Defect.NAMES_NO_ENDPOINT_IN_ERRORS ? "there" : endpoint.toString();
            throw new TransportException("cannot connect to " + where + ": nobody listens");
        }
        client.join(server);
        server.join(client);
        if (wire != null) {
            wire.carries(client);
            wire.carries(server);
        }
        leak();
        client.start(() -> handler);
        server.start(() -> door.acceptor.accept(server));
        return client;
    }

    private void leak() {
        try {
            switch (defect) {
                case LEAKS_DESCRIPTORS -> net.leaked.add(Pipe.open());
                case LEAKS_DIRECT_MEMORY -> net.leaked.add(ByteBuffer.allocateDirect(4 << 20));
                case LEAKS_THREADS -> {
                    CountDownLatch never = new CountDownLatch(1);
                    Thread thread = new Thread(() -> {
                        try {
                            never.await();
                        } catch (InterruptedException e) {
                            Thread.currentThread().interrupt();
                        }
                    });
                    thread.setDaemon(true);
                    thread.start();
                }
                default -> {}
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Ends all that is open. */
    void close() {
        List<SampleSession> left;
        synchronized (this) {
            withdrawn = true;
            left = List.copyOf(sessions);
            doors.forEach(Door::close);
        }
        left.forEach(session -> session.close(WITHDRAWN));
        left.forEach(SampleSession::awaitEnd);
    }

    /** Where a transport listens. */
    final class Door implements Listener {
        private final Endpoint endpoint;
        private final Acceptor acceptor;
        private final List<SampleSession> entered = new ArrayList<>();

        Door(Endpoint endpoint, Acceptor acceptor) {
            this.endpoint = endpoint;
            this.acceptor = acceptor;
        }

        @Override
        public Endpoint endpoint() {
            return endpoint;
        }

        boolean enter(SampleSession session) {
            synchronized (SampleTransport.this) {
                sessions.add(session);
                entered.add(session);
                return !withdrawn;
            }
        }

        @Override
        public void close() {
            synchronized (SampleTransport.this) {
                if (defect != Defect.LETS_IN_AFTER_CLOSE || withdrawn) {
                    net.doors.remove(endpoint, this);
                }
                if (defect == Defect.ENDS_SESSIONS_WITH_THE_LISTENER) {
                    entered.forEach(session -> session.close("the listener was closed"));
                }
            }
        }
    }
}
