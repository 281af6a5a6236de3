package lockstep.transport.postgres.client;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.NetUtil;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLPeerUnverifiedException;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.SocketIo;
import lockstep.transport.postgres.client.Conninfo.ChannelBinding;
import lockstep.transport.postgres.protocol.BackendDecoder;
import lockstep.transport.postgres.protocol.BackendMessage;
import lockstep.transport.postgres.protocol.CopyMessage.CopyData;
import lockstep.transport.postgres.protocol.CopyMessage.CopyDone;
import lockstep.transport.postgres.protocol.FrontendMessage;
import lockstep.transport.postgres.protocol.FrontendMessage.Query;
import lockstep.transport.postgres.protocol.FrontendMessage.Terminate;
import lockstep.transport.postgres.protocol.ReplicationMessage;
import lockstep.transport.postgres.protocol.Report;
import lockstep.transport.postgres.protocol.StartupPacket;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A connection to a PostgreSQL server, as a client of its replication commands has it: TLS, login, commands one at a time, and a
 * copy in both directions for as long as WAL is streamed.
 *
 * <pre>
 *   phase       event                                 next
 *   ENCRYPTION  the server can do TLS                 ENCRYPTION, until the handshake is done; then LOGIN
 *   ENCRYPTION  it cannot, and need not               LOGIN
 *   LOGIN       ReadyForQuery                         READY     the owner is told
 *   READY       a command                             COMMAND
 *   COMMAND     ReadyForQuery                         READY     the command's future has its rows, or its error
 *   COMMAND     CopyBothResponse                      COPY      the owner hears what is copied
 *   COPY        CopyDone, an error                    COMMAND   the rest of the answer follows
 *   any         the connection ends                   ENDED     the owner is told why, once
 * </pre>
 *
 * <p>All of it happens on the connection's own event loop, but for {@link #send}, which any thread may call.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails on a channel closes it, and that is heard
final class ServerConnection extends ChannelInboundHandlerAdapter {
    private static final Logger log = LoggerFactory.getLogger(ServerConnection.class);

    /** More than any message of a server that streams, or of a history file. */
    private static final int MAX_BODY_BYTES = 16 << 20;

    private enum Phase {
        ENCRYPTION,
        LOGIN,
        READY,
        COMMAND,
        COPY,
        ENDED
    }

    /**
     * How to begin.
     *
     * @param tls null for none
     * @param tlsRequired whether a server that has no TLS will not do
     * @param startup what the server is told first
     */
    record Opening(
            Conninfo.Host host,
            SslContext tls,
            boolean tlsRequired,
            Map<String, String> startup,
            Login.Passwords passwords,
            ChannelBinding channelBinding) {}

    /** Whose connection it is. All on the connection's event loop. */
    interface Owner {
        /** The server takes commands. */
        void ready();

        /** The server agrees to copy. */
        void copyBegun();

        /** Takes what is copied; its bytes are valid until this returns. */
        void copied(ReplicationMessage message) throws MalformedMessageException;

        /** All that was at hand has been delivered. */
        void endOfBatch();

        /** The connection has ended; once, after all else. */
        void ended(String why, Throwable because);
    }

    private final Opening opening;
    private final Owner owner;
    private final BackendDecoder decoder = new BackendDecoder(MAX_BODY_BYTES);
    private final Map<String, String> parameters = new HashMap<>();

    private volatile Channel channel;
    private volatile boolean cancelled;
    private Phase phase = Phase.ENCRYPTION;
    private Login login;
    private String why;
    private Throwable because;
    private boolean ended;

    private CompletableFuture<List<List<String>>> answer;
    private List<List<String>> rows = new ArrayList<>();
    private ServerException error;
    private boolean doneSent;

    ServerConnection(Opening opening, Owner owner) {
        this.opening = opening;
        this.owner = owner;
    }

    // What the owner asks.

    /** Sends a message. */
    void send(FrontendMessage message) {
        ByteBuf bytes = channel.alloc().ioBuffer();
        message.encode(bytes);
        channel.writeAndFlush(bytes);
    }

    /** Sends something of a copy. */
    void send(ReplicationMessage message) {
        ByteBuf bytes = channel.alloc().ioBuffer();
        message.encode(bytes);
        channel.writeAndFlush(bytes);
    }

