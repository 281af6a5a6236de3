package lockstep.transport.postgres.server;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.NetUtil;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import javax.net.ssl.SSLException;
import lockstep.security.AccessException;
import lockstep.security.Security;
import lockstep.send.ServedLog;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.Reason;
import lockstep.transport.api.Message.StandbyReason;
import lockstep.transport.api.Message.StandbyStatus;
import lockstep.transport.api.Peer;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Term;
import lockstep.transport.netty.DelayedVerdict;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.FlushGatherer;
import lockstep.transport.netty.PortListener.Arrival;
import lockstep.transport.postgres.protocol.BackendMessage;
import lockstep.transport.postgres.protocol.BackendMessage.BackendKeyData;
import lockstep.transport.postgres.protocol.BackendMessage.CommandComplete;
import lockstep.transport.postgres.protocol.BackendMessage.EncryptionAnswer;
import lockstep.transport.postgres.protocol.BackendMessage.ErrorResponse;
import lockstep.transport.postgres.protocol.BackendMessage.NegotiateProtocolVersion;
import lockstep.transport.postgres.protocol.BackendMessage.ParameterStatus;
import lockstep.transport.postgres.protocol.BackendMessage.ReadyForQuery;
import lockstep.transport.postgres.protocol.CopyMessage.CopyData;
import lockstep.transport.postgres.protocol.CopyMessage.CopyDone;
import lockstep.transport.postgres.protocol.FrontendDecoder;
import lockstep.transport.postgres.protocol.FrontendMessage;
import lockstep.transport.postgres.protocol.FrontendMessage.AuthenticationResponse;
import lockstep.transport.postgres.protocol.FrontendMessage.CopyFail;
import lockstep.transport.postgres.protocol.FrontendMessage.Query;
import lockstep.transport.postgres.protocol.FrontendMessage.Terminate;
import lockstep.transport.postgres.protocol.FrontendMessage.Unsupported;
import lockstep.transport.postgres.protocol.ReplicationMessage;
import lockstep.transport.postgres.protocol.ReplicationMessage.StatusUpdate;
import lockstep.transport.postgres.protocol.Report;
import lockstep.transport.postgres.protocol.StartupPacket;
import lockstep.transport.postgres.protocol.StartupPacket.GssEncryptionRequest;
import lockstep.transport.postgres.protocol.StartupPacket.SslRequest;
import lockstep.transport.postgres.protocol.StartupPacket.Startup;
import lockstep.transport.postgres.server.ReplicationCommand.CreateSlot;
import lockstep.transport.postgres.server.ReplicationCommand.DropSlot;
import lockstep.transport.postgres.server.ReplicationCommand.NotUnderstoodException;
import lockstep.transport.postgres.server.ReplicationCommand.StartReplication;
import lockstep.wal.TimelineHistory;
import lockstep.wal.WalLayout;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection of a PostgreSQL client, from its first byte to its last: what a walsender is to a PostgreSQL server.
 *
 * <p><b>Idea.</b> A client talks first and streams later, and perhaps more than once: it asks what system this is, makes a slot, streams
 * one timeline to its end, and then the next, all on one connection. The core knows sessions that do nothing but stream. So the
 * connection answers the talk itself, from the {@link ServedLog}, and opens a session to the core, a {@link WalStream}, for each
 * {@code START_REPLICATION}.
 *
 * <pre>
 *   state           event                                  next            said
 *   STARTUP         SslRequest                             STARTUP         a bare byte, and TLS begins
 *                   Startup for replication                AUTHENTICATION  what {@link Admittance} asks
 *                   anything else                          CLOSING
 *   AUTHENTICATION  the client has proved who it is        READY           AuthenticationOk … ReadyForQuery
 *                   it has not, too late                   CLOSING
 *   READY           a command                              READY           its answer, ReadyForQuery
 *                   START_REPLICATION, the core agrees     COPY            CopyBothResponse
 *                   Terminate                              ENDED
 *   COPY            the client's CopyDone                  READY           CopyDone, the end of the copy
 *                   the end of the timeline                DRAIN           CopyDone
 *                   the core ends the session              CLOSING         the end of the copy, or an error
 *   DRAIN           the client's CopyDone                  READY           the next timeline
 *   CLOSING         the peer's end, or a second            ENDED
 * </pre>
 *
 * <p><b>Threads.</b> The connection has an event loop of its own, as each session of transport.tcp: a handler that blocks holds up this
 * client only. State belongs to the loop; what the core sends from other threads goes through the {@link WalStream}.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails on a channel closes it, and that is heard
