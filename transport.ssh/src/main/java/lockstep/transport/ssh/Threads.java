package lockstep.transport.ssh;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.TransportException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads of the transport, those that the SSH libraries start included. They block in sockets, so none is a step
 * that returns: each belongs to a session or listener, which ends it by closing its socket. {@link #withdraw} asks all to
 * close, and joins the threads. None is ever interrupted: a handler may be writing to a file. Thread-safe.
 */
final class Threads {
    private static final Logger log = LoggerFactory.getLogger(Threads.class);
    private static final long JOIN_MS = 10_000;

    private record Owned(Thread thread, Runnable close) {}

    private final List<Owned> owned = new ArrayList<>();
    private final List<Thread> libraries = new ArrayList<>();
    private final List<Runnable> servers = new ArrayList<>();
    private final ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(1, library("ssh-timer"));
    private boolean withdrawn;

    Threads() {
        timer.setRemoveOnCancelPolicy(true);
    }

    /**
     * Starts a thread.
     *
     * @param close run when the transport is withdrawn, on another thread; has the body return soon
     * @throws TransportException if the transport has been withdrawn
     */
    synchronized void start(String name, Runnable body, Runnable close) throws TransportException {
        if (withdrawn) {
            throw new TransportException(SshTransport.WITHDRAWN);
        }
        owned.removeIf(o -> !o.thread.isAlive());
        Thread thread = new Thread(body, name);
        thread.setDaemon(true);
        owned.add(new Owned(thread, close));
        thread.start();
    }

    /** Returns what makes threads for a library that ends them itself; they are joined all the same. */
    ThreadFactory library(String name) {
        return body -> {
            // The libraries rename their threads, so the name is given last.
            Thread thread = new Thread(
                    () -> {
                        Thread.currentThread().setName(name);
                        body.run();
                    },
                    name);
            thread.setDaemon(true);
            synchronized (this) {
                libraries.removeIf(t -> !t.isAlive() && t.getState() == Thread.State.TERMINATED);
                libraries.add(thread);
            }
            return thread;
        };
    }

    /**
     * Registers what ends a library's threads when all sessions have ended.
     *
     * @throws TransportException if the transport has been withdrawn
     */
    synchronized void server(Runnable stop) throws TransportException {
        if (withdrawn) {
            throw new TransportException(SshTransport.WITHDRAWN);
        }
        servers.add(stop);
    }

    /** Forgets what {@link #server} registered. */
    synchronized void stopped(Runnable stop) {
        servers.remove(stop);
    }

    /** Runs something short after a while, on the timer's thread; at once and here when the timer has ended. */
    ScheduledFuture<?> after(long delayMs, Runnable task) {
        try {
            return timer.schedule(task, delayMs, TimeUnit.MILLISECONDS);
        } catch (RejectedExecutionException e) {
            task.run();
            return null;
        }
    }

    /** Returns the thread for what is to be done later, also by libraries. */
    ScheduledThreadPoolExecutor timer() {
        return timer;
    }

    /** Starts no more threads, has all closed, and returns when all threads have ended. */
    void withdraw() {
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
        }
        List<Runnable> stops;
        synchronized (this) {
            stops = List.copyOf(servers);
            servers.clear();
        }
        stops.forEach(Runnable::run);
        timer.shutdownNow();
        List<Thread> rest;
        synchronized (this) {
            rest = List.copyOf(libraries);
            libraries.clear();
        }
        for (Thread thread : rest) {
            interrupted |= join(thread, deadline);
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
                log.error(
                        "thread {} has not ended within {} ms: what it calls, such as a handler, does not return",
                        thread.getName(),
                        JOIN_MS);
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
