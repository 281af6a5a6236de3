package lockstep.transport.folder;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.TransportException;

/**
 * The threads of the transport: one for each listener and each session, so that a handler that blocks holds up nobody
 * else. {@link #withdraw} has all of them end, and joins them. Thread-safe.
 */
final class Threads {
    static final String WITHDRAWN = "transport withdrawn";

    private static final System.Logger log = System.getLogger(Threads.class.getName());
    private static final long JOIN_MS = 10_000;

    /** A thread, and what has it end soon. */
    private record Owned(Thread thread, Runnable close) {}

    private final List<Owned> owned = new ArrayList<>();
    private boolean withdrawn;

    /** Refuses to begin anything for an endpoint once the transport has been withdrawn. */
    synchronized void check(String what, Endpoint endpoint) throws TransportException {
        if (withdrawn) {
            throw new TransportException("cannot " + what + " " + endpoint + ": " + WITHDRAWN);
        }
    }

    synchronized boolean isWithdrawn() {
        return withdrawn;
    }

    /**
     * Starts a thread.
     *
     * @param close run when the transport is withdrawn, on another thread
     * @throws TransportException if the transport has been withdrawn
     */
    synchronized void start(String name, Runnable body, Runnable close) throws TransportException {
        if (withdrawn) {
            throw new TransportException(WITHDRAWN);
        }
        owned.removeIf(each -> !each.thread.isAlive());
        Thread thread = new Thread(body, name);
        thread.setDaemon(true);
        thread.start();
        owned.add(new Owned(thread, close));
    }

    /** Starts no more threads, and returns when all have ended. */
    void withdraw() {
        List<Owned> left;
        synchronized (this) {
            withdrawn = true;
            left = List.copyOf(owned);
            owned.clear();
        }
        left.forEach(each -> each.close.run());
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(JOIN_MS);
        for (Owned each : left) {
            join(each.thread, deadline);
        }
    }

    private static void join(Thread thread, long deadline) {
        if (thread == Thread.currentThread()) {
            return;
        }
        try {
            thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (thread.isAlive()) {
            log.log(
                    System.Logger.Level.ERROR,
                    "thread {0} has not ended: what it calls does not return",
                    thread.getName());
        }
    }
}
