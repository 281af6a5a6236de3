package lockstep.transport.postgres.server;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.function.Supplier;
import lockstep.security.Security;
import lockstep.send.ServedLog;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.PortListener;
import lockstep.transport.netty.TlsContexts;

/** Opens ports that PostgreSQL clients connect to. */
public final class PostgresListener {
    /** TLS 1.2 is there for PostgreSQL clients of old systems. */
    private static final String[] TLS_VERSIONS = {"TLSv1.3", "TLSv1.2"};

    private PostgresListener() {}

    /**
     * Listens.
     *
     * @param servedLog the log that is served at the moment; null if none is
     */
    public static Listener open(
            EventLoops loops, Endpoint endpoint, Acceptor acceptor, Supplier<ServedLog> servedLog, Security security)
            throws TransportException {
        ListenAddress address = ListenAddress.of(endpoint);
        InetSocketAddress local = address.resolve();
        if (local.isUnresolved()) {
            throw new TransportException("cannot listen on " + endpoint + ": unknown host " + address.host());
        }
        boolean ssl = address.ssl() == null ? security.listensWithTls() : address.ssl();
        if (!ssl && !address.insecure() && !local.getAddress().isLoopbackAddress()) {
            throw new TransportException("cannot listen on " + endpoint
                    + " without TLS: others than this machine could connect there. Set ssl = on and ssl_cert_file, or"
                    + " add ?insecure=on to the endpoint if the network is safe");
        }
        TlsContexts tls = ssl ? tls(endpoint, security) : null;
        return PortListener.open(loops, "postgres", endpoint, local, security.startups(), (accepted, arrival) -> {
            ClientConnection connection = new ClientConnection(accepted, arrival, servedLog, acceptor, security, tls);
            accepted.pipeline().addLast(connection);
            return connection::close;
        });
    }

    /** Finds out now whether there is a certificate, and not when the first client comes. */
    private static TlsContexts tls(Endpoint endpoint, Security security) throws TransportException {
        TlsContexts tls = new TlsContexts(security, TLS_VERSIONS);
        try {
            tls.listening();
        } catch (IOException e) {
            throw new TransportException("cannot listen on " + endpoint + " with TLS: " + e.getMessage(), e);
        }
        return tls;
    }
}
