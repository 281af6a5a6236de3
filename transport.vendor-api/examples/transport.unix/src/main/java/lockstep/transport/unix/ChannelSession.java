package lockstep.transport.unix;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.TransportException;

/**
 * One connection, from its first byte to its last.
 *
 * <p><b>Idea.</b> Each session has one thread, which waits with a selector of its own, reads, decodes, and makes all calls
 * of the handler. A handler that blocks therefore stops reading, the socket's buffers fill, and the peer's {@link
 * #isWritable} turns false: back-pressure needs no code. Who sends writes at once, as far as the socket takes it; the
 * session's thread writes the rest.
 *
 * <pre>
 *   state     event                            next      what happens
 *   GREETING  the peer's greeting              OPEN      a handler is asked for; messages flow
 *             foreign bytes, too late, close   ENDED
 *   OPEN      close(cause)                     CLOSING   what was sent goes out, then the end of the stream
 *             damaged frame, connection lost   ENDED
 *   CLOSING   the peer's end, or a second      ENDED     what the peer still says is thrown away
 *   ENDED                                                closed(cause), once and last; the thread ends
 * </pre>
 *
 * <p><b>Invariants.</b> {@code cause} is set once, by whoever ends the session first; nothing is delivered after it. State,
 * handler and {@code in} belong to the session's thread.
 */
final class ChannelSession implements Session {
    private static final System.Logger log = System.getLogger(ChannelSession.class.getName());
    private static final byte[] GREETING = "LOCKSTEP\0\0\0\1".getBytes(StandardCharsets.US_ASCII);
    private static final long OPEN_MS = 10_000;
    private static final long LAST_WORDS_MS = 1_000;
    private static final int READ_BYTES = 256 << 10;

    private enum State {
        GREETING,
        OPEN,
        CLOSING
    }

    /** Who wants the session. Exactly one of the two is called, once, on the session's thread. */
    interface Opening {
        /** Takes the open session; returns who handles its messages, or null if it is wanted no more. */
        SessionHandler opened(ChannelSession session);

        /** Hears that there will be no session. */
        void failed(String why);
    }

    private final SocketChannel channel;
    private final Selector selector;
    private final UnixAddress target;
    private final Opening opening;
    private final Outgoing out = new Outgoing();
    private final AtomicReference<String> cause = new AtomicReference<>();
    private volatile Peer peer;

    private ByteBuffer in = ByteBuffer.allocateDirect(READ_BYTES);
    private State state = State.GREETING;
    private SessionHandler handler;
    private long deadlineNanos = after(OPEN_MS);

    private ChannelSession(SocketChannel channel, UnixAddress target, Peer peer, Opening opening) throws IOException {
        this.channel = channel;
        this.target = target;
        this.peer = peer;
        this.opening = opening;
        channel.configureBlocking(false);
        selector = Selector.open();
    }

    /** Makes a session that connects when it runs. */
    static ChannelSession connecting(UnixAddress target, Opening opening) throws TransportException {
        SocketChannel channel = null;
        try {
            channel = target.open();
            return new ChannelSession(channel, target, new Peer(target.toString(), "", false), opening);
        } catch (IOException e) {
            close(channel);
            throw new TransportException(
                    "cannot connect to " + UnixAddress.SCHEME + "://" + target + ": " + e.getMessage(), e);
        }
    }

    /** Makes a session of a connection that was accepted. */
    static ChannelSession accepted(SocketChannel channel, Peer peer, Opening opening) throws IOException {
        return new ChannelSession(channel, null, peer, opening);
    }

    @Override
    public void send(Message message) {
        if (cause.get() != null) {
            return;
        }
        if (!out.add(message)) {
            close("the peer does not take what is sent");
            return;
        }
        try {
            out.write(channel);
        } catch (IOException e) {
            // The session's thread finds the same, and ends the session.
        }
        selector.wakeup();
    }

    @Override
    public boolean isWritable() {
        return cause.get() == null && !out.isFull();
    }

    @Override
    public Peer peer() {
        return peer;
    }

    @Override
    public void close(String why) {
        cause.compareAndSet(null, why);
        selector.wakeup();
    }

    /** Gives up a session that will not run. */
    void abandon() {
        close(channel);
        closeSelector();
    }

