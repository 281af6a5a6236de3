package lockstep.transport.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import lockstep.transport.api.Message;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;

/** Keeps what it hears, and checks that it is called one call at a time, and never after the end. */
public class RecordingHandler implements SessionHandler {
    /** How long to wait for what has to come, however slow the machine: {@code -Dlockstep.tck.patience=SECONDS}. */
    public static final long PATIENCE_S = Long.getLong("lockstep.tck.patience", 30);

    private final BlockingQueue<Message> messages = new LinkedBlockingQueue<>();
    private final CompletableFuture<Session> session = new CompletableFuture<>();
    private final CompletableFuture<String> closed = new CompletableFuture<>();
    private final Semaphore writable = new Semaphore(0);
    private final AtomicInteger batches = new AtomicInteger();
    private final Semaphore batchEnds = new Semaphore(0);
    private final AtomicInteger breaches = new AtomicInteger();
    private final CountDownLatch held = new CountDownLatch(1);
    private final CountDownLatch open = new CountDownLatch(1);
    private final AtomicInteger inside = new AtomicInteger();
    private volatile boolean blocked;

    /** Tells which session it is the handler of. */
    public final RecordingHandler on(Session its) {
        session.complete(its);
        return this;
    }

    /** Returns its session. */
    public final Session session() throws Exception {
        return session.get(PATIENCE_S, TimeUnit.SECONDS);
    }

    /** From now on a message is taken only after {@link #unblock}. */
    public final RecordingHandler block() {
        blocked = true;
        return this;
    }

    /** Waits until {@link #block} holds a message up. */
    public final void awaitHeld() throws InterruptedException {
        assertTrue(held.await(PATIENCE_S, TimeUnit.SECONDS), "no message has come that could be held up");
    }

    /** Takes messages again. */
    public final void unblock() {
        open.countDown();
    }

    @Override
    public void received(Session from, Message message) {
        enter();
        try {
            if (blocked) {
                held.countDown();
                if (!open.await(2 * PATIENCE_S, TimeUnit.SECONDS)) {
                    breaches.incrementAndGet();
                }
            }
        } catch (InterruptedException e) {
            breaches.incrementAndGet();
            Thread.currentThread().interrupt();
        }
        messages.add(Messages.copy(message));
        leave();
    }

    @Override
    public final void endOfBatch() {
        enter();
        batches.incrementAndGet();
        batchEnds.release();
        leave();
    }

    @Override
    public final void writable() {
        enter();
        writable.release();
        leave();
    }

    @Override
    public final void closed(String cause) {
        enter();
        if (!closed.complete(cause)) {
            breaches.incrementAndGet();
        }
        leave();
    }

    private void enter() {
        if (inside.incrementAndGet() != 1 || closed.isDone()) {
            breaches.incrementAndGet();
        }
    }

    private void leave() {
        inside.decrementAndGet();
    }

    /** Waits for the next message and takes it. */
    public final Message next() throws Exception {
        Message next = messages.poll(PATIENCE_S, TimeUnit.SECONDS);
        return next == null ? fail("no message within " + PATIENCE_S + " s; closed: " + closed.getNow("no")) : next;
    }

    /** Takes the messages that have come. */
    public final List<Message> takeAll() {
        List<Message> all = new ArrayList<>();
        messages.drainTo(all);
        return all;
    }

    /** Waits until the session has ended; returns why. From then on nothing more may come. */
    public final String cause() throws Exception {
        try {
            String cause = closed.get(PATIENCE_S, TimeUnit.SECONDS);
            assertInOrder();
            return cause;
        } catch (TimeoutException e) {
            return fail("the session has not ended within " + PATIENCE_S + " s", e);
        }
    }

    /** Returns why the session has ended, or {@code "still open"}. */
    public final String causeNow() {
        return closed.getNow("still open");
    }

    /** Returns whether the session has ended. */
    public final boolean isClosed() {
        return closed.isDone();
    }

    /** Returns how many batches have ended. */
    public final int batches() {
        return batches.get();
    }

    /** Waits until a batch has ended that nobody has waited for. */
    public final void awaitBatch() throws InterruptedException {
        if (!batchEnds.tryAcquire(PATIENCE_S, TimeUnit.SECONDS)) {
            fail("no batch ended within " + PATIENCE_S + " s; closed: " + closed.getNow("no"));
        }
    }

    /** Waits until it is told that the session is writable. */
    public final void awaitWritable() throws InterruptedException {
        if (!writable.tryAcquire(PATIENCE_S, TimeUnit.SECONDS)) {
            fail("the session did not become writable within " + PATIENCE_S + " s; closed: " + closed.getNow("no"));
        }
    }

    /** Returns how often it has been told that the session is writable and nobody waited for it. */
    public final int writables() {
        return writable.availablePermits();
    }

    final void assertInOrder() {
        assertEquals(0, breaches.get(), "calls of the handler at the same time, within each other, or after closed()");
    }
}
