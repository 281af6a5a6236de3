package lockstep.transport.tcp;

import io.netty.channel.Channel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.net.InetSocketAddress;
import lockstep.security.Security;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.PortListener;
import lockstep.transport.netty.PortListener.Arrival;
import lockstep.transport.netty.TlsContexts;

/** Opens ports that peers connect to. */
final class TcpListener {
    private TcpListener() {}

    static Listener open(
            EventLoops loops, Endpoint endpoint, Acceptor acceptor, Security security, TlsContexts contexts)
            throws TransportException {
        TcpEndpoint at = TcpEndpoint.listening(endpoint);
        TcpAddress address = at.address();
        InetSocketAddress local = address.resolve();
        if (local.isUnresolved()) {
            throw new TransportException("cannot listen on " + endpoint + ": unknown host " + address.host());
        }
        boolean tls = at.ssl(security.listensWithTls());
        if (tls) {
            checkCertificate(endpoint, contexts);
        } else if (!at.insecure() && !local.getAddress().isLoopbackAddress()) {
            throw new TransportException(
                    "cannot listen on " + endpoint + ": other machines can reach it, and it would be"
                            + " without TLS. Set ssl = on, with ssl_cert_file and ssl_key_file; or, if everybody who can reach it is"
                            + " trusted, add insecure=true to its query, as in tcp://" + address + "?insecure=true");
        }
        return PortListener.open(
                loops, TcpAddress.SCHEME, endpoint, local, security.startups(), (connection, arrival) -> {
                    if (tls) {
                        connection.pipeline().addLast(door(connection, contexts, security.authenticationTimeoutMs()));
                    }
                    TcpSession session = new TcpSession(
                            false,
                            security.authenticationTimeoutMs(),
                            new ListeningHandshake(security, tls, at.compressions()),
                            new Opening(arrival, acceptor));
                    connection.pipeline().addLast(session);
                    return session::close;
                });
    }

    /** Finds out now whether there is a certificate, and not when the first peer comes. */
    private static void checkCertificate(Endpoint endpoint, TlsContexts contexts) throws TransportException {
        try {
            contexts.listening();
        } catch (IOException e) {
            throw new TransportException("cannot listen on " + endpoint + " with TLS: " + e.getMessage(), e);
        }
    }

    private static TlsDoor door(Channel connection, TlsContexts contexts, int patienceMs) throws IOException {
        SslContext context = contexts.listening();
        return new TlsDoor(() -> {
            SslHandler handler = context.newHandler(connection.alloc());
            handler.setHandshakeTimeoutMillis(patienceMs);
            return handler;
        });
    }

    private record Opening(Arrival arrival, Acceptor acceptor) implements TcpSession.Opening {
        @Override
        public SessionHandler opened(TcpSession session) {
            return arrival.letIn() ? acceptor.accept(session) : null;
        }

        @Override
        public void failed(String why, Throwable reason) {
            arrival.refused(why);
        }
    }
}