    /** Serves the connection until it has ended. */
    void run() {
        try {
            SelectionKey key = channel.register(selector, 0);
            if (target != null) {
                connect(key);
                out.add(GREETING);
            }
            while (isGoingOn()) {
                boolean allWritten = write();
                key.interestOps(SelectionKey.OP_READ | (allWritten ? 0 : SelectionKey.OP_WRITE));
                selector.select(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime())));
                read();
            }
        } catch (MalformedMessageException e) {
            cause.compareAndSet(null, "message from " + peer.address() + ": " + e.getMessage());
        } catch (IOException e) {
            cause.compareAndSet(null, lost(e));
        } catch (RuntimeException | Error e) {
            log.log(System.Logger.Level.ERROR, this + " failed, which is a defect", e);
            cause.compareAndSet(null, "session failed: " + e);
        }
        end();
    }

    private String lost(IOException e) {
        return target != null && state == State.GREETING
                ? e.getMessage() + "; does a server listen there?"
                : "connection to " + peer.address() + " lost: " + e.getMessage();
    }

    private void connect(SelectionKey key) throws IOException {
        if (!channel.connect(target.socketAddress())) {
            key.interestOps(SelectionKey.OP_CONNECT);
            while (!channel.finishConnect() && isGoingOn()) {
                selector.select(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime())));
            }
        }
        peer = target.peer(channel);
    }

    private static long after(long ms) {
        return System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(ms);
    }

    /** Looks whether somebody has closed the session, and at the time. */
    private boolean isGoingOn() {
        if (state == State.OPEN) {
            if (cause.get() != null) {
                state = State.CLOSING;
                deadlineNanos = after(LAST_WORDS_MS);
            } else {
                deadlineNanos = after(OPEN_MS); // only that there is one to wait with
            }
            return true;
        }
        if (System.nanoTime() - deadlineNanos >= 0) {
            cause.compareAndSet(null, "no greeting within " + OPEN_MS + " ms");
            return false;
        }
        return state == State.CLOSING || cause.get() == null;
    }

    private boolean write() throws IOException {
        boolean allWritten = out.write(channel);
        if (state == State.CLOSING && out.endIfEmpty()) {
            channel.shutdownOutput();
        } else if (state == State.OPEN && out.takeDrained()) {
            call("going on to send", () -> handler.writable());
        }
        return allWritten;
    }

    private void read() throws IOException {
        int bytes = channel.read(in);
        if (bytes < 0) {
            throw new IOException(in.position() == 0 ? "closed by the peer" : "closed in the middle of a message");
        }
        in.flip();
        if (state == State.GREETING) {
            greet();
        }
        if (state == State.OPEN && cause.get() == null) {
            deliver();
        }
        if (cause.get() != null) {
            in.position(in.limit()); // nobody is there any more who would hear it
        }
        in.compact();
    }

    /** Takes the peer's greeting. Foreign bytes are known by the first that differs. */
    private void greet() throws MalformedMessageException {
        int here = Math.min(in.remaining(), GREETING.length);
        byte[] heard = new byte[here];
        in.get(0, heard);
        if (!Arrays.equals(heard, 0, here, GREETING, 0, here)) {
            throw new MalformedMessageException("expected a greeting of version " + GREETING[GREETING.length - 1]
                    + ", found other bytes: is that a Lockstep server, of the same version?");
        }
        if (here == GREETING.length) {
            in.position(here);
            if (target == null) {
                out.add(GREETING);
            }
            state = State.OPEN;
            call("accepting the session", () -> handler = opening.opened(this));
            if (handler == null) {
                close("nobody takes the session");
            }
        }
    }

    /** Delivers the whole frames that have come, and makes room for the rest of the next. */
    private void deliver() throws MalformedMessageException {
        boolean delivered = false;
        int wantedBytes = MessageCodec.HEADER_BYTES;
        while (cause.get() == null && in.remaining() >= wantedBytes) {
            wantedBytes = MessageCodec.frameBytes(in);
            if (in.remaining() >= wantedBytes) {
                Message message = MessageCodec.decode(in);
                wantedBytes = MessageCodec.HEADER_BYTES;
                delivered = true;
                call("receiving " + message.getClass().getSimpleName(), () -> handler.received(this, message));
            }
        }
        if (delivered && cause.get() == null) {
            call("ending a batch", () -> handler.endOfBatch());
        }
        if (wantedBytes > in.capacity()) {
            in = ByteBuffer.allocateDirect(MessageCodec.MAX_FRAME_BYTES).put(in).flip();
        }
    }

    private void call(String doing, Runnable what) {
        try {
            what.run();
        } catch (RuntimeException | Error e) {
            log.log(System.Logger.Level.ERROR, this + ": " + doing + " failed, which is a defect", e);
            close(doing + " failed: " + e);
        }
    }

    private void end() {
        close(channel);
        closeSelector();
        if (state == State.GREETING) {
            opening.failed(cause.get());
        } else if (handler != null) {
            call("ending it", () -> handler.closed(cause.get()));
        }
    }

    private void closeSelector() {
        try {
            selector.close();
        } catch (IOException e) {
            log.log(System.Logger.Level.WARNING, this + " did not close in good order", e);
        }
    }

    private static void close(SocketChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            log.log(System.Logger.Level.DEBUG, "a connection did not close in good order", e);
        }
    }

    @Override
    public String toString() {
        return "session with " + peer.address();
    }
}
