package lockstep.transports;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.BackupData;
import lockstep.transport.api.Message.WalData;

/**
 * Sends on a thread of its own what is handed to it, so that nobody waits for a transport that does not come back. It holds
 * a bounded amount, and copies bulk data, which its sender may reuse.
 *
 * <p><b>Lock.</b> {@code this} guards all fields, and is not held while the transport is called.
 */
final class Pump {
    private static final int MAX_BYTES = 4 << 20;
    private static final long LOOK_MS = 10;

    private final GuardedSession owner;
    private final ArrayDeque<Message> messages = new ArrayDeque<>();
    private int bytes;
    private boolean wasFull;
    private boolean ended;
    private String closeCause;

    Pump(Guard guard, GuardedSession owner) {
        this.owner = owner;
        guard.run(this::work);
    }

    synchronized void send(Message message) {
        messages.add(copy(message));
        bytes += size(message);
        notifyAll();
    }

    synchronized boolean isWritable() {
        wasFull |= bytes >= MAX_BYTES;
        return !wasFull;
    }

    synchronized void close(String cause) {
        closeCause = cause;
        notifyAll();
    }

    synchronized void wake() {
        notifyAll();
    }

    synchronized void end() {
        ended = true;
        messages.clear();
        notifyAll();
    }

    private void work() {
        try {
            for (Message next = next(); next != null; next = next()) {
                if (size(next) > 0 && !awaitWritable()) {
                    return;
                }
                owner.pass(next);
                if (hasRoomAgain(size(next))) {
                    owner.tellWritable();
                }
            }
        } catch (InterruptedException e) {
            // The guard has given it up.
            Thread.currentThread().interrupt();
        } catch (RuntimeException e) {
            owner.defect("send failed with " + e, e);
        }
    }

    /** Returns what comes next; null at the end. */
    private synchronized Message next() throws InterruptedException {
        while (!ended) {
            if (!messages.isEmpty()) {
                return messages.poll();
            }
            if (closeCause != null) {
                owner.passClose(closeCause);
                return null;
            }
            wait();
        }
        return null;
    }

    /** Waits until the transport takes bulk data; returns false if the session ends instead. */
    private boolean awaitWritable() throws InterruptedException {
        while (!owner.askWritable()) {
            synchronized (this) {
                if (ended || closeCause != null) {
                    if (closeCause != null) {
                        owner.passClose(closeCause);
                    }
                    return false;
                }
                // A transport that forgets to say that it is writable costs time only.
                wait(LOOK_MS);
            }
        }
        return true;
    }

    private synchronized boolean hasRoomAgain(int sent) {
        bytes -= sent;
        if (wasFull && bytes < MAX_BYTES / 2) {
            wasFull = false;
            return true;
        }
        return false;
    }

    private static int size(Message message) {
        if (message instanceof WalData data) {
            return data.bytes().remaining();
        }
        return message instanceof BackupData data ? data.bytes().remaining() : 0;
    }

    private static Message copy(Message message) {
        if (message instanceof WalData data) {
            return new WalData(
                    data.startLsn(), data.endLsn(), data.flushedLsn(), data.sentAtMicros(), copy(data.bytes()));
        }
        return message instanceof BackupData data ? new BackupData(copy(data.bytes())) : message;
    }

    private static ByteBuffer copy(ByteBuffer source) {
        return ByteBuffer.allocate(source.remaining()).put(source.duplicate()).flip();
    }
}
