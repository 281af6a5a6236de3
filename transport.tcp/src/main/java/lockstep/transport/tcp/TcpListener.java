package lockstep.transport.tcp;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.SessionHandler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A port that peers connect to. Gives each connection a thread, and bounds how many may be there without a greeting. */
@SuppressWarnings("FutureReturnValueIgnored") // what fails on a channel closes it, and that is heard
final class TcpListener extends ChannelInboundHandlerAdapter implements Listener {
    private static final Logger log = LoggerFactory.getLogger(TcpListener.class);
    private static final int MAX_GREETING = 64;
    private static final long PAUSE_MS = 1_000;

    private final EventLoops loops;
    private final TcpAddress address;
    private final Acceptor acceptor;
    private final int greetingMs;
    private final AtomicInteger greeting = new AtomicInteger();

    private volatile Channel channel;
    private volatile Endpoint endpoint;
    private volatile boolean closed;

    TcpListener(EventLoops loops, TcpAddress address, Acceptor acceptor, int greetingMs) {
        this.loops = loops;
        this.address = address;
        this.acceptor = acceptor;
        this.greetingMs = greetingMs;
    }

    /** Tells the port that was taken. */
    void bound(int port) {
        endpoint = address.withPort(port).endpoint();
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
        String peer = TcpTransport.text(connection.remoteAddress());
        if (greeting.incrementAndGet() > MAX_GREETING) {
            log.warn("{} refuses {}: {} connections are waiting for a greeting already", this, peer, MAX_GREETING);
            refuse(connection);
            return;
        }
        TcpSession session = new TcpSession(false, greetingMs, new Arrival(peer));
        try {
            EventLoop loop = loops.start("tcp-session-" + peer, () -> session.close(TcpTransport.WITHDRAWN));
            connection.pipeline().addLast(session);
            // On the loop itself: what is listened for cannot come after its end then.
            loop.execute(() -> loop.register(connection).addListener(registered -> {
                if (!registered.isSuccess()) {
                    log.warn("{} cannot serve {}", this, peer, registered.cause());
                    refuse(connection);
                    EventLoops.end(loop);
                }
            }));
        } catch (Exception | OutOfMemoryError e) {
            log.warn("{} cannot serve {}", this, peer, e);
            refuse(connection);
        }
    }

    private void refuse(Channel connection) {
        greeting.decrementAndGet();
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

        Arrival(String peer) {
            this.peer = peer;
        }

        @Override
        public SessionHandler opened(TcpSession session) {
            greeting.decrementAndGet();
            return closed ? null : acceptor.accept(session);
        }

        @Override
        public void failed(String why, Throwable reason) {
            greeting.decrementAndGet();
            if (!closed) {
                log.warn("{} refused {}: {}", TcpListener.this, peer, why);
            }
        }
    }

    @Override
    public String toString() {
        return "listener on " + (endpoint == null ? address.endpoint() : endpoint);
    }
}
