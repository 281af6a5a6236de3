package lockstep.transports;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.osgi.framework.Bundle;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A transport behind a guard.
 *
 * <p><b>Idea.</b> A plugin is other people's code, and the threads that would wait for it are those that all commits wait for. So
 * what may take its time is called on a thread that may be lost, and given up when it does not come back; what it throws ends
 * the session it concerns; and what comes in is counted. Whatever is wrong with a transport is thus the end of its own
 * sessions, which its peers open again, perhaps through another.
 *
 * <p><b>The call that may cost nothing</b> is {@link Session#send}: the WAL writer makes it for each group of commits. A
 * transport of the distribution is called directly; one that does not come back is interrupted, and if it does not listen to that
 * either, the server stops rather than hang ({@link Guard}). Others are given what is sent on a thread of their own ({@link Pump}):
 * nothing that they do can hold the WAL writer, and a lone commit takes some 30 µs longer, of 250.
 */
final class GuardedTransport implements Carrier {
    private static final String TOO_LATE = "it came too late";

    /** More sessions than any server has standbys. */
    private static final int MAX_ACCEPTED = 128;

    private static final Logger log = LoggerFactory.getLogger(GuardedTransport.class);

    private final Transport transport;
    private final Bundle bundle;
    private final Guard guard;
    private final boolean isPumped;
    private final String scheme;
    private final Set<GuardedSession> sessions = ConcurrentHashMap.newKeySet();
    private final LongAdder sentBytes = new LongAdder();
    private final LongAdder receivedBytes = new LongAdder();
    private volatile String lastError = "";

    /**
     * Guards a transport.
     *
     * @param isPumped whether what is sent is handed to another thread
     */
    GuardedTransport(Transport transport, Bundle bundle, Guard guard, boolean isPumped) {
        this.transport = transport;
        this.bundle = bundle;
        this.guard = guard;
        this.isPumped = isPumped;
        try {
            scheme = guard.call("a transport that says its scheme", guard.callMs(), transport::scheme, late -> {});
        } catch (TransportException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public String scheme() {
        return scheme;
    }

    @Override
    public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
        return call(
                "listen on " + endpoint,
                guard.callMs(),
                () -> {
                    Listener opened = transport.listen(endpoint, session -> accept(endpoint, session, acceptor));
                    return new GuardedListener(opened, opened.endpoint());
                },
                GuardedListener::close);
    }

    private SessionHandler accept(Endpoint endpoint, Session opened, Acceptor acceptor) {
        GuardedSession session = new GuardedSession(this, guard, endpoint, true, opened, isPumped);
        long accepted = sessions.stream().filter(GuardedSession::isIncoming).count();
        if (accepted >= MAX_ACCEPTED) {
            lastError = "it has brought " + accepted + " sessions, and no more are taken";
            opened.send(new Refusal(RefusalCode.TOO_MANY_STANDBYS, lastError));
            opened.close(lastError);
            return session.withoutHandler();
        }
        sessions.add(session);
        try {
            session.handle(acceptor.accept(session));
        } catch (RuntimeException | Error e) {
            sessions.remove(session.withoutHandler());
            throw e;
        }
        return session;
    }

    @Override
    public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
        GuardedSession session = new GuardedSession(this, guard, endpoint, false, null, isPumped);
        session.handle(handler);
        try {
            call(
                    "connect to " + endpoint,
                    guard.connectMs(),
                    () -> {
                        Session opened = transport.connect(endpoint, session);
                        session.opened(opened);
                        return opened;
                    },
                    late -> late.close(TOO_LATE));
            sessions.add(session);
        } catch (TransportException | IllegalStateException e) {
            session.withoutHandler();
            throw e;
        }
        if (session.hasEnded()) {
            sessions.remove(session);
        }
        return session;
    }

    private <T> T call(String what, long ms, Callable<T> work, Consumer<T> tooLate) throws TransportException {
        try {
            return guard.call("transport " + scheme + ": " + what, ms, work, tooLate);
        } catch (TransportException e) {
            lastError = e.getMessage();
            throw e;
        } catch (IllegalStateException e) {
            defect(e.getMessage(), e);
            throw e;
        }
    }

    /** Notes what it should not have done. */
    void defect(String what, Throwable cause) {
        lastError = what;
        log.error("transport {} of {} has a defect: {}", scheme, bundle, what, cause);
    }

    void sent(long bytes) {
        sentBytes.add(bytes);
    }

    void received(long bytes) {
        receivedBytes.add(bytes);
    }

    void ended(GuardedSession session, String cause) {
        if (sessions.remove(session) && !session.wasClosedHere()) {
            lastError = cause;
        }
    }

    /** It is leaving: what it does not end itself is ended here. */
    void withdraw() {
        for (GuardedSession session : sessions) {
            session.close("transport withdrawn");
        }
    }

    @Override
    public CarrierView view() {
        return new CarrierView(
                scheme,
                bundle.getSymbolicName(),
                bundle.getBundleId(),
                bundle.getVersion().toString(),
                state(bundle),
                sessions.size(),
                sentBytes.sum(),
                receivedBytes.sum(),
                lastError);
    }

    private static String state(Bundle bundle) {
        return switch (bundle.getState()) {
            case Bundle.ACTIVE -> "active";
            case Bundle.STARTING -> "starting";
            case Bundle.STOPPING -> "stopping";
            default -> "gone";
        };
    }

    @Override
    public List<LinkView> links() {
        List<LinkView> links = new ArrayList<>();
        sessions.forEach(session -> links.add(session.view(scheme)));
        return links;
    }

    private final class GuardedListener implements Listener {
        private final Listener listener;
        private final Endpoint endpoint;

        GuardedListener(Listener listener, Endpoint endpoint) {
            this.listener = listener;
            this.endpoint = endpoint;
        }

        @Override
        public Endpoint endpoint() {
            return endpoint;
        }

        @Override
        public void close() {
            try {
                call(
                        "close the listener on " + endpoint,
                        guard.callMs(),
                        () -> {
                            listener.close();
                            return endpoint;
                        },
                        late -> {});
            } catch (TransportException | IllegalStateException e) {
                log.debug("the listener on {} could not be closed", endpoint, e);
            }
        }
    }
}
