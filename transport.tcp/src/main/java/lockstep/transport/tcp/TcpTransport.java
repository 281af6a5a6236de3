package lockstep.transport.tcp;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import lockstep.security.ClientTls;
import lockstep.security.Security;
import lockstep.security.SslMode;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.Departure;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.SocketIo;
import lockstep.transport.netty.TlsContexts;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;

/** Carries messages over TCP, as {@link TcpEndpoint} tells. A changed parameter counts for what is opened from then on. */
@Component(service = Transport.class)
public final class TcpTransport implements Transport {
    private static final int OPEN_MS = 10_000;

    /** And nothing older: both ends are Lockstep. */
    private static final String TLS_VERSION = "TLSv1.3";

    private final int openMs;
    private final Security security;
    private final TlsContexts contexts;
    private final EventLoops loops;

    /** Starts nothing yet: threads come with listeners and sessions. */
    @Activate
    public TcpTransport(@Reference Security security) {
        this(SocketIo.best(), OPEN_MS, security);
    }

    /** @param openMs how long opening a session may take */
    TcpTransport(SocketIo io, int openMs, Security security) {
        this.openMs = openMs;
        this.security = security;
        contexts = new TlsContexts(security, TLS_VERSION);
        loops = new EventLoops(io);
    }

    @Override
    public String scheme() {
        return TcpAddress.SCHEME;
    }

    @Override
    public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
        return TcpListener.open(loops, endpoint, acceptor, security, contexts);
    }

    @Override
    public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
        TcpEndpoint to = TcpEndpoint.connecting(endpoint);
        TcpAddress address = to.address();
        if (address.port() == 0) {
            throw new TransportException("cannot connect to " + endpoint + ": expected a port from 1 to 65535");
        }
        ClientTls tls;
        SslContext context = null;
        try {
            tls = security.clientTls(to.parameters(), address.isLoopback() ? SslMode.DISABLE : SslMode.VERIFY_FULL);
            if (tls.mode() == SslMode.ALLOW || tls.mode() == SslMode.PREFER) {
                throw new IllegalArgumentException(
                        "with sslmode " + tls.mode()
                                + " anybody in between could do without TLS: expected disable, require, verify-ca or verify-full");
            }
            context = tls.mode() == SslMode.DISABLE ? null : TlsContexts.connecting(tls, TLS_VERSION);
        } catch (IOException | IllegalArgumentException e) {
            throw new TransportException("cannot connect to " + endpoint + ": " + e.getMessage(), e);
        }
        Departure<TcpSession> departure = new Departure<>();
        TcpSession session = new TcpSession(
                true,
                openMs,
                new ConnectingHandshake(
                        security, to, handler.localName(), tls.mode().verifies()),
                new Opening(departure, handler));
        SslContext used = context;
        try {
            EventLoop loop = loops.start("tcp-session-" + address, () -> session.close(EventLoops.WITHDRAWN));
            loop.execute(() -> open(loop, address, used, session));
            return departure.await(session, openMs);
        } catch (IOException e) {
            throw new TransportException("cannot connect to " + endpoint + ": " + e.getMessage(), e);
        }
    }

    /**
     * Runs on the session's own loop, where looking up a name holds up nobody else, and where what is listened for
     * cannot come after the loop's end. Netty's own lookup would start a global thread that outlives this transport.
     */
    @SuppressWarnings("FutureReturnValueIgnored") // the listener is told
    private void open(EventLoop loop, TcpAddress address, SslContext tls, TcpSession session) {
        InetSocketAddress remote = address.resolve();
        if (remote.isUnresolved()) {
            session.notConnected("unknown host " + address.host(), null);
            EventLoops.end(loop);
            return;
        }
        new Bootstrap()
                .group(loop)
                .channel(loops.io().socket)
                .disableResolver()
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, openMs)
                .handler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        if (tls != null) {
                            SslHandler handler = tls.newHandler(channel.alloc(), address.name(), address.port());
                            handler.setHandshakeTimeoutMillis(openMs);
                            channel.pipeline().addLast(handler);
                        }
                        channel.pipeline().addLast(session);
                    }
                })
                .connect(remote)
                .addListener(connected -> {
                    if (!connected.isSuccess()) {
                        session.notConnected(why(connected.cause()), connected.cause());
                        EventLoops.end(loop);
                    }
                });
    }

    private static String why(Throwable cause) {
        if (cause instanceof ConnectException
                && String.valueOf(cause.getMessage()).contains("refused")) {
            return "connection refused; is the server running, and does it listen there?";
        }
        return String.valueOf(cause.getMessage());
    }

    /** Closes all that is open, and returns when the threads have ended. */
    @Deactivate
    public void close() {
        loops.withdraw();
    }

    private record Opening(Departure<TcpSession> departure, SessionHandler handler) implements TcpSession.Opening {
        @Override
        public SessionHandler opened(TcpSession session) {
            return departure.opened(session) ? handler : null;
        }

        @Override
        public void failed(String why, Throwable reason) {
            departure.failed(why, reason);
        }
    }
}
