package lockstep.transports;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import lockstep.io.Clock;
import lockstep.io.Panic;
import lockstep.transport.api.TransportException;

/**
 * Calls transports on threads that may be lost, and looks after sessions that do not come back from a call. A thread that is idle
 * for a second ends, so that nothing is left of a transport that is gone. A thread that may not be lost, and does not come back
 * even when it is interrupted, stops the server: a standby can take its place then, which it could not while the server hangs.
 */
final class Guard implements AutoCloseable {
    private static final long LOOK_MS = 100;
    private static final long CONNECT_MS = 12_000;
    private static final long CALL_MS = 5_000;

    /** How often it is looked after a thread that a transport holds; counted, since a process that is stopped for a while harms nobody. */
    private static final int HELD_LOOKS = 100;

    private final Clock clock;
    private final Panic panic;
    private final long connectMs;
    private final long callMs;
    private final int heldLooks;
    private final Map<Thread, Integer> held = new ConcurrentHashMap<>();
    private final AtomicInteger names = new AtomicInteger();
    private final Set<GuardedSession> watched = ConcurrentHashMap.newKeySet();
    private final ThreadPoolExecutor threads =
            new ThreadPoolExecutor(0, Integer.MAX_VALUE, 1, TimeUnit.SECONDS, new SynchronousQueue<>(), this::thread);
    private boolean watching;

    Guard(Clock clock, Panic panic) {
        this(clock, panic, CONNECT_MS, CALL_MS, HELD_LOOKS);
    }

    /**
     * As {@link #Guard(Clock, Panic)}.
     *
     * @param connectMs see {@link #connectMs()}
     * @param callMs see {@link #callMs()}
     * @param heldLooks after how many looks at a thread that is held the server stops
     */
    Guard(Clock clock, Panic panic, long connectMs, long callMs, int heldLooks) {
        this.clock = clock;
        this.panic = panic;
        this.connectMs = connectMs;
        this.callMs = callMs;
        this.heldLooks = heldLooks;
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

    /** How long a transport may take to connect. */
    long connectMs() {
        return connectMs;
    }

    /** How long a transport may take for what needs no peer. */
    long callMs() {
        return callMs;
    }

    /**
     * Calls a transport, and waits so long for it.
     *
     * @param what is called, for the message
     * @param tooLate takes what comes after that
     * @throws TransportException if it fails as it may
     * @throws IllegalStateException if it fails as it may not, or does not come back
     */
    <T> T call(String what, long ms, Callable<T> work, Consumer<T> tooLate) throws TransportException {
        CompletableFuture<T> result = new CompletableFuture<>();
        Future<?> task = threads.submit(() -> {
            try {
                T value = work.call();
                if (!result.complete(value)) {
                    tooLate.accept(value);
                }
            } catch (Exception | Error e) {
                result.completeExceptionally(e);
            }
        });
        long deadline = clock.nanos() + TimeUnit.MILLISECONDS.toNanos(ms);
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return result.get(deadline - clock.nanos(), TimeUnit.NANOSECONDS);
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (TimeoutException e) {
                    // If it has come back just now, that is taken.
                    if (result.completeExceptionally(
                            new NotBackException(what + " has not come back for " + ms + " ms"))) {
                        task.cancel(true);
                    }
                }
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof TransportException failure) {
                throw failure;
            }
            throw e.getCause() instanceof NotBackException hangs
                    ? hangs
                    : new IllegalStateException(what + " failed with " + e.getCause(), e.getCause());
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static final class NotBackException extends IllegalStateException {
        private static final long serialVersionUID = 1;

        NotBackException(String message) {
            super(message);
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

    /** Hears that a transport holds a thread of the server, and does not listen to its interrupt, or not yet. */
    void holds(Thread caller) {
        held.put(caller, 0);
    }

    /** Hears that it does not any more. */
    void isBack(Thread caller) {
        held.remove(caller);
    }

    private void lookAfterHeld() {
        held.replaceAll((caller, looks) -> looks + 1);
        held.forEach((caller, looks) -> {
            if (looks == heldLooks) {
                IllegalStateException where = new IllegalStateException(caller.getName());
                where.setStackTrace(caller.getStackTrace());
                panic.panic(
                        "the thread " + caller.getName() + " does not come back from a transport, and listens to no"
                                + " interrupt. The server stops, because it would hang otherwise. The log says where;"
                                + " start it again, with another transport in primary_conninfo and listen_addresses",
                        where);
            }
        });
    }

    /** Looks until there is nothing to look after. */
    private void look() {
        try {
            while (isNeeded()) {
                watched.forEach(GuardedSession::look);
                lookAfterHeld();
                TimeUnit.MILLISECONDS.sleep(LOOK_MS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized boolean isNeeded() {
        watching = !watched.isEmpty() || !held.isEmpty();
        return watching;
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }
}
