package lockstep.transport.postgres.server;

import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.util.NetUtil;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import lockstep.security.AccessException;
import lockstep.security.Security;
import lockstep.security.Startups;
import lockstep.send.ServedLog;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.SocketIo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A port that PostgreSQL clients connect to. Gives each connection a thread, and bounds how many may be there that are not let in. */
@SuppressWarnings("FutureReturnValueIgnored") // what fails on a channel closes it, and that is heard
public final class PostgresListener extends ChannelInboundHandlerAdapter implements Listener {
    private static final Logger log = LoggerFactory.getLogger(PostgresListener.class);
    private static final long PAUSE_MS = 1_000;

    private final EventLoops loops;
    private final Acceptor acceptor;
    private final Supplier<ServedLog> servedLog;
    private final Security security;
    private final Startups startups;
    private final ServerTls tls;

    private volatile Channel channel;
    private volatile Endpoint endpoint;
    private volatile boolean closed;

    private PostgresListener(
            EventLoops loops,
            Endpoint endpoint,
            Acceptor acceptor,
            Supplier<ServedLog> servedLog,
            Security security,
            ServerTls tls) {
        this.loops = loops;
        this.endpoint = endpoint;
        this.acceptor = acceptor;
        this.servedLog = servedLog;
        this.security = security;
        this.tls = tls;
        startups = security.startups();
    }

    /**
     * Listens.
     *
     * @param servedLog the log that is served at the moment; null if none is
     */
    public static Listener open(
            SocketIo io,
            EventLoops loops,
            Endpoint endpoint,
            Acceptor acceptor,
            Supplier<ServedLog> servedLog,
            Security security)
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
        PostgresListener listener = new PostgresListener(
                loops, endpoint, acceptor, servedLog, security, ssl ? tls(endpoint, security) : null);
        EventLoop loop;
        try {
            loop = loops.start("postgres-listener-" + address.port(), listener::close);
        } catch (TransportException e) {
            throw new TransportException("cannot listen on " + endpoint + ": " + e.getMessage(), e);
        }
        ChannelFuture bound = new Bootstrap()
                .group(loop)
                .channel(io.serverSocket)
                .option(ChannelOption.SO_REUSEADDR, true)
                .handler(listener)
                .bind(local)
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            EventLoops.end(loop);
            throw new TransportException(
                    "cannot listen on " + endpoint + ": " + bound.cause().getMessage(), bound.cause());
        }
        listener.endpoint =
                address.withPort(endpoint, ((InetSocketAddress) bound.channel().localAddress()).getPort());
        return listener;
    }

    /** Finds out now whether there is a certificate, and not when the first client comes. */
    private static ServerTls tls(Endpoint endpoint, Security security) throws TransportException {
        ServerTls tls = new ServerTls(security);
        try {
            tls.context();
        } catch (IOException e) {
            throw new TransportException("cannot listen on " + endpoint + " with TLS: " + e.getMessage(), e);
        }
        return tls;
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
        Channel accepted = (Channel) message;
        String peer = text(accepted.remoteAddress());
        Runnable leave;
        try {
            leave = startups.enter(((InetSocketAddress) accepted.remoteAddress()).getAddress());
        } catch (AccessException e) {
            log.warn("{} refuses {}: {}", this, peer, e.getMessage());
            accepted.unsafe().closeForcibly();
            return;
        }
        ClientConnection connection =
                new ClientConnection(servedLog, acceptor, new Arrival(peer, leave), security, tls);
        try {
            EventLoop loop = loops.start("postgres-client-" + peer, () -> connection.close(EventLoops.WITHDRAWN));
            accepted.pipeline().addLast(connection);
            // On the loop itself: what is listened for cannot come after its end then.
            loop.execute(() -> loop.register(accepted).addListener(registered -> {
                if (!registered.isSuccess()) {
                    log.warn("{} cannot serve {}", this, peer, registered.cause());
                    leave.run();
                    accepted.unsafe().closeForcibly();
                    EventLoops.end(loop);
                }
            }));
        } catch (Exception | OutOfMemoryError e) {
            log.warn("{} cannot serve {}", this, peer, e);
            leave.run();
            accepted.unsafe().closeForcibly();
        }
    }

    private static String text(SocketAddress remote) {
        return remote instanceof InetSocketAddress inet ? NetUtil.toSocketAddressString(inet) : String.valueOf(remote);
    }

    /** Accepting failed, mostly for want of file descriptors: the next try comes a little later. */
    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable e) {
        log.warn("{} cannot accept connections; trying again in {} ms", this, PAUSE_MS, e);
        channel.config().setAutoRead(false);
        channel.eventLoop().schedule(() -> channel.config().setAutoRead(true), PAUSE_MS, TimeUnit.MILLISECONDS);
    }

    private final class Arrival implements ClientConnection.Opening {
        private final String peer;
        private final Runnable leave;

        Arrival(String peer, Runnable leave) {
            this.peer = peer;
            this.leave = leave;
        }

        @Override
        public void opened() {
            leave.run();
        }

        @Override
        public void failed(String why) {
            leave.run();
            if (!closed) {
                log.warn("{} refused {}: {}", PostgresListener.this, peer, why);
            }
        }
    }

    @Override
    public String toString() {
        return "listener on " + endpoint;
    }
}
