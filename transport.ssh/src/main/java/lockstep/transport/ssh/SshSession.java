package lockstep.transport.ssh;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One session, whatever {@link Link} carries its bytes.
 *
 * <p><b>Idea.</b> SSH libraries and blocking sockets have a thread that reads, so a session has two: the reader, which
 * decodes and calls the handler, and the writer, which empties the {@link Outbox}. Whatever blocks, blocks one of these
 * two: a handler that does not return stops the reader, the channel's window closes, the peer's writer waits in its link
 * and its outbox fills, until the peer's {@link #isWritable} is false. {@link #send} only ever puts into the outbox.
 *
 * <pre>
 *   state     event                            next      what happens
 *   GREETING  the peer's greeting              OPEN      a handler is asked for; messages flow
 *             foreign bytes, too late, close   ENDED     refused at once
 *   OPEN      close(cause)                     OPEN      what was sent is written, then the end of the stream; what
 *                                                        the peer still says is thrown away
 *             the peer's end, or a second      ENDED
 *             damaged frame, connection lost   ENDED
 *   ENDED                                                closed(cause), once and last; both threads end
 * </pre>
 *
 * <p><b>Invariants.</b> {@code cause} is set once, by whoever ends the session first; nothing is sent or delivered after it.
 * {@code closed} comes from the reader, so a link that is given up is only cut, and no thread is interrupted: it may be
 * the handler's, in the middle of a file.
 *
 * <p><b>Lock.</b> {@code calls} is held while the handler is called, and guards state, greeting and frames. The writer,
 * which alone finds out that the session is writable again, does not wait for it: it leaves a note, and whoever holds the
 * lock calls {@code writable} after letting go of it.
 */
final class SshSession implements Session {
    private static final Logger log = LoggerFactory.getLogger(SshSession.class);
    private static final long LAST_WORDS_MS = 1_000;
    private static final int SLICE_BYTES = 256 << 10;

    private enum State {
        GREETING,
        OPEN,
        ENDED
    }

    /** Who wants the session. Exactly one of the two is called, once, on a thread of the session. */
    interface Opening {
        /** Takes the open session; returns who handles its messages, or null if it is wanted no more. */
        SessionHandler opened(SshSession session);

        /** Hears that there will be no session; {@code why} says what was found. */
        void failed(String why, Throwable reason);
    }

    private final Link link;
    private final boolean connecting;
    private final int openMs;
    private final Opening opening;
    private final Threads threads;
    private final Outbox outbox;
    private final AtomicReference<String> cause = new AtomicReference<>();
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile Peer peer;
    private volatile boolean open;

    private final ReentrantLock calls = new ReentrantLock();
    private final Greeting greeting = new Greeting();
    private final FrameReader frames = new FrameReader();
    private State state = State.GREETING;
    private SessionHandler handler;
    private Throwable reason;
    private volatile boolean becameWritable;
    private boolean delivered; // the reader's own

    /**
     * @param connecting whether this side opens the connection, and so greets first
     * @param openMs how long it may take until both have greeted
     * @param address what the peer is called until the link is open
     */
    SshSession(Link link, boolean connecting, int openMs, String address, Opening opening, Threads threads) {
        this.link = link;
        this.connecting = connecting;
        this.openMs = openMs;
        this.opening = opening;
        this.threads = threads;
        peer = new Peer(address, "", false);
        outbox = new Outbox(link.memory());
    }

    /** Opens the link, writes, and returns when the session has ended. The body of the session's writer. */
    void run() {
        ScheduledFuture<?> deadline = threads.after(openMs, this::tooLate);
        try {
            if (connecting) {
                outbox.put(Greeting.encode());
            }
            link.open(this);
            if (cause.get() != null && !open) {
                link.abort();
            }
            write();
            link.endOutput();
            ended.await();
        } catch (IOException e) {
            lost(e);
            finish();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            cause.compareAndSet(null, "interrupted");
            finish();
        } catch (RuntimeException | Error e) {
            log.error("{} failed, which is a defect; it is closed", this, e);
            cause.compareAndSet(null, "session failed: " + e);
            finish();
        } finally {
            if (deadline != null) {
                deadline.cancel(false);
            }
        }
    }

    private void write() throws IOException, InterruptedException {
        ByteBuffer batch = outbox.take(link.pingNanos());
        while (batch != null) {
            if (!batch.hasRemaining()) {
                link.ping();
            }
            int end = batch.limit();
            while (batch.position() < end) {
                int from = batch.position();
                link.write(batch.limit(Math.min(end, from + SLICE_BYTES)));
                batch.limit(end);
                if (outbox.written(batch.position() - from)) {
                    becameWritable = true;
                    passOnWritable();
                }
            }
            batch = outbox.take(link.pingNanos());
        }
    }