final class ClientConnection extends ChannelInboundHandlerAdapter implements WalStream.Owner {
    private static final Logger log = LoggerFactory.getLogger(ClientConnection.class);
    private static final int MAX_BODY_BYTES = 64 << 10;
    private static final long LAST_WORDS_MS = 1_000;
    private static final int LOW_WATER_BYTES = 1 << 20;
    private static final int HIGH_WATER_BYTES = 4 << 20;
    private static final String NO_NAME = "walreceiver";
    private static final String PROTOCOL_VIOLATION = "08P01";
    private static final String NOT_SUPPORTED = "0A000";
    private static final String ADMIN_SHUTDOWN = "57P01";
    private static final String QUERY_CANCELED = "57014";
    private static final String INVALID_AUTHORIZATION = "28000";
    private static final String INVALID_PASSWORD = "28P01";

    private enum State {
        STARTUP,
        AUTHENTICATION,
        READY,
        COPY,
        DRAIN,
        CLOSING,
        ENDED
    }

    private final Supplier<ServedLog> servedLog;
    private final Acceptor acceptor;
    private final Arrival arrival;
    private final Security security;
    private final ServerTls tls;
    private final FrontendDecoder decoder = new FrontendDecoder(MAX_BODY_BYTES);
    private final Set<String> temporarySlots = new HashSet<>();

    private volatile Channel channel;
    private volatile boolean withdrawn;
    private State state = State.STARTUP;
    private Peer peer = new Peer("(unknown)", "", true);
    private String name = "";
    private Startup startup;
    private Admittance admittance;
    private final DelayedVerdict verdict = new DelayedVerdict();

    private Map<String, String> reported = Map.of();
    private WalStream stream;
    private String cause;
    private boolean delivered;

    /**
     * @param servedLog the log that is served at the moment; null if none is
     * @param tls null to be without
     */
    ClientConnection(
            Supplier<ServedLog> servedLog, Acceptor acceptor, Arrival arrival, Security security, ServerTls tls) {
        this.servedLog = servedLog;
        this.acceptor = acceptor;
        this.arrival = arrival;
        this.security = security;
        this.tls = tls;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        channel = ctx.channel();
        channel.config().setOption(ChannelOption.TCP_NODELAY, true);
        channel.config().setWriteBufferWaterMark(new WriteBufferWaterMark(LOW_WATER_BYTES, HIGH_WATER_BYTES));
        ctx.pipeline().addBefore(ctx.name(), null, new FlushGatherer()).addBefore(ctx.name(), null, decoder);
    }

    @Override
    public void channelRegistered(ChannelHandlerContext ctx) {
        channel.closeFuture().addListener(closed -> EventLoops.end(channel.eventLoop()));
        channel.eventLoop().schedule(this::startupTooLate, security.authenticationTimeoutMs(), TimeUnit.MILLISECONDS);
        if (withdrawn) { // before there was a channel to close
            channel.close();
        }
        ctx.fireChannelRegistered();
    }

    private void startupTooLate() {
        if (isStarting()) {
            end("expected a PostgreSQL client to prove who it is within " + security.authenticationTimeoutMs()
                    + " ms (authentication_timeout)");
        }
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        peer = new Peer(NetUtil.toSocketAddressString((InetSocketAddress) channel.remoteAddress()), "", true);
    }

    private boolean isStarting() {
        return state == State.STARTUP || state == State.AUTHENTICATION;
    }

    /** Ends the connection, from any thread: the client is told why. */
    void close(String why) {
        withdrawn = true;
        Channel open = channel;
        if (open != null) {
            onLoop(() -> {
                if (isStarting()) {
                    end(why);
                } else if (state != State.CLOSING && state != State.ENDED) {
                    endStream(why);
                    fatal(Report.fatal(ADMIN_SHUTDOWN, "terminating connection: " + why));
                }
            });
        }
    }

