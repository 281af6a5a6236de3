package lockstep.transport.ssh;

import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;

/**
 * What has been sent and not yet written, as frames one after the other.
 *
 * <p><b>Idea.</b> There are two buffers: senders fill one while the writer empties the other, and they change places when
 * the writer comes back. So what was sent meanwhile is written in one go, and sending allocates nothing. A buffer that
 * had to grow beyond {@link #HIGH_WATER_BYTES} is given up when it is empty.
 *
 * <p><b>Bounds.</b> Above {@link #HIGH_WATER_BYTES} it is not writable, until it has fallen to {@link #LOW_WATER_BYTES}.
 * The writer waits while the channel's window is closed, so this says what the peer takes. <b>Lock.</b> {@code this}.
 */
final class Outbox {
    static final int HIGH_WATER_BYTES = 4 << 20;
    static final int LOW_WATER_BYTES = 1 << 20;
    private static final int FIRST_BYTES = 64 << 10;

    private final IntFunction<ByteBuffer> allocate;
    private ByteBuffer filling;
    private ByteBuffer emptying;
    private long heldBytes;
    private boolean finished;
    private volatile boolean writable = true;

    /** @param allocate makes the buffers: in the memory that the writer can use best */
    Outbox(IntFunction<ByteBuffer> allocate) {
        this.allocate = allocate;
        filling = allocate.apply(FIRST_BYTES);
        emptying = allocate.apply(FIRST_BYTES);
    }

    /** Takes a message; ignores it after {@link #finish}. */
    synchronized void put(Message message) {
        if (!finished) {
            int bytes = MessageCodec.frameBytes(message);
            reserve(bytes);
            MessageCodec.encode(message, filling);
            took(bytes);
        }
    }

    /** Takes bytes that are no message. */
    synchronized void put(ByteBuffer bytes) {
        if (!finished) {
            int length = bytes.remaining();
            reserve(length);
            filling.put(bytes);
            took(length);
        }
    }

    private void reserve(int bytes) {
        if (filling.remaining() < bytes) {
            int wanted = Math.max(filling.position() + bytes, Math.min(2 * filling.capacity(), HIGH_WATER_BYTES));
            filling = allocate.apply(wanted).put(filling.flip());
        }
    }

    private void took(int bytes) {
        heldBytes += bytes;
        if (heldBytes > HIGH_WATER_BYTES) {
            writable = false;
        }
        notifyAll();
    }

    boolean isWritable() {
        return writable;
    }

    /**
     * Waits for something to write.
     *
     * @return all that is there, which stays the writer's until it calls again; empty when nothing came in the time; null
     *     when nothing will come any more
     */
    synchronized ByteBuffer take(long nanos) throws InterruptedException {
        long deadline = System.nanoTime() + nanos;
        while (filling.position() == 0 && !finished) {
            long leftMs = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (leftMs <= 0) {
                break;
            }
            wait(leftMs);
        }
        if (filling.position() == 0 && finished) {
            return null;
        }
        ByteBuffer next = filling.flip();
        filling = emptying.capacity() > HIGH_WATER_BYTES ? allocate.apply(FIRST_BYTES) : emptying.clear();
        emptying = next;
        return next;
    }

    /**
     * Says that bytes have been written.
     *
     * @return whether the outbox has become writable by it
     */
    synchronized boolean written(int bytes) {
        heldBytes -= bytes;
        if (!writable && heldBytes <= LOW_WATER_BYTES && !finished) {
            writable = true;
            return true;
        }
        return false;
    }

    /** Takes nothing more; what is there is still to be written. */
    synchronized void finish() {
        finished = true;
        notifyAll();
    }
}
