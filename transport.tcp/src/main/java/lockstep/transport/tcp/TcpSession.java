package lockstep.transport.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPromise;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.NetUtil;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import lockstep.security.AccessException;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.netty.DelayedVerdict;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.FlushGatherer;
import lockstep.transport.netty.SocketIo;
import lockstep.transport.netty.Tls;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One TCP connection, from its first byte to its last.
 *
 * <p><b>Idea.</b> Each session has an event loop of its own: one thread that reads, decodes, calls the handler, and
 * writes. A handler that blocks therefore stops reading, TCP's window closes, and the peer's {@link #isWritable} turns
 * false: back-pressure needs no code. The usual few loops for all connections would let one blocked handler stop others;
 * handing messages to a second thread would cost a queue, a copy and a wake-up on the path that commits wait for. There
 * are few sessions, so threads are cheap. The price: what another thread sends waits while the handler blocks.
 *
 * <pre>
 *   state      event                            next       what happens
 *   GREETING   the peer's greeting              HANDSHAKE
 *              foreign bytes, too late, close   ENDED      refused at once
 *   HANDSHAKE  who connects has proved itself   OPEN       a handler is asked for; messages flow
 *              it has not                       CLOSING    it is told so
 *              malformed, too late, close       ENDED
 *   OPEN       close(cause)                     CLOSING    what was sent goes out, then the end of the stream
 *              damaged frame, connection lost   ENDED
 *   CLOSING    the peer's end, or a second      ENDED      what the peer still says is thrown away
 *   ENDED                                                  closed(cause), once and last; the thread ends
 * </pre>
 *
 * <p>TLS, if any, is a handler of its own between the socket and this one, and all of the above happens inside it.
 *
 * <p>In CLOSING the connection is kept and read, because closing a socket with unread bytes makes TCP throw away what
 * is still on its way to the peer: a refusal would be lost just when it matters.
 *
 * <p><b>Invariants.</b> State, handler and reader belong to the event loop. {@code cause} is set once, by whoever ends the
 * session first; nothing is sent or delivered after it. Nothing of the handler is called inside a call of the handler.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails on a channel closes it, and that is heard
final class TcpSession extends ChannelDuplexHandler implements Session {
    private static final Logger log = LoggerFactory.getLogger(TcpSession.class);
    private static final long LAST_WORDS_MS = 1_000;
    private static final int LOW_WATER_BYTES = 1 << 20;
    private static final int HIGH_WATER_BYTES = 4 << 20;

    private enum State {
        GREETING,
        HANDSHAKE,
        OPEN,
        CLOSING,
        ENDED
    }

    /** Who wants the session. Exactly one of the two is called, once, on the session's thread. */
    interface Opening {
        /** Takes the open session; returns who handles its messages, or null if it is wanted no more. */
        SessionHandler opened(TcpSession session);

        /** Hears that there will be no session; {@code why} says what was found. */
        void failed(String why, Throwable reason);
    }

    private final Opening opening;
    private final Handshake handshake;
    private final boolean connecting;
    private final int greetingMs;
    private final AtomicReference<String> cause = new AtomicReference<>();

    private volatile Channel channel;
    private volatile Peer peer = new Peer("", "", false);
    private volatile Packing packing;

    private State state = State.GREETING;
    private final Greeting greeting = new Greeting();
    private final Word.Reader words = new Word.Reader();
    private final DelayedVerdict verdict = new DelayedVerdict();
    private Handshake.Link link;

    private boolean opened;
    private final FrameReader frames = new FrameReader();
    private Throwable reason;
    private SessionHandler handler;
    private boolean delivered;

    /**
     * @param connecting whether this side opens the connection, and so greets first
     * @param greetingMs how long the peer may take to greet and to prove who it is
     */
    TcpSession(boolean connecting, int greetingMs, Handshake handshake, Opening opening) {
        this.connecting = connecting;
        this.greetingMs = greetingMs;
        this.handshake = handshake;
        this.opening = opening;
    }

    @Override
    public void send(Message message) {
        if (cause.get() == null) {
            ByteBuf frame = frame(message);
            channel.writeAndFlush(packing == null || !isBulk(message) ? frame : packing.pack(frame));
        }
    }

    private static boolean isBulk(Message message) {
        return message instanceof Message.WalData || message instanceof Message.BackupData;
    }

    private ByteBuf frame(Message message) {
        int bytes = MessageCodec.frameBytes(message);
        ByteBuf frame = channel.alloc().directBuffer(bytes, bytes);
        try {
            MessageCodec.encode(message, frame.internalNioBuffer(0, bytes));
            return frame.writerIndex(bytes);
        } catch (RuntimeException e) {
            frame.release();
            throw e;
        }
    }

    @Override
    public boolean isWritable() {
        return cause.get() == null && channel.isWritable();
    }

    @Override
    public Peer peer() {
        return peer;
    }

    /** Ends the session, in whatever state it is; also before there is a connection. */
    @Override
    public void close(String why) {
        if (cause.compareAndSet(null, why) && channel != null) {
            try {
                // Queued even on the loop itself: other threads may have sent before, and their bytes are queued too.
                channel.eventLoop().execute(this::finish);
            } catch (RejectedExecutionException e) {
                log.debug("session with {} had ended when it was closed: {}", peer.address(), why);
            }
        }
    }

    private void finish() {
        if (state == State.OPEN) {
            sayGoodbye();
        } else if (state == State.GREETING || state == State.HANDSHAKE) {
            cut();
        }
    }

    private void sayGoodbye() {
        state = State.CLOSING;
        channel.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(sent -> endOutput());
        channel.eventLoop().schedule(this::cut, LAST_WORDS_MS, TimeUnit.MILLISECONDS);
    }

    private void endOutput() {
        SslHandler tls = channel.pipeline().get(SslHandler.class);
        if (tls == null) {
            ((DuplexChannel) channel).shutdownOutput();
        } else {
            tls.closeOutbound().addListener(said -> ((DuplexChannel) channel).shutdownOutput());
        }
    }

    /** Ends the session at once. */
    private void abort(String why, Throwable because) {
        if (cause.compareAndSet(null, why)) {
            reason = because;
        }
        cut();
    }

    /** Closes the socket now; through the pipeline, TLS would first wait for a peer that takes nothing. */
    private void cut() {
        channel.unsafe().close(channel.newPromise());
    }

    @Override
    public void handlerAdded(ChannelHandlerContext ctx) {
        channel = ctx.channel();
        ChannelConfig config = channel.config();
        config.setOption(ChannelOption.TCP_NODELAY, true);
        config.setWriteBufferWaterMark(new WriteBufferWaterMark(LOW_WATER_BYTES, HIGH_WATER_BYTES));
        config.setRecvByteBufAllocator(SocketIo.reads());
        // The kernel's buffers are left alone: Linux grows them to megabytes while a connection can use them, and stops
        // doing so, often at 200 kB, once a size has been asked for.
        ctx.pipeline().addBefore(ctx.name(), null, new FlushGatherer());
    }

    @Override
    public void channelRegistered(ChannelHandlerContext ctx) {
        channel.closeFuture().addListener(closed -> EventLoops.end(channel.eventLoop()));
        channel.eventLoop().schedule(this::greetingTooLate, greetingMs, TimeUnit.MILLISECONDS);
        if (cause.get() != null) {
            cut();
        }
        ctx.fireChannelRegistered();
    }

    private void greetingTooLate() {
        if (state == State.GREETING) {
            abort(
                    "expected a Lockstep server to greet within " + greetingMs + " ms, found " + greeting.heardBytes()
                            + " of " + Greeting.BYTES + " bytes",
                    null);
        } else if (state == State.HANDSHAKE) {
            abort("expected " + peer.address() + " to say within " + greetingMs + " ms who it is", null);
        }
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        InetSocketAddress remote = (InetSocketAddress) channel.remoteAddress();
        peer = new Peer(NetUtil.toSocketAddressString(remote), "", false);
        if (connecting) {
            channel.write(Greeting.encode(channel.alloc()));
            handshake.begin(this::say);
        }
    }

    private void say(Word word) {
        channel.writeAndFlush(word.encode(channel.alloc()));
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        ByteBuf in = (ByteBuf) message;
        try {
            if (state == State.GREETING && cause.get() == null && greeting.hear(in)) {
                greeted();
            }
            Word word;
            while (state == State.HANDSHAKE
                    && !verdict.isAwaited()
                    && cause.get() == null
                    && (word = words.hear(in)) != null) {
                talk(word);
            }
            if (verdict.isAwaited() && in.isReadable()) {
                abort(peer.address() + " does not wait for the answer to what it has said", null);
            }
            // After an end that another thread has put to it, the reader may have stopped within what came.
            if (state == State.OPEN && cause.get() == null) {
                frames.read(in, this::deliver);
            }
        } catch (MalformedMessageException e) {
            abort(state == State.OPEN ? "message from " + peer.address() + ": " + e.getMessage() : e.getMessage(), e);
        } finally {
            in.release();
        }
    }

    private void greeted() {
        if (!connecting) {
            channel.writeAndFlush(Greeting.encode(channel.alloc()));
        }
        link = new Handshake.Link(
                (InetSocketAddress) channel.remoteAddress(),
                Tls.of(channel.pipeline().get(SslHandler.class)));
        state = State.HANDSHAKE;
    }

    private void talk(Word word) {
        verdict.after(handshake.delayMs(link), channel, () -> {
            if (state == State.HANDSHAKE && cause.get() == null) {
                hear(word);
            }
        });
    }

    private void hear(Word word) {
        try {
            if (handshake.hear(word, link, this::say)) {
                open();
            }
        } catch (AccessException e) {
            if (cause.compareAndSet(null, e.getMessage())) {
                reason = e;
            }
            sayGoodbye();
        }
    }

    private void open() {
        peer = handshake.peer(link);
        handshake.compression().ifPresent(agreed -> packing = new Packing(agreed, channel.alloc()));
        frames.unpackWith(packing);
        opened = true;
        state = State.OPEN;
        try {
            handler = opening.opened(this);
            if (handler == null) {
                close("nobody takes the session");
            }
        } catch (RuntimeException | Error e) {
            defect("accepting the session", e);
        }
    }

    private boolean deliver(Message message) {
        if (cause.get() == null) {
            delivered = true;
            try {
                handler.received(this, message);
            } catch (RuntimeException | Error e) {
                defect("receiving " + message.getClass().getSimpleName(), e);
            }
        }
        return cause.get() == null;
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        if (delivered && cause.get() == null) {
            delivered = false;
            try {
                handler.endOfBatch();
            } catch (RuntimeException | Error e) {
                defect("ending a batch", e);
            }
        }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        if (channel.isWritable()) {
            // May have been caused by a send of the handler, so not now but when that has returned.
            channel.eventLoop().execute(this::writable);
        }
    }

    private void writable() {
        if (handler != null && cause.get() == null) {
            try {
                handler.writable();
            } catch (RuntimeException | Error e) {
                defect("going on to send", e);
            }
        }
    }

    private void defect(String doing, Throwable e) {
        log.error("session with {}: {} failed, which is a defect; the session is closed", peer.address(), doing, e);
        close(doing + " failed: " + e);
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object frame, ChannelPromise promise) {
        ctx.write(frame, promise.addListener((ChannelFuture sent) -> lost(sent.cause())));
    }

    /** Keeps why the connection was lost; that it was lost shows by itself. */
    private void lost(Throwable because) {
        if (because instanceof IOException
                && !(because instanceof ClosedChannelException)
                && cause.compareAndSet(null, "connection to " + peer.address() + " lost: " + because.getMessage())) {
            reason = because;
        }
    }

    /** Hears of TLS: that it is there, or why it is not. */
    @Override
    public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
        if (event instanceof SslHandshakeCompletionEvent completion
                && !completion.isSuccess()
                && cause.compareAndSet(null, TlsTrouble.of(completion.cause(), connecting))) {
            // It closes the connection itself, when it has told the peer.
            reason = completion.cause();
        }
        ctx.fireUserEventTriggered(event);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable e) {
        if (TlsTrouble.is(e)) {
            abort(TlsTrouble.of(e, connecting), e);
            return;
        }
        lost(e);
        if (!(e instanceof IOException)) {
            log.error("session with {} failed, which is a defect; the session is closed", peer.address(), e);
        }
        abort("session failed: " + e, e);
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        int cut = frames.partialBytes();
        cause.compareAndSet(
                null,
                peer.address()
                        + (connecting && !opened
                                ? " hung up before the session was open; its log says why"
                                : " closed the connection")
                        + (cut > 0 ? " in the middle of a message, after " + cut + " of its bytes" : ""));
        end();
    }

    /** Hears that no connection came about. */
    void notConnected(String why, Throwable because) {
        if (cause.compareAndSet(null, why)) {
            reason = because;
        }
        end();
    }

    private void end() {
        state = State.ENDED;
        frames.release();
        if (packing != null) {
            packing.close();
        }
        try {
            if (handler != null) {
                handler.closed(cause.get());
            } else if (!opened) {
                opening.failed(cause.get(), reason);
            }
        } catch (RuntimeException | Error e) {
            log.error("session with {}: ending it failed, which is a defect", peer.address(), e);
        }
    }

    @Override
    public String toString() {
        return "session with " + peer.address();
    }
}