    // What the client says.

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        try {
            if (message instanceof StartupPacket packet) {
                started(packet);
            } else if (message instanceof FrontendMessage said) {
                said(said);
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

    private void started(StartupPacket packet) throws MalformedMessageException {
        if (packet instanceof SslRequest) {
            startTls();
        } else if (packet instanceof GssEncryptionRequest) {
            write(EncryptionAnswer.NO);
        } else if (packet instanceof Startup startup) {
            begin(startup);
        } else {
            end("it asks to cancel a query: there are none here");
        }
    }

    private void startTls() throws MalformedMessageException {
        if (tls == null || channel.pipeline().get(SslHandler.class) != null) {
            write(EncryptionAnswer.NO);
        } else if (decoder.bufferedBytes() > 0) {
            throw new MalformedMessageException("the client, or somebody in between, has sent bytes before TLS began");
        } else {
            try {
                SslHandler handler = tls.context().newHandler(channel.alloc());
                write(EncryptionAnswer.YES);
                channel.pipeline().addFirst(handler);
            } catch (IOException e) {
                log.warn("no TLS for {}: {}", peer.address(), e.getMessage());
                end("this server has no certificate to show: " + e.getMessage());
            }
        }
    }

    private void begin(Startup startup) {
        Map<String, String> asked = startup.parameters();
        String user = asked.getOrDefault("user", "");
        String replication = asked.getOrDefault("replication", "");
        if (user.isEmpty()) {
            refuse(Report.fatal(INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet"));
        } else if (replication.equals("database")) {
            refuse(Report.fatal(NOT_SUPPORTED, "logical replication is not supported by a Lockstep server"));
        } else if (!ReplicationCommand.isTrue(replication)) {
            refuse(Report.fatal(
                            NOT_SUPPORTED,
                            "this is a Lockstep server, which takes replication connections and runs no SQL")
                    .withHint("Connect with replication=true."));
        } else if (tls != null && channel.pipeline().get(SslHandler.class) == null) {
            refuse(Report.fatal(INVALID_AUTHORIZATION, "this server wants TLS here")
                    .withHint("Connect with sslmode=verify-full and sslrootcert."));
        } else {
            asked(startup, user);
        }
    }

    private void asked(Startup startup, String user) {
        name = startup.parameters().getOrDefault("application_name", "");
        name = name.isEmpty() ? NO_NAME : name;
        this.startup = startup;
        state = State.AUTHENTICATION;
        negotiateVersion();
        SslHandler handler = channel.pipeline().get(SslHandler.class);
        try {
            admittance = new Admittance(
                    security,
                    ((InetSocketAddress) channel.remoteAddress()).getAddress(),
                    handler == null ? null : TlsFacts.of(handler),
                    user,
                    name);
            authenticated(admittance.begin());
        } catch (AccessException e) {
            notAuthenticated(e);
        }
    }

    private void negotiateVersion() {
        List<String> unknown = startup.parameters().keySet().stream()
                .filter(parameter -> parameter.startsWith("_pq_."))
                .toList();
        if (startup.minor() > 0 || !unknown.isEmpty()) {
            write(new NegotiateProtocolVersion(0, unknown));
        }
    }

    private void authenticated(List<BackendMessage> answers) {
        answers.forEach(this::write);
        if (admittance.isOver()) {
            letIn();
        }
    }

    private void notAuthenticated(AccessException e) {
        boolean password = admittance != null && admittance.isAboutPassword();
        refuse(
                Report.fatal(
                        password ? INVALID_PASSWORD : INVALID_AUTHORIZATION,
                        admittance == null ? e.getMessage() : admittance.refusal(e)),
                "as standby \"" + name + "\": " + e.getMessage());
    }

    private void refuse(Report report) {
        refuse(report, report.message());
    }

    /** @param why for the log of this server, which may say more than the client is told */
    private void refuse(Report report, String why) {
        state = State.CLOSING;
        cause = why;
        arrival.refused(why);
        writeLast(new ErrorResponse(report));
    }

    private void letIn() {
        peer = admittance.peer(peer.address());
        ServedLog served = servedLog.get();
        if (served == null) {
            refuse(Answers.notServing().asFatal());
            return;
        }
        reported = ServerSettings.reported(name, startup.parameters().get("user"), served);
        reported.forEach((setting, value) -> write(new ParameterStatus(setting, value)));
        ThreadLocalRandom random = ThreadLocalRandom.current();
        write(new BackendKeyData(random.nextInt(), random.nextInt()));
        state = State.READY;
        arrival.letIn();
        ready();
    }

    private void said(FrontendMessage message) throws MalformedMessageException {
        if (state == State.CLOSING || state == State.ENDED) {
            return;
        }
        if (state == State.AUTHENTICATION) {
            if (!(message instanceof AuthenticationResponse response)) {
                throw new MalformedMessageException("expected an answer to the question for a password, found "
                        + message.getClass().getSimpleName());
            }
            if (verdict.isAwaited()) {
                throw new MalformedMessageException("the client does not wait for the answer to its password");
            }
            answered(response);
        } else if (message instanceof Terminate) {
            end(peer.address() + " has ended the connection");
        } else if (state == State.READY) {
            ask(message);
        } else {
            copied(message);
        }
    }

    private void answered(AuthenticationResponse response) {
        verdict.after(admittance.delayMs(), channel, () -> {
            if (state == State.AUTHENTICATION) {
                authenticate(response);
            }
        });
    }

    private void authenticate(AuthenticationResponse response) {
        try {
            authenticated(admittance.hear(response));
        } catch (AccessException e) {
            notAuthenticated(e);
        } catch (MalformedMessageException e) {
            malformed(e);
        }
    }

    private void ask(FrontendMessage message) {
        if (message instanceof Query query) {
            answer(query.text());
        } else if (message instanceof Unsupported part && part.isSync()) {
            ready();
        } else if (message instanceof Unsupported) {
            write(new ErrorResponse(Report.error(
                    PROTOCOL_VIOLATION, "extended query protocol not supported in a replication connection")));
        }
        // Else it is what a client still said of a copy that has ended.
    }

    private void answer(String text) {
        ServedLog served = servedLog.get();
        if (served == null) {
            answer(Answers.error(Answers.notServing()));
            return;
        }
        ReplicationCommand command;
        try {
            command = ReplicationCommand.parse(text);
        } catch (NotUnderstoodException e) {
            answer(Answers.error(e.report()));
            return;
        }
        if (command instanceof StartReplication start) {
            startReplication(start, served);
            return;
        }
        List<BackendMessage> answer = Answers.to(command, served, reported);
        if (answer.get(answer.size() - 1) instanceof CommandComplete) {
            if (command instanceof CreateSlot created && created.temporary()) {
                temporarySlots.add(created.name());
            } else if (command instanceof DropSlot dropped) {
                temporarySlots.remove(dropped.name());
            }
        }
        answer(answer);
    }

    private void answer(List<BackendMessage> messages) {
        messages.forEach(this::write);
        ready();
    }

    private void ready() {
        write(new ReadyForQuery());
    }

    private void startReplication(StartReplication asked, ServedLog served) {
        TimelineHistory history = served.history();
        Report objection = Answers.objection(asked, history, served.flushedLsn());
        int timeline = asked.timeline() == 0 ? history.timeline() : asked.timeline();
        long timelineEndLsn = history.endOf(timeline);
        if (objection != null) {
            answer(Answers.error(objection));
        } else if (asked.startLsn() == timelineEndLsn) {
            answer(Answers.endOfCopy(timeline, history));
        } else {
            open(new WalStream(channel, peer, this, timeline, asked.startLsn(), timelineEndLsn), asked, served);
        }
    }

    private void open(WalStream opened, StartReplication asked, ServedLog served) {
        stream = opened;
        state = State.COPY;
        try {
            SessionHandler core = acceptor.accept(opened);
            if (core == null) {
                opened.close("nobody takes the session");
                return;
            }
            opened.handledBy(core);
        } catch (RuntimeException | Error e) {
            defect("accepting the session", e);
            return;
        }
        deliver(new Message.StartReplication(
                name,
                asked.slot(),
                served.systemId(),
                opened.timeline(),
                0,
                asked.startLsn(),
                new Term(opened.timeline(), 0)));
    }

    private void copied(FrontendMessage message) throws MalformedMessageException {
        if (message instanceof CopyData data) {
            ReplicationMessage said = ReplicationMessage.decode(data.content());
            if (said instanceof StatusUpdate status) {
                deliver(new StandbyStatus(
                        status.writtenLsn(),
                        status.flushedLsn(),
                        status.appliedLsn(),
                        status.sentAtMicros(),
                        status.replyRequested()));
            }
        } else if (message instanceof CopyDone) {
            copyDone();
        } else if (message instanceof CopyFail fail) {
            endStream("the client ended the copy: " + fail.why());
            state = State.READY;
            answer(Answers.error(Report.error(QUERY_CANCELED, "COPY from stdin failed: " + fail.why())));
        } else {
            throw new MalformedMessageException(
                    "a " + message.getClass().getSimpleName() + " has no place while WAL is copied");
        }
    }

    private void copyDone() {
        WalStream ended = stream;
        if (state == State.COPY) {
            deliver(new StandbyReason(Reason.LEAVING, 0, "it ended the copy"));
            if (state != State.COPY) {
                return;
            }
            if (ended.end("the client ended the copy")) {
                tellClosed(ended);
                write(new CopyDone());
            } else if (ended.ending() != WalStream.End.TIMELINE) {
                return; // it crossed the core's own end of the stream, which this connection hears of in a moment
            }
        }
        stream = null;
        state = State.READY;
        ServedLog served = servedLog.get();
        answer(Answers.endOfCopy(
                ended.timeline(), served == null ? TimelineHistory.of(ended.timeline()) : served.history()));
    }

    // What the core does with a stream.

    @Override
    public void ended(WalStream ended) {
        onLoop(() -> {
            tellClosed(ended);
            if (stream != ended || state != State.COPY) {
                return;
            }
            stream = ended.ending() == WalStream.End.TIMELINE ? ended : null;
            switch (ended.ending()) {
                case REFUSED -> {
                    state = State.READY;
                    Message.Refusal refusal = ended.refusal();
                    answer(Answers.error(
                            refusal == null ? Report.error(ADMIN_SHUTDOWN, ended.cause()) : report(ended)));
                }
                case TIMELINE -> state = State.DRAIN;
                case SHUTDOWN -> {
                    state = State.CLOSING;
                    cause = ended.cause();
                    writeLast(new CommandComplete("COPY 0"));
                }
                case BROKEN ->
                    fatal(
                            ended.refusal() == null
                                    ? Report.fatal(ADMIN_SHUTDOWN, "terminating connection: " + ended.cause())
                                    : report(ended));
            }
        });
    }

    private Report report(WalStream ended) {
        ServedLog served = servedLog.get();
        return Answers.report(
                ended.refusal(), served == null ? "" : segment(ended, new WalLayout(served.segmentBytes())));
    }

    private static String segment(WalStream stream, WalLayout layout) {
        return layout.segmentName(stream.timeline(), layout.segmentOf(stream.nextLsn()));
    }

    /** Ends the stream, if there is one that has not ended. */
    private void endStream(String why) {
        WalStream open = stream;
        stream = null;
        if (open != null && open.end(why)) {
            tellClosed(open);
        }
    }

    private void tellClosed(WalStream ended) {
        SessionHandler core = ended.handler();
        ended.handledBy(null);
        if (core != null) {
            try {
                core.closed(ended.cause());
            } catch (RuntimeException | Error e) {
                log.error("{}: ending it failed, which is a defect", ended, e);
            }
        }
    }

    private void deliver(Message message) {
        WalStream open = stream;
        SessionHandler core = open == null || open.cause() != null ? null : open.handler();
        if (core != null) {
            delivered = true;
            try {
                core.received(open, message);
            } catch (RuntimeException | Error e) {
                defect("receiving " + message.getClass().getSimpleName(), e);
            }
        }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        WalStream open = stream;
        SessionHandler core = open == null || open.cause() != null ? null : open.handler();
        if (delivered && core != null) {
            try {
                core.endOfBatch();
            } catch (RuntimeException | Error e) {
                defect("ending a batch", e);
            }
        }
        delivered = false;
        ctx.fireChannelReadComplete();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (channel.isWritable()) {
            // May have been caused by a send of the handler, so not now but when that has returned.
            channel.eventLoop().execute(() -> {
                WalStream open = stream;
                SessionHandler core = open == null || open.cause() != null ? null : open.handler();
                if (core != null) {
                    core.writable();
                }
            });
        }
    }

    private void defect(String doing, Throwable e) {
        log.error("connection of {}: {} failed, which is a defect; it is closed", peer.address(), doing, e);
        endStream(doing + " failed: " + e);
        fatal(Report.fatal("XX000", doing + " failed: " + e));
    }

    // Writing, and the end.

    private void onLoop(Runnable task) {
        try {
            channel.eventLoop().execute(task);
        } catch (RejectedExecutionException e) {
            log.debug("{} has ended already", this, e);
        }
    }

    private void write(BackendMessage message) {
        channel.writeAndFlush(encoded(message));
    }

    private ByteBuf encoded(BackendMessage message) {
        ByteBuf out = channel.alloc().directBuffer();
        message.encode(out);
        return out;
    }

    private void fatal(Report report) {
        state = State.CLOSING;
        cause = report.message();
        writeLast(new ErrorResponse(report));
    }

    /**
     * Says something and nothing more. The connection is still read for a while: to close a socket with unread bytes would make
     * TCP throw away what is on its way to the client.
     */
    private void writeLast(BackendMessage message) {
        SslHandler encrypted = channel.pipeline().get(SslHandler.class);
        channel.writeAndFlush(encoded(message)).addListener(sent -> {
            if (encrypted == null) {
                ((DuplexChannel) channel).shutdownOutput();
            } else {
                encrypted.closeOutbound();
            }
        });
        channel.eventLoop().schedule(() -> channel.close(), LAST_WORDS_MS, TimeUnit.MILLISECONDS);
    }

    /** Closes the connection without a word. */
    private void end(String why) {
        cause = cause == null ? why : cause;
        channel.close();
    }

    private void malformed(MalformedMessageException e) {
        if (isStarting()) {
            end(e.getMessage());
        } else if (state != State.CLOSING && state != State.ENDED) {
            log.warn("connection of {} is closed: {}", peer.address(), e.getMessage());
            endStream("message from " + peer.address() + ": " + e.getMessage());
            fatal(Report.fatal(PROTOCOL_VIOLATION, e.getMessage()));
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable e) {
        if (e instanceof DecoderException && e.getCause() instanceof MalformedMessageException malformed) {
            malformed(malformed);
        } else if (e instanceof DecoderException && e.getCause() instanceof SSLException) {
            end("TLS with " + peer.address() + " failed: " + e.getCause().getMessage());
        } else {
            if (!(e instanceof IOException)) {
                log.error("connection of {} failed, which is a defect; it is closed", peer.address(), e);
            }
            end("connection to " + peer.address() + " lost: " + e.getMessage());
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        State last = state;
        state = State.ENDED;
        cause = cause == null ? peer.address() + " closed the connection" : cause;
        endStream(cause);
        dropTemporarySlots();
        if (last == State.STARTUP || last == State.AUTHENTICATION) {
            arrival.refused(cause);
        }
    }

    private void dropTemporarySlots() {
        ServedLog served = servedLog.get();
        for (String slot : temporarySlots) {
            try {
                if (served != null) {
                    served.dropSlot(slot);
                }
            } catch (IOException | RuntimeException e) {
                log.warn("temporary replication slot \"{}\" of {} stays: {}", slot, peer.address(), e.getMessage());
            } catch (lockstep.retention.SlotException e) {
                log.debug("temporary replication slot \"{}\" is gone already", slot, e);
            }
        }
    }

    @Override
    public String toString() {
        return "connection of " + peer.address();
    }
}
