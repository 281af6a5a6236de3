package lockstep.transport.netty;

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
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import lockstep.security.AccessException;
import lockstep.security.Startups;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.TransportException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A port that peers connect to. Gives each connection a thread, and bounds how many may be there that have not proved who
 * they are. What is spoken with them is up to its {@link Reception}.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails on a channel closes it, and that is heard
public final class PortListener extends ChannelInboundHandlerAdapter implements Listener {
    private static final Logger log = LoggerFactory.getLogger(PortListener.class);
    private static final long PAUSE_MS = 1_000;

    /** Receives those who connect. */
    public interface Reception {
        /**
         * Puts into the pipeline of a new connection what serves it; called on the listener's thread, before that of the
         * connection is there.
         *
         * @param arrival to be told how it ends: one of its methods is to be called, once
         * @return ends the connection, and says why; called on any thread, when the transport is withdrawn
         * @throws IOException if it cannot be served
         */
        Consumer<String> receive(Channel connection, Arrival arrival) throws IOException;
    }

    private final EventLoops loops;
    private final String protocol;
    private final Startups startups;
    private final Reception reception;

    private volatile Endpoint endpoint;
    private volatile Channel channel;
    private volatile boolean closed;

    private PortListener(EventLoops loops, String protocol, Endpoint endpoint, Startups startups, Reception reception) {
        this.loops = loops;
        this.protocol = protocol;
        this.endpoint = endpoint;
        this.startups = startups;
        this.reception = reception;
    }

    /**
     * Listens.
     *
     * @param protocol the first word in the names of its threads
     * @param asked has HOST:PORT and perhaps a query; if the port is 0, any is taken
     * @param local that host and port, looked up
     */
    public static Listener open(
            EventLoops loops,
            String protocol,
            Endpoint asked,
            InetSocketAddress local,
            Startups startups,
            Reception reception)
            throws TransportException {
        PortListener listener = new PortListener(loops, protocol, asked, startups, reception);
        EventLoop loop;
        try {
            loop = loops.start(protocol + "-listener-" + local.getPort(), listener::close);
        } catch (TransportException e) {
            throw new TransportException("cannot listen on " + asked + ": " + e.getMessage(), e);
        }
        ChannelFuture bound = new Bootstrap()
                .group(loop)
                .channel(loops.io().serverSocket)
                .option(ChannelOption.SO_REUSEADDR, true)
                .handler(listener)
                .bind(local)
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            EventLoops.end(loop);
            throw new TransportException(
                    "cannot listen on " + asked + ": " + bound.cause().getMessage(), bound.cause());
        }
        listener.endpoint = withPort(asked, ((InetSocketAddress) bound.channel().localAddress()).getPort());
        return listener;
    }

    private static Endpoint withPort(Endpoint asked, int port) {
        String address = asked.uri().getRawAuthority();
        String host = address.substring(0, address.lastIndexOf(':'));
        String query = asked.uri().getRawQuery();
        return Endpoint.parse(asked.uri().getScheme() + "://" + host + ':' + port + (query == null ? "" : '?' + query));
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
        String peer = NetUtil.toSocketAddressString(remote);
        Arrival arrival;
        try {
            arrival = new Arrival(peer, startups.enter(remote.getAddress()));
        } catch (AccessException e) {
            log.warn("{} refuses {}: {}", this, peer, e.getMessage());
            connection.unsafe().closeForcibly();
            return;
        }
        try {
            Consumer<String> end = reception.receive(connection, arrival);
            EventLoop loop = loops.start(protocol + "-session-" + peer, () -> end.accept(EventLoops.WITHDRAWN));
            // On the loop itself: what is listened for cannot come after its end then.
            loop.execute(() -> loop.register(connection).addListener(registered -> {
                if (!registered.isSuccess()) {
                    arrival.cannotBeServed(connection, registered.cause());
                    EventLoops.end(loop);
                }
            }));
        } catch (Exception | OutOfMemoryError e) {
            arrival.cannotBeServed(connection, e);
        }
    }

    /** Accepting failed, mostly for want of file descriptors: the next try comes a little later. */
    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable e) {
        log.warn("{} cannot accept connections; trying again in {} ms", this, PAUSE_MS, e);
        channel.config().setAutoRead(false);
        channel.eventLoop().schedule(() -> channel.config().setAutoRead(true), PAUSE_MS, TimeUnit.MILLISECONDS);
    }

    /** One who has connected and has not proved yet who it is: it holds one of the few places of such. */
    public final class Arrival {
        private final String peer;
        private final Runnable leave;

        private Arrival(String peer, Runnable leave) {
            this.peer = peer;
            this.leave = leave;
        }

        /** It has proved who it is. Returns whether the listener still listens. */
        public boolean letIn() {
            leave.run();
            return !closed;
        }

        /** It has not; {@code why} says what was found. */
        public void refused(String why) {
            leave.run();
            if (!closed) {
                log.warn("{} refused {}: {}", PortListener.this, peer, why);
            }
        }

        private void cannotBeServed(Channel connection, Throwable because) {
            log.warn("{} cannot serve {}", PortListener.this, peer, because);
            leave.run();
            connection.unsafe().closeForcibly();
        }
    }

    @Override
    public String toString() {
        return "listener on " + endpoint;
    }
}
