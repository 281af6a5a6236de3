package lockstep.transport.postgres.client;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import lockstep.security.ClientTls;
import lockstep.security.Security;
import lockstep.security.SslMode;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.Departure;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.TlsContexts;
import lockstep.transport.postgres.client.Conninfo.Host;
import lockstep.transport.postgres.client.Conninfo.Target;

/**
 * Opens sessions to PostgreSQL servers: tries the hosts of the endpoint in order, each with TLS, without it, or with both, as
 * {@code sslmode} says.
 *
 * <pre>
 *   sslmode                                  tried, in order
 *   disable                                  without TLS
 *   allow                                    without TLS; with it, if the server refuses
 *   prefer (the default)                     with TLS if the server has it; without it, if the server refuses
 *   require, verify-ca, verify-full          with TLS
 * </pre>
 */
public final class PostgresClient {
    private static final long OPEN_MS = 10_000;

    /** Those of libpq. */
    private static final String[] TLS_VERSIONS = {"TLSv1.3", "TLSv1.2"};

    /** What a server says whose pg_hba.conf does not let this user in by this kind of connection. */
    private static final String INVALID_AUTHORIZATION = "28000";

    private final EventLoops loops;
    private final Security security;
    private final Map<String, String> environment;

    /**
     * A standby that connects.
     *
     * @param name what the server calls it if the endpoint does not say
     * @param makesSlots whether it has its replication slot made where there is none
     */
    public record Self(String name, boolean makesSlots) {}

    /** @param environment where libpq's variables may be */
    public PostgresClient(EventLoops loops, Security security, Map<String, String> environment) {
        this.loops = loops;
        this.security = security;
        this.environment = Map.copyOf(environment);
    }

    /**
     * Opens a session; see {@link lockstep.transport.api.Transport#connect}.
     *
     * @param self who connects
     */
    public Session connect(Endpoint endpoint, Self self, SessionHandler handler) throws TransportException {
        try {
            Conninfo conninfo = Conninfo.of(endpoint, environment);
            ClientTls tls = security.clientTls(conninfo.tls(), SslMode.PREFER);
            return connect(conninfo, tls, self, handler);
        } catch (IOException | IllegalArgumentException e) {
            throw new TransportException("cannot connect to " + endpoint + ": " + e.getMessage(), e);
        }
    }

    private Session connect(Conninfo conninfo, ClientTls tls, Self self, SessionHandler handler) throws IOException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(OPEN_MS);
        List<String> failures = new ArrayList<>();
        IOException last = null;
        for (Host host : conninfo.hosts()) {
            for (boolean encrypted : attempts(tls.mode())) {
                long leftMs = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
                if (leftMs <= 0) {
                    break;
                }
                try {
                    return open(host, conninfo, encrypted ? tls : null, self, conninfo.timeoutMs(leftMs), handler);
                } catch (IOException e) {
                    last = e;
                    failures.add(e.getMessage());
                    if (!mayTryOtherwise(tls.mode(), e)) {
                        break;
                    }
                }
            }
        }
        throw new IOException(String.join("; ", failures), last);
    }

    private static List<Boolean> attempts(SslMode mode) {
        return switch (mode) {
            case DISABLE -> List.of(false);
            case ALLOW -> List.of(false, true);
            case PREFER -> List.of(true, false);
            case REQUIRE, VERIFY_CA, VERIFY_FULL -> List.of(true);
        };
    }

    private static boolean mayTryOtherwise(SslMode mode, IOException failure) {
        return (mode == SslMode.ALLOW || mode == SslMode.PREFER)
                && failure.getCause() instanceof ServerException answer
                && answer.sqlState().equals(INVALID_AUTHORIZATION);
    }

    private Session open(Host host, Conninfo conninfo, ClientTls tls, Self self, long timeoutMs, SessionHandler handler)
            throws IOException {
        Map<String, String> startup = new LinkedHashMap<>();
        startup.put("user", conninfo.user());
        startup.put("database", conninfo.database());
        startup.put("replication", "true");
        startup.put("application_name", conninfo.applicationName(self.name()));
        conninfo.serverOptions().ifPresent(text -> startup.put("options", text));
        Departure<PostgresSession> departure = new Departure<>();
        PostgresSession session = new PostgresSession(
                new ServerConnection.Opening(
                        host,
                        tls == null ? null : TlsContexts.connecting(tls, TLS_VERSIONS),
                        tls != null && tls.mode() != SslMode.PREFER && tls.mode() != SslMode.ALLOW,
                        startup,
                        () -> password(conninfo, host),
                        conninfo.channelBinding()),
                self.makesSlots(),
                new Opening(departure, conninfo.target(), handler));
        try {
            loops.start(
                    "postgres-session-" + host,
                    () -> session.run((int) timeoutMs),
                    () -> session.close(EventLoops.WITHDRAWN));
        } catch (TransportException e) {
            session.connection().end();
            throw e;
        }
        try {
            return departure.await(session, timeoutMs);
        } catch (IOException e) {
            throw new IOException(host + ": " + e.getMessage(), e.getCause());
        }
    }

    private char[] password(Conninfo conninfo, Host host) throws IOException {
        return conninfo.password().isPresent()
                ? conninfo.password().get().toCharArray()
                : security.password(conninfo.passwords(), host.name(), host.port(), conninfo.user());
    }

    private record Opening(Departure<PostgresSession> departure, Target target, SessionHandler handler)
            implements PostgresSession.Waiting {
        @Override
        public SessionHandler opened(PostgresSession session) {
            boolean standby = session.connection().parameter("in_hot_standby").equals("on");
            if (target != Target.ANY && standby != (target == Target.STANDBY)) {
                failed(
                        "the server is a " + (standby ? "standby" : "primary")
                                + ", which target_session_attrs excludes",
                        null);
            }
            return departure.opened(session) ? handler : null;
        }

        @Override
        public void failed(String why, Throwable reason) {
            departure.failed(why, reason);
        }
    }
}
