package lockstep.transport.unix;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;

/**
 * Frames on their way out. Whoever sends encodes into the buffer and tries to write it at once; what the socket does not
 * take then is written by the session's thread. Nothing is allocated for a message.
 *
 * <pre>
 *   0         unsent.position()        frames.position()          capacity
 *   +---------------+---------------------------+---------------------+
 *   | written       | to be written             | room                |
 *   +---------------+---------------------------+---------------------+
 * </pre>
 *
 * <p>Above {@link #HIGH_WATER_BYTES} it is full, until it is down to {@link #LOW_WATER_BYTES}. Thread-safe.
 */
final class Outgoing {
    private static final int FIRST_BYTES = 256 << 10;
    private static final int LOW_WATER_BYTES = 1 << 20;
    private static final int HIGH_WATER_BYTES = 4 << 20;
    private static final int MAX_BYTES = 64 << 20;

    private ByteBuffer frames = ByteBuffer.allocateDirect(FIRST_BYTES);
    private ByteBuffer unsent = frames.duplicate();
    private boolean drained;
    private boolean ended;
    private volatile boolean full;

    /**
     * Takes a message's bytes.
     *
     * @return false if so much waits already that the peer must be given up
     */
    synchronized boolean add(Message message) {
        if (ended) {
            return true;
        }
        int bytes = MessageCodec.frameBytes(message);
        if (waiting() + bytes > MAX_BYTES) {
            return false;
        }
        makeRoom(bytes);
        MessageCodec.encode(message, frames);
        full |= waiting() > HIGH_WATER_BYTES;
        return true;
    }

    /** Takes bytes that are no message. */
    synchronized void add(byte[] bytes) {
        makeRoom(bytes.length);
        frames.put(bytes);
    }

    private int waiting() {
        return frames.position() - unsent.position();
    }

    private void makeRoom(int bytes) {
        if (frames.remaining() >= bytes) {
            return;
        }
        int waiting = waiting();
        unsent.limit(frames.position());
        if (waiting + bytes <= frames.capacity() / 2) {
            frames.duplicate().clear().put(unsent.slice());
        } else {
            int wanted = Math.max(waiting + bytes, Math.min(2 * frames.capacity(), HIGH_WATER_BYTES * 2));
            frames = ByteBuffer.allocateDirect(wanted).put(unsent);
            unsent = frames.duplicate();
        }
        frames.clear().position(waiting);
        unsent.clear();
    }

    /**
     * Writes what the channel takes now.
     *
     * @return whether nothing is left
     */
    synchronized boolean write(WritableByteChannel channel) throws IOException {
        unsent.limit(frames.position());
        if (unsent.hasRemaining() && !ended) {
            channel.write(unsent);
        }
        if (full && waiting() <= LOW_WATER_BYTES) {
            full = false;
            drained = true;
        }
        if (waiting() == 0) {
            frames.clear();
            unsent.clear().limit(0);
        }
        return waiting() == 0;
    }

    /** Takes nothing more, if all has been written. */
    synchronized boolean endIfEmpty() {
        ended |= waiting() == 0;
        return ended;
    }

    /** Returns whether there is more than a sender should add to. */
    boolean isFull() {
        return full;
    }

    /** Returns whether it has become less than full since this was asked last. */
    synchronized boolean takeDrained() {
        boolean was = drained;
        drained = false;
        return was;
    }
}
