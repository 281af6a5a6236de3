package lockstep.transport.ssh;

import java.nio.ByteBuffer;
import java.util.function.Predicate;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;

/**
 * Cuts the stream into frames. A frame that came in one piece is decoded where it lies; one that is cut, as most are that
 * are longer than a packet of SSH, is put together in a buffer that is kept for the next.
 */
final class FrameReader {
    private static final int FIRST_BYTES = 64 << 10;

    private ByteBuffer partial = ByteBuffer.allocate(FIRST_BYTES).limit(0);

    /**
     * Reads what came.
     *
     * @param sink takes the messages, whose buffers are valid until it returns; says whether it wants more
     */
    void read(ByteBuffer in, Predicate<Message> sink) throws MalformedMessageException {
        boolean more = true;
        while (more && in.hasRemaining()) {
            more = partial.limit() == 0 ? whole(in, sink) : rest(in, sink);
        }
    }

    private boolean whole(ByteBuffer in, Predicate<Message> sink) throws MalformedMessageException {
        int wantedBytes = MessageCodec.HEADER_BYTES;
        if (in.remaining() >= wantedBytes) {
            wantedBytes = MessageCodec.frameBytes(in);
            if (in.remaining() >= wantedBytes) {
                return sink.test(MessageCodec.decode(in));
            }
        }
        reserve(wantedBytes);
        partial.put(in);
        return true;
    }

    private boolean rest(ByteBuffer in, Predicate<Message> sink) throws MalformedMessageException {
        int taken = Math.min(in.remaining(), partial.remaining());
        partial.put(partial.position(), in, in.position(), taken).position(partial.position() + taken);
        in.position(in.position() + taken);
        if (partial.hasRemaining()) {
            return true;
        }
        partial.flip();
        int wantedBytes = MessageCodec.frameBytes(partial);
        if (partial.limit() < wantedBytes) {
            reserve(wantedBytes);
            return true;
        }
        try {
            return sink.test(MessageCodec.decode(partial));
        } finally {
            partial.clear().limit(0);
        }
    }

    /** Makes room for a whole frame, and keeps what has come of it. */
    private void reserve(int bytes) {
        int has = partial.limit();
        if (partial.capacity() < bytes) {
            partial = ByteBuffer.allocate(bytes).put(partial.rewind());
        }
        partial.limit(bytes).position(has);
    }

    /** Returns how much has come of a frame whose end has not. */
    int partialBytes() {
        return partial.position();
    }
}
