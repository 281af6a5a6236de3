package lockstep.transport.postgres;

import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import lockstep.transport.postgres.netty.EventLoops;
import lockstep.transport.postgres.netty.SocketIo;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/** Speaks PostgreSQL's streaming replication protocol: {@code postgresql://HOST:PORT}. */
@Component(service = Transport.class)
public final class PostgresTransport implements Transport {
    /** The scheme of its endpoints. */
    public static final String SCHEME = "postgresql";

    private final SocketIo io = SocketIo.best();
    private final EventLoops loops = new EventLoops(io);

    /** Starts nothing yet: threads come with listeners and sessions. */
    @Activate
    public PostgresTransport() {}

    @Override
    public String scheme() {
        return SCHEME;
    }

    @Override
    public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
        throw new TransportException("cannot listen on " + endpoint);
    }

    @Override
    public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
        throw new TransportException("cannot connect to " + endpoint);
    }

    /** Closes all that is open, and returns when the threads have ended. */
    @Deactivate
    public void close() {
        loops.withdraw();
    }
}