    /** Cuts the link, and waits for the reader; if there is none, ends the session here. */
    private void finish() {
        link.abort();
        if (!link.reading()) {
            end(null, null);
        }
        boolean interrupted = Thread.interrupted();
        while (ended.getCount() > 0) {
            try {
                ended.await();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Tells who the other side is. Called once by the link, before anything comes from there. */
    void meet(Peer other) {
        peer = other;
    }

    private void tooLate() {
        if (!open) {
            abort(
                    connecting
                            ? "no session within " + openMs + " ms: " + greeting.heardBytes() + " of " + Greeting.BYTES
                                    + " bytes of a greeting came"
                            : "expected a Lockstep server to greet within " + openMs + " ms, found "
                                    + greeting.heardBytes() + " of " + Greeting.BYTES + " bytes",
                    null);
        }
    }

    @Override
    public void send(Message message) {
        if (cause.get() == null) {
            outbox.put(message);
        }
    }

    @Override
    public boolean isWritable() {
        return cause.get() == null && outbox.isWritable();
    }

    @Override
    public Peer peer() {
        return peer;
    }

    /** Ends the session, in whatever state it is; also before there is a connection. */
    @Override
    public void close(String why) {
        if (cause.compareAndSet(null, why)) {
            outbox.finish();
            if (open) {
                var unused = threads.after(LAST_WORDS_MS, link::abort);
            } else {
                link.abort();
            }
        }
    }

    /** Ends the session at once. */
    void abort(String why, Throwable because) {
        if (cause.compareAndSet(null, why)) {
            reason = because;
        }
        outbox.finish();
        link.abort();
    }

    private void lost(IOException e) {
        if (cause.compareAndSet(
                null, open ? "connection to " + peer.address() + " lost: " + e.getMessage() : e.getMessage())) {
            reason = e;
        }
    }

    /** Takes what came. Called by the reader, which may do with the buffer what it likes when this has returned. */
    void hear(ByteBuffer in) {
        calls.lock();
        try {
            if (state == State.GREETING && cause.get() == null && greeting.hear(in)) {
                open();
            }
            if (state == State.OPEN && cause.get() == null) {
                frames.read(in, this::deliver);
            }
        } catch (MalformedMessageException e) {
            abort(open ? "message from " + peer.address() + ": " + e.getMessage() : e.getMessage(), e);
        } finally {
            calls.unlock();
        }
        passOnWritable();
    }

    private void open() {
        if (!connecting) {
            outbox.put(Greeting.encode());
        }
        state = State.OPEN;
        open = true;
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

    /** Hears that all at hand has been read. Called by the reader before it waits. */
    void idle() {
        if (delivered) {
            delivered = false;
            calls.lock();
            try {
                if (cause.get() == null) {
                    handler.endOfBatch();
                }
            } catch (RuntimeException | Error e) {
                defect("ending a batch", e);
            } finally {
                calls.unlock();
            }
            passOnWritable();
        }
    }

    private void passOnWritable() {
        while (becameWritable && calls.tryLock()) {
            try {
                if (becameWritable) {
                    becameWritable = false;
                    if (state == State.OPEN && cause.get() == null && handler != null) {
                        handler.writable();
                    }
                }
            } catch (RuntimeException | Error e) {
                defect("going on to send", e);
            } finally {
                calls.unlock();
            }
        }
    }

    private void defect(String doing, Throwable e) {
        log.error("session with {}: {} failed, which is a defect; the session is closed", peer.address(), doing, e);
        close(doing + " failed: " + e);
    }

    /**
     * Ends the session. Called by the reader when it reads no more; only the first call counts.
     *
     * @param why what the reader found; null if the peer has just ended the stream
     */
    void end(String why, Throwable because) {
        calls.lock();
        try {
            if (state != State.ENDED) {
                boolean wasOpen = state == State.OPEN;
                state = State.ENDED;
                if (cause.compareAndSet(null, why == null ? peerEnded() : why)) {
                    reason = because;
                }
                tellEnd(wasOpen);
            }
        } finally {
            calls.unlock();
        }
        outbox.finish();
        link.abort();
        ended.countDown();
    }

    private String peerEnded() {
        int cut = frames.partialBytes();
        return peer.address() + " closed the connection"
                + (cut > 0 ? " in the middle of a message, after " + cut + " of its bytes" : "");
    }

    private void tellEnd(boolean wasOpen) {
        try {
            if (handler != null) {
                handler.closed(cause.get());
            } else if (!wasOpen) {
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