    /** Returns the loop's channel; null before there is one. */
    Channel channel() {
        return channel;
    }

    /** Gives a command when the one before has been answered; the future has the rows of the last result. */
    CompletableFuture<List<List<String>>> command(String text) {
        if (phase != Phase.READY) {
            return CompletableFuture.failedFuture(new IOException("the connection is not ready for " + text));
        }
        answer = new CompletableFuture<>();
        phase = Phase.COMMAND;
        rows = new ArrayList<>();
        error = null;
        doneSent = false;
        send(new Query(text));
        return answer;
    }

    /** Ends the copy from this side; the server ends its own then. */
    void endCopy() {
        if (phase == Phase.COPY && !doneSent) {
            doneSent = true;
            send(new CopyDone());
        }
    }

    /** Returns whether a copy goes on. */
    boolean isCopying() {
        return phase == Phase.COPY;
    }

    /** Takes leave, and ends. */
    void terminate(String cause) {
        tell(cause, null);
        if (channel != null && channel.isActive() && phase != Phase.ENDED) {
            ByteBuf bytes = channel.alloc().ioBuffer();
            new Terminate().encode(bytes);
            channel.writeAndFlush(bytes).addListener(sent -> channel.close());
        } else {
            abort(cause, null);
        }
    }

    /** Ends at once. */
    void abort(String cause, Throwable reason) {
        tell(cause, reason);
        if (channel != null) {
            channel.close();
        }
    }

    private void tell(String cause, Throwable reason) {
        if (why == null) {
            why = cause;
            because = reason;
        }
    }

    /** Hears that no connection came about. */
    void notConnected(String cause, Throwable reason) {
        tell(cause, reason);
        end();
    }

    /** Has a connection that does not exist yet closed as soon as it does. On any thread. */
    void cancel() {
        cancelled = true;
    }

    /** Returns a setting that the server told; empty if it did not. */
    String parameter(String name) {
        return parameters.getOrDefault(name, "");
    }

    /** Returns where the server is, for people. */
    String address() {
        return channel == null ? "" : NetUtil.toSocketAddressString((InetSocketAddress) channel.remoteAddress());
    }

