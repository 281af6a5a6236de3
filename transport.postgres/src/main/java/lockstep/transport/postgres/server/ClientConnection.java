package lockstep.transport.postgres.server;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.handler.codec.DecoderException;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import javax.net.ssl.SSLException;
import lockstep.security.Security;
import lockstep.send.ServedLog;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.FlushGatherer;
import lockstep.transport.netty.PortListener.Arrival;
import lockstep.transport.netty.TlsContexts;
import lockstep.transport.postgres.protocol.CopyMessage.CopyData;
import lockstep.transport.postgres.protocol.FrontendDecoder;
import lockstep.transport.postgres.protocol.FrontendMessage;
import lockstep.transport.postgres.protocol.FrontendMessage.Terminate;
import lockstep.transport.postgres.protocol.Report;
import lockstep.transport.postgres.protocol.StartupPacket;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection of a PostgreSQL client, from its first byte to its last: what a walsender is to a PostgreSQL server.
 *
 * <p><b>Idea.</b> A client talks first and streams later, and perhaps more than once: it asks what system this is, makes a slot, streams
 * one timeline to its end, and then the next, all on one connection. The core knows sessions that do nothing but stream. So the
 * connection answers the talk itself, from the {@link ServedLog}, and opens a session to the core for each {@code START_REPLICATION}.
 *
 * <p><b>Who hears the client.</b> One of three at a time; each answers through the {@link ClientOutput}, which also knows whether the
 * connection ends: then nobody hears it any more.
 *
 * <pre>
 *   {@link ClientLogin}   until it is over          what comes out is a client, or the end
 *   {@link Commands}      while nothing is copied   what comes out of START_REPLICATION is a copy
 *   {@link WalCopy}       until it is over          hears the client for the core; its {@link WalStream} is the way there
 * </pre>
 *
 * <p><b>Threads.</b> The connection has an event loop of its own, as each session of transport.tcp: a handler that blocks holds up this
 * client only. All is done on it but {@link #close} and what the core sends through a {@link WalStream}.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails on a channel closes it, and that is heard
final class ClientConnection extends ChannelInboundHandlerAdapter {
    private static final Logger log = LoggerFactory.getLogger(ClientConnection.class);
    private static final int MAX_BODY_BYTES = 64 << 10;
    private static final int LOW_WATER_BYTES = 1 << 20;
    private static final int HIGH_WATER_BYTES = 4 << 20;
    private static final String PROTOCOL_VIOLATION = "08P01";
    private static final String ADMIN_SHUTDOWN = "57P01";

    private final Channel channel;
    private final int patienceMs;
    private final FrontendDecoder decoder = new FrontendDecoder(MAX_BODY_BYTES);
    private final ClientOutput out;
    private final ClientLogin login;
    private final Commands commands;

    private volatile boolean withdrawn;

    /** The last one; null if there was none. */
    private WalCopy copy;

    /**
     * @param arrival hears whether the client is let in
     * @param servedLog the log that is served at the moment; null if none is
     * @param tls null to be without
     */
    ClientConnection(
            Channel channel,
            Arrival arrival,
            Supplier<ServedLog> servedLog,
            Acceptor acceptor,
            Security security,
            TlsContexts tls) {
        this.channel = channel;
        patienceMs = security.authenticationTimeoutMs();
        out = new ClientOutput(channel);
        login = new ClientLogin(channel, decoder, out, arrival, servedLog, security, tls);
        commands = new Commands(out, servedLog, acceptor);
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        channel.config().setOption(ChannelOption.TCP_NODELAY, true);
        channel.config().setWriteBufferWaterMark(new WriteBufferWaterMark(LOW_WATER_BYTES, HIGH_WATER_BYTES));
        ctx.pipeline().addBefore(ctx.name(), null, new FlushGatherer()).addBefore(ctx.name(), null, decoder);
    }

    @Override
    public void channelRegistered(ChannelHandlerContext ctx) {
        channel.closeFuture().addListener(closed -> EventLoops.end(channel.eventLoop()));
        channel.eventLoop().schedule(this::loginTooLate, patienceMs, TimeUnit.MILLISECONDS);
        if (withdrawn) { // before there was a thread to close it on
            channel.close();
        }
        ctx.fireChannelRegistered();
    }

    private void loginTooLate() {
        if (!login.isOver()) {
            out.end("expected a PostgreSQL client to prove who it is within " + patienceMs
                    + " ms (authentication_timeout)");
        }
    }

    // What the client says.

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        try {
            if (out.cause() == null) {
                hear(message);
            }
        } catch (MalformedMessageException e) {
            malformed(e);
        } finally {
            if (message instanceof CopyData data) {
                data.content().release();
            } else {
                ReferenceCountUtil.release(message);
            }
        }
    }

    private void hear(Object message) throws MalformedMessageException {
        if (message instanceof StartupPacket packet) {
            login.hear(packet);
        } else if (message instanceof FrontendMessage said) {
            if (!login.isOver()) {
                login.hear(said);
            } else if (said instanceof Terminate) {
                out.end(out.address() + " has ended the connection");
            } else if (isCopying()) {
                copy.hear(said);
            } else {
                copy = commands.hear(said, login.client());
            }
        }
    }

    private boolean isCopying() {
        return copy != null && !copy.isOver();
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        if (isCopying()) {
            copy.endOfBatch();
        }
        ctx.fireChannelReadComplete();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (channel.isWritable()) {
            // May have been caused by a send of the handler, so not now but when that has returned.
            channel.eventLoop().execute(() -> {
                if (isCopying()) {
                    copy.writable();
                }
            });
        }
    }

    // The end.

    /** Ends the connection, from any thread: the client is told why. */
    void close(String why) {
        withdrawn = true;
        if (channel.isRegistered()) {
            out.onLoop(() -> terminate(why, Report.fatal(ADMIN_SHUTDOWN, "terminating connection: " + why)));
        }
    }

    private void malformed(MalformedMessageException e) {
        if (login.isOver() && out.cause() == null) {
            log.warn("{} is closed: {}", this, e.getMessage());
        }
        terminate(
                login.isOver() ? "message from " + out.address() + ": " + e.getMessage() : e.getMessage(),
                Report.fatal(PROTOCOL_VIOLATION, e.getMessage()));
    }

    /** Ends what goes on. Nothing is said to one who has not been let in. */
    private void terminate(String why, Report report) {
        if (!login.isOver()) {
            out.end(why);
        } else if (out.cause() == null) {
            endCopy(why);
            out.fatal(report);
        }
    }

    private void endCopy(String why) {
        if (isCopying()) {
            copy.end(why);
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable e) {
        if (e instanceof DecoderException && e.getCause() instanceof MalformedMessageException malformed) {
            malformed(malformed);
        } else if (e instanceof DecoderException && e.getCause() instanceof SSLException) {
            out.end("TLS with " + out.address() + " failed: " + e.getCause().getMessage());
        } else {
            if (!(e instanceof IOException)) {
                log.error("{} failed, which is a defect; it is closed", this, e);
            }
            out.end("connection to " + out.address() + " lost: " + e.getMessage());
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        out.end(out.address() + " closed the connection");
        endCopy(out.cause());
        commands.ended();
        login.ended(out.cause());
    }

    @Override
    public String toString() {
        return "connection of " + out.address();
    }
}
