package lockstep.transports;

import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import lockstep.io.Clock;
import lockstep.transport.api.TransportException;

/**
 * Calls transports on threads that may be lost, and looks after sessions that do not come back from a call. A thread that is idle
 * for a second ends, so that nothing is left of a transport that is gone.
 */
final class Guard implements AutoCloseable {
    private static final long LOOK_MS = 100;

    private final Clock clock;
    private final AtomicInteger names = new AtomicInteger();
    private final Set<GuardedSession> watched = ConcurrentHashMap.newKeySet();
    private final ThreadPoolExecutor threads =
            new ThreadPoolExecutor(0, Integer.MAX_VALUE, 1, TimeUnit.SECONDS, new SynchronousQueue<>(), this::thread);
    private boolean watching;

    Guard(Clock clock) {
        this.clock = clock;
    }

    private Thread thread(Runnable work) {
        Thread thread = new Thread(work, "transport-guard-" + names.incrementAndGet());
        thread.setDaemon(true);
        return thread;
    }

    Clock clock() {
        return clock;
    }

    /** Runs on a thread that may be lost. */
    void run(Runnable work) {
        threads.execute(work);
    }

    /**
     * Calls a transport, and waits so long for it.
     *
     * @param what is called, for the message
     * @throws TransportException if it fails as it may
     * @throws IllegalStateException if it fails as it may not, or does not come back; what it does then is taken for nothing
     */
    <T> T call(String what, long seconds, Callable<T> work) throws TransportException {
        Future<T> result = threads.submit(work);
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return result.get(seconds, TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        } catch (TimeoutException e) {
            result.cancel(true);
            throw new IllegalStateException(what + " has not come back for " + seconds + " s", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof TransportException failure) {
                throw failure;
            }
            throw new IllegalStateException(what + " failed with " + e.getCause(), e.getCause());
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Looks after a session until it has ended. */
    void watch(GuardedSession session) {
        watched.add(session);
        synchronized (this) {
            if (!watching) {
                watching = true;
                run(this::look);
            }
        }
    }

    void forget(GuardedSession session) {
        watched.remove(session);
    }

    /** Looks until there is nothing to look after. */
    private void look() {
        try {
            while (isNeeded()) {
                watched.forEach(GuardedSession::look);
                TimeUnit.MILLISECONDS.sleep(LOOK_MS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized boolean isNeeded() {
        watching = !watched.isEmpty();
        return watching;
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
