package lockstep.transport.netty;

import io.netty.channel.EventLoop;
import io.netty.channel.SingleThreadIoEventLoop;
import io.netty.util.concurrent.FastThreadLocalThread;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.TransportException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads of the transport: one for each listener and each session, so that a handler that blocks holds up nobody
 * else. Whoever starts a loop ends it when its socket has closed; {@link #withdraw} asks all to close their sockets and
 * joins the threads. Thread-safe.
 */
public final class EventLoops {
    /** Why sessions end when the transport leaves. */
    public static final String WITHDRAWN = "transport withdrawn";

    private static final Logger log = LoggerFactory.getLogger(EventLoops.class);
    private static final long JOIN_MS = 10_000;
    private static final long END_MS = 5_000;

    private final SocketIo io;
    private final List<Owned> owned = new ArrayList<>();
    private boolean withdrawn;

    private static final class Owned {
        final Runnable close;
        Thread thread;

        Owned(Runnable close) {
            this.close = close;
        }
    }

    /** Starts nothing yet. */
    public EventLoops(SocketIo io) {
        this.io = io;
    }

    /** Returns how sockets are served on them. */
    public SocketIo io() {
        return io;
    }

    /**
     * Starts a thread.
     *
     * @param close run when the transport is withdrawn, on another thread; has the loop ended soon
     * @throws TransportException if the transport has been withdrawn
     */
    public synchronized EventLoop start(String name, Runnable close) throws TransportException {
        checkNotWithdrawn();
        owned.removeIf(o -> !o.thread.isAlive());
        Owned next = new Owned(close);
        EventLoop loop = new SingleThreadIoEventLoop(
                null,
                task -> {
                    next.thread = thread(name, task);
                    return next.thread;
                },
                io.handlers());
        loop.execute(() -> {}); // starts the thread here, under the lock, so that withdraw() sees it
        owned.add(next);
        return loop;
    }

    /**
     * Starts the thread of a session whose socket blocks.
     *
     * @param close run when the transport is withdrawn, on another thread; has the body return soon
     * @throws TransportException if the transport has been withdrawn
     */
    public synchronized void start(String name, Runnable body, Runnable close) throws TransportException {
        checkNotWithdrawn();
        owned.removeIf(o -> !o.thread.isAlive());
        Owned next = new Owned(close);
        next.thread = thread(name, body);
        next.thread.start();
        owned.add(next);
    }

    private void checkNotWithdrawn() throws TransportException {
        if (withdrawn) {
            throw new TransportException(WITHDRAWN);
        }
    }

    private static Thread thread(String name, Runnable body) {
        Thread thread = new FastThreadLocalThread(body, name);
        thread.setDaemon(true);
        return thread;
    }

    /** Ends a loop after what it has been given to do. May be called on the loop itself, and again. */
    public static void end(EventLoop loop) {
        var unused = loop.shutdownGracefully(0, END_MS, TimeUnit.MILLISECONDS);
    }

    /** Starts no more threads, has all sockets closed, and returns when all threads have ended. */
    public void withdraw() {
        List<Owned> left;
        synchronized (this) {
            withdrawn = true;
            left = List.copyOf(owned);
            owned.clear();
        }
        left.forEach(o -> o.close.run());
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(JOIN_MS);
        boolean interrupted = false;
        for (Owned o : left) {
            interrupted |= join(o.thread, deadline);
            if (o.thread.isAlive() && o.thread != Thread.currentThread()) {
                log.error(
                        "thread {} has not ended within {} ms: what it calls, such as a handler, does not return",
                        o.thread.getName(),
                        JOIN_MS);
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private static boolean join(Thread thread, long deadline) {
        boolean interrupted = false;
        while (thread.isAlive() && thread != Thread.currentThread()) {
            long leftMs = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (leftMs <= 0) {
                break;
            }
            try {
                thread.join(leftMs);
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        return interrupted;
    }
}
