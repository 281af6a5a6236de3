package lockstep.transport.postgres;

import lockstep.config.StandbyConfiguration;
import lockstep.security.Security;
import lockstep.send.ServedLog;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.SocketIo;
import lockstep.transport.postgres.client.PostgresClient;
import lockstep.transport.postgres.server.PostgresListener;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/** Speaks PostgreSQL's streaming replication protocol: {@code postgresql://HOST:PORT}. */
@Component(service = Transport.class, configurationPid = StandbyConfiguration.PID)
public final class PostgresTransport implements Transport {
    /** The scheme of its endpoints. */
    public static final String SCHEME = "postgresql";

    private final EventLoops loops = new EventLoops(SocketIo.best());
    private final PostgresClient client;
    private final Security security;
    private volatile ServedLog servedLog;
    private volatile PostgresClient.Self self;

    /** Starts nothing yet: threads come with listeners and sessions. */
    @Activate
    public PostgresTransport(@Reference Security security, StandbyConfiguration standby) {
        this.security = security;
        client = new PostgresClient(loops, security, System.getenv());
        configure(standby);
    }

    /** Takes another name for the sessions that are opened from then on: a PostgreSQL server is told it first of all. */
    @Modified
    public void configure(StandbyConfiguration standby) {
        self = new PostgresClient.Self(standby.applicationName(), standby.primarySlotCreate());
    }

    /** The log that this server serves. */
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    void setServedLog(ServedLog served) {
        servedLog = served;
    }

    void unsetServedLog(ServedLog leaving) {
        if (servedLog == leaving) {
            servedLog = null;
        }
    }

    @Override
    public String scheme() {
        return SCHEME;
    }

    @Override
    public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
        return PostgresListener.open(loops, endpoint, acceptor, () -> servedLog, security);
    }

    @Override
    public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
        return client.connect(endpoint, self, handler);
    }

    /** Closes all that is open, and returns when the threads have ended. */
    @Deactivate
    public void close() {
        loops.withdraw();
    }
}
