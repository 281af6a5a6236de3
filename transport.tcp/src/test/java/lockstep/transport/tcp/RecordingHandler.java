package lockstep.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.nio.ByteBuffer;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import lockstep.transport.api.Message;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;

/** Keeps what it hears, and checks that it is called one call at a time, and never after the end. */
class RecordingHandler implements SessionHandler {
    static final long PATIENCE_S = 20;

    final BlockingQueue<Message> messages = new LinkedBlockingQueue<>();
    final CompletableFuture<Session> session = new CompletableFuture<>();
    final CompletableFuture<String> closed = new CompletableFuture<>();
    final Semaphore writable = new Semaphore(0);
    final AtomicInteger batches = new AtomicInteger();
    final AtomicInteger breaches = new AtomicInteger();
    final CountDownLatch open = new CountDownLatch(1);
    private final AtomicInteger inside = new AtomicInteger();
    private volatile boolean blocked;

    /** From now on a message is taken only after {@link #unblock}. */
    RecordingHandler block() {
        blocked = true;
        return this;
    }

    void unblock() {
        open.countDown();
    }

    @Override
    public void received(Session from, Message message) {
        enter();
        if (blocked) {
            try {
                assertTrue(open.await(PATIENCE_S, TimeUnit.SECONDS));
            } catch (InterruptedException e) {
                breaches.incrementAndGet();
            }
        }
        messages.add(message instanceof Message.WalData wal ? copy(wal) : message);
        inside.decrementAndGet();
    }

    private static Message copy(Message.WalData wal) {
        ByteBuffer bytes = ByteBuffer.allocate(wal.bytes().remaining());
        bytes.put(wal.bytes().duplicate()).flip();
        return new Message.WalData(wal.startLsn(), wal.endLsn(), wal.flushedLsn(), wal.sentAtMicros(), bytes);
    }

    @Override
    public void endOfBatch() {
        enter();
        batches.incrementAndGet();
        inside.decrementAndGet();
    }

    @Override
    public void writable() {
        enter();
        writable.release();
        inside.decrementAndGet();
    }

    @Override
    public void closed(String cause) {
        enter();
        if (!closed.complete(cause)) {
            breaches.incrementAndGet();
        }
        inside.decrementAndGet();
    }

    private void enter() {
        if (inside.incrementAndGet() != 1 || closed.isDone()) {
            breaches.incrementAndGet();
        }
    }

    Session session() throws Exception {
        return session.get(PATIENCE_S, TimeUnit.SECONDS);
    }

    Message next() throws InterruptedException {
        Message next = messages.poll(PATIENCE_S, TimeUnit.SECONDS);
        return next == null ? fail("no message came; closed: " + closed.getNow("no")) : next;
    }

    String cause() throws Exception {
        String cause = closed.get(PATIENCE_S, TimeUnit.SECONDS);
        assertEquals(0, breaches.get(), "calls at the same time, within each other, or after the end");
        return cause;
    }
}
