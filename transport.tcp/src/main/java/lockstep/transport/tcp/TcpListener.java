package lockstep.transport.tcp;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import lockstep.security.AccessException;
import lockstep.security.Security;
import lockstep.security.Startups;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.netty.EventLoops;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A port that peers connect to. Gives each connection a thread, and bounds how many may be there that have not proved who
 * they are.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails on a channel closes it, and that is heard
final class TcpListener extends ChannelInboundHandlerAdapter implements Listener {
    private static final Logger log = LoggerFactory.getLogger(TcpListener.class);
    private static final long PAUSE_MS = 1_000;

    private final EventLoops loops;
    private final Endpoint asked;
    private final TcpEndpoint at;
    private final boolean tls;
    private final Acceptor acceptor;
    private final Security security;
    private final TlsContexts contexts;
    private final Startups startups;

    private volatile Channel channel;
    private volatile Endpoint endpoint;
    private volatile boolean closed;

    /** @param tls whether peers must come with TLS */
    TcpListener(
            EventLoops loops,
            Endpoint asked,
            TcpEndpoint at,
            boolean tls,
            Acceptor acceptor,
            Security security,
            TlsContexts contexts) {
        this.loops = loops;
        this.asked = asked;
        this.at = at;
        this.tls = tls;
        this.acceptor = acceptor;
        this.security = security;
        this.contexts = contexts;
        startups = security.startups();
    }

    /** Tells the port that was taken. */
    void bound(int port) {
        endpoint = at.withPort(asked, port);
    }

    @Override
    public Endpoint endpoint() {
        return endpoint;
    }

    @Override
    public void close() {
        closed = true;
        Channel open = channel;
        if (open != null && open.isOpen()) {
            open.close();
            if (!open.eventLoop().inEventLoop()) {
                open.closeFuture().awaitUninterruptibly();
            }
        }
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        channel = ctx.channel();
    }

    @Override
    public void channelRegistered(ChannelHandlerContext ctx) {
        channel.closeFuture().addListener(done -> EventLoops.end(channel.eventLoop()));
        if (closed) {
            channel.close();
        }
        ctx.fireChannelRegistered();
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        Channel connection = (Channel) message;
        InetSocketAddress remote = (InetSocketAddress) connection.remoteAddress();
        String peer = TcpTransport.text(remote);
        Runnable place;
        try {
            place = startups.enter(remote.getAddress());
        } catch (AccessException e) {
            log.warn("{} refuses {}: {}", this, peer, e.getMessage());
            connection.unsafe().closeForcibly();
            return;
        }
        int patienceMs = security.authenticationTimeoutMs();
        TcpSession session = new TcpSession(
                false, patienceMs, new ListeningHandshake(security, tls, at.compressions()), new Arrival(peer, place));
        try {
            if (tls) {
                SslContext context = contexts.listening();
                connection.pipeline().addLast(new TlsDoor(() -> {
                    SslHandler handler = context.newHandler(connection.alloc());
                    handler.setHandshakeTimeoutMillis(patienceMs);
                    return handler;
                }));
            }
            EventLoop loop = loops.start("tcp-session-" + peer, () -> session.close(EventLoops.WITHDRAWN));
            connection.pipeline().addLast(session);
            // On the loop itself: what is listened for cannot come after its end then.
            loop.execute(() -> loop.register(connection).addListener(registered -> {
                if (!registered.isSuccess()) {
                    log.warn("{} cannot serve {}", this, peer, registered.cause());
                    refuse(connection, place);
                    EventLoops.end(loop);
                }
            }));
        } catch (Exception | OutOfMemoryError e) {
            log.warn("{} cannot serve {}", this, peer, e);
            refuse(connection, place);
        }
    }

    private static void refuse(Channel connection, Runnable place) {
        place.run();
        connection.unsafe().closeForcibly();
    }

    /** Accepting failed, mostly for want of file descriptors: the next try comes a little later. */
    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable e) {
        log.warn("{} cannot accept connections; trying again in {} ms", this, PAUSE_MS, e);
        channel.config().setAutoRead(false);
        channel.eventLoop().schedule(() -> channel.config().setAutoRead(true), PAUSE_MS, TimeUnit.MILLISECONDS);
    }

    private final class Arrival implements TcpSession.Opening {
        private final String peer;
        private final Runnable place;

        Arrival(String peer, Runnable place) {
            this.peer = peer;
            this.place = place;
        }

        @Override
        public SessionHandler opened(TcpSession session) {
            place.run();
            return closed ? null : acceptor.accept(session);
        }

        @Override
        public void failed(String why, Throwable reason) {
            place.run();
            if (!closed) {
                log.warn("{} refused {}: {}", TcpListener.this, peer, why);
            }
        }
    }

    @Override
    public String toString() {
        return "listener on " + (endpoint == null ? asked : endpoint);
    }
}
