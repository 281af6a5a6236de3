package lockstep.transport.unix;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/** Carries messages over the stream sockets that {@link UnixAddress} names. */
@Component(service = Transport.class)
public final class UnixTransport implements Transport {
    private final Threads threads = new Threads();

    @Override
    public String scheme() {
        return UnixAddress.SCHEME;
    }

    @Override
    public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
        UnixAddress address = UnixAddress.of(endpoint);
        threads.check("listen on", endpoint);
        ChannelListener listener = new ChannelListener(address, acceptor, threads);
        try {
            threads.start(scheme() + "-listener-" + address, listener::run, listener::close);
        } catch (TransportException e) {
            listener.close();
            throw new TransportException("cannot listen on " + endpoint + ": " + e.getMessage(), e);
        }
        return listener;
    }

    @Override
    public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
        UnixAddress address = UnixAddress.of(endpoint);
        threads.check("connect to", endpoint);
        Departure departure = new Departure(handler);
        ChannelSession session = ChannelSession.connecting(address, departure);
        try {
            threads.start(scheme() + "-session-" + address, session::run, () -> session.close(Threads.WITHDRAWN));
            return departure.opened.get();
        } catch (ExecutionException e) {
            throw cannotConnect(endpoint, e.getCause().getMessage(), e.getCause());
        } catch (TransportException e) {
            session.abandon();
            throw cannotConnect(endpoint, e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            if (departure.opened.completeExceptionally(e)) {
                session.close("interrupted");
                throw cannotConnect(endpoint, "interrupted", e);
            }
            return session;
        }
    }

    private static TransportException cannotConnect(Endpoint endpoint, String why, Throwable cause) {
        return new TransportException("cannot connect to " + endpoint + ": " + why, cause);
    }

    /** Closes all that is open, and returns when the threads have ended. */
    @Deactivate
    public void close() {
        threads.withdraw();
    }

    /** Waits for a session to open; the session's own thread sees to it that this does not take long. */
    private static final class Departure implements ChannelSession.Opening {
        private final SessionHandler handler;
        private final CompletableFuture<ChannelSession> opened = new CompletableFuture<>();

        Departure(SessionHandler handler) {
            this.handler = handler;
        }

        @Override
        public SessionHandler opened(ChannelSession session) {
            return opened.complete(session) ? handler : null;
        }

        @Override
        public void failed(String why) {
            opened.completeExceptionally(new TransportException(why));
        }
    }
}