    // What happens.

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        channel = ctx.channel();
        channel.config().setOption(ChannelOption.TCP_NODELAY, true);
        channel.config().setRecvByteBufAllocator(SocketIo.reads());
        channel.closeFuture().addListener(closed -> EventLoops.end(channel.eventLoop()));
        ctx.pipeline().addBefore(ctx.name(), "decoder", decoder);
        if (cancelled) {
            channel.close();
        }
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        if (opening.tls() == null) {
            startup(null);
            return;
        }
        decoder.expectEncryptionAnswer();
        ByteBuf bytes = channel.alloc().ioBuffer();
        new StartupPacket.SslRequest().encode(bytes);
        channel.writeAndFlush(bytes);
    }

    private void encryption(BackendMessage.EncryptionAnswer can) {
        if (can == BackendMessage.EncryptionAnswer.NO && opening.tlsRequired()) {
            abort("the server has no TLS; sslmode=prefer would do without", null);
        } else if (can == BackendMessage.EncryptionAnswer.NO) {
            startup(null);
        } else if (decoder.bufferedBytes() > 0) {
            abort("bytes came in clear after the server had agreed to TLS: somebody may stand in between", null);
        } else {
            channel.pipeline()
                    .addFirst(opening.tls()
                            .newHandler(
                                    channel.alloc(),
                                    opening.host().name(),
                                    opening.host().port()));
        }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof SslHandshakeCompletionEvent handshake) {
            if (handshake.isSuccess()) {
                startup(certificate());
            } else {
                abort("TLS fails: " + rootMessage(handshake.cause()), handshake.cause());
            }
        }
        ctx.fireUserEventTriggered(event);
    }

    private X509Certificate certificate() {
        try {
            return (X509Certificate) channel.pipeline()
                    .get(SslHandler.class)
                    .engine()
                    .getSession()
                    .getPeerCertificates()[0];
        } catch (SSLPeerUnverifiedException e) {
            return null;
        }
    }

    private static String rootMessage(Throwable thrown) {
        Throwable root = thrown;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return root.getMessage() == null ? root.toString() : root.getMessage();
    }

    private void startup(X509Certificate certificate) {
        phase = Phase.LOGIN;
        login = new Login(opening.startup().get("user"), opening.passwords(), opening.channelBinding(), certificate);
        ByteBuf bytes = channel.alloc().ioBuffer();
        new StartupPacket.Startup(StartupPacket.Startup.VERSION_3_0, opening.startup()).encode(bytes);
        channel.writeAndFlush(bytes);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) throws Exception {
        try {
            if (why == null) {
                take((BackendMessage) message);
            }
        } finally {
            if (message instanceof CopyData data) {
                ReferenceCountUtil.release(data.content());
            }
        }
    }

    private void take(BackendMessage message) throws IOException {
        if (message instanceof CopyData data && phase == Phase.COPY) {
            owner.copied(ReplicationMessage.decode(data.content()));
        } else if (message instanceof BackendMessage.EncryptionAnswer can && phase == Phase.ENCRYPTION) {
            encryption(can);
        } else if (message instanceof BackendMessage.Authentication question && phase == Phase.LOGIN) {
            login.answer(question).ifPresent(this::send);
        } else if (message instanceof BackendMessage.ErrorResponse response) {
            error(response.report());
        } else if (message instanceof BackendMessage.ReadyForQuery) {
            ready();
        } else if (message instanceof BackendMessage.RowDescription) {
            rows = new ArrayList<>();
        } else if (message instanceof BackendMessage.DataRow row) {
            rows.add(row.values());
        } else if (message instanceof BackendMessage.CommandComplete complete && phase == Phase.COPY) {
            tell("the server is being shut down (" + complete.tag() + ")", null);
        } else if (message instanceof BackendMessage.CopyBothResponse && phase == Phase.COMMAND) {
            phase = Phase.COPY;
            owner.copyBegun();
        } else if (message instanceof CopyDone && phase == Phase.COPY) {
            endCopy();
            phase = Phase.COMMAND;
        } else if (message instanceof BackendMessage.ParameterStatus status) {
            parameters.put(status.name(), status.value());
        } else if (message instanceof BackendMessage.NoticeResponse notice) {
            log.info("the PostgreSQL server at {} says: {}", address(), notice.report());
        } else if (message instanceof BackendMessage.CommandComplete
                || message instanceof BackendMessage.BackendKeyData
                || message instanceof BackendMessage.NegotiateProtocolVersion
                || message instanceof CopyData) {
            // Nothing that matters here; what is copied after the end of the copy was on its way.
        } else {
            throw new MalformedMessageException("the server sent "
                    + message.getClass().getSimpleName() + ", which has no place here (" + phase + ")");
        }
    }

    private void error(Report report) {
        error = new ServerException(report);
        if (phase == Phase.COPY) {
            phase = Phase.COMMAND;
        } else if (phase != Phase.COMMAND) {
            abort(error.getMessage(), error);
        }
        if (report.severity().equals("FATAL") || report.severity().equals("PANIC")) {
            abort(error.getMessage(), error);
        }
    }

    private void ready() {
        if (phase == Phase.LOGIN) {
            phase = Phase.READY;
            owner.ready();
            return;
        }
        phase = Phase.READY;
        CompletableFuture<List<List<String>>> done = answer;
        answer = null;
        if (done == null) {
            return;
        }
        if (error == null) {
            done.complete(rows);
        } else {
            done.completeExceptionally(error);
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        owner.endOfBatch();
        ctx.fireChannelReadComplete();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable thrown) {
        Throwable found = thrown instanceof DecoderException && thrown.getCause() != null ? thrown.getCause() : thrown;
        if (!(found instanceof IOException)) {
            log.error("the connection with {} failed, which is a defect; it is closed", opening.host(), found);
        }
        abort(
                found instanceof IOException ? String.valueOf(found.getMessage()) : "the connection failed: " + found,
                found);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        tell("the server at " + opening.host() + " closed the connection", null);
        end();
    }

    private void end() {
        if (ended) {
            return;
        }
        ended = true;
        phase = Phase.ENDED;
        CompletableFuture<List<List<String>>> open = answer;
        answer = null;
        if (open != null) {
            open.completeExceptionally(new IOException(why, because));
        }
        owner.ended(why, because);
    }
}
