package lockstep.transport.tcp;

import io.netty.buffer.ByteBuf;
import java.nio.ByteBuffer;
import java.util.function.Predicate;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;

/**
 * Cuts the stream into frames. A frame that came in one piece is decoded where it lies. Only one that is cut by the end
 * of a read is put together elsewhere, and only that frame is copied, never what follows it: with reads that hold many
 * frames, few bytes are copied. Packed frames, where they have been agreed on, are unpacked on the way.
 */
final class FrameReader {
    /** The frame that has begun to come. Has room for the header, and once that is there for just the frame. */
    private ByteBuf partial;

    private Packing packing;

    /** From now on frames may be packed. */
    void unpackWith(Packing agreed) {
        packing = agreed;
    }

    /**
     * Reads what came.
     *
     * @param sink takes the messages, whose buffers are valid until it returns; says whether it wants more
     */
    void read(ByteBuf in, Predicate<Message> sink) throws MalformedMessageException {
        boolean more = true;
        while (more && in.isReadable()) {
            more = partial == null ? whole(in, sink) : rest(in, sink);
        }
    }

    private boolean whole(ByteBuf in, Predicate<Message> sink) throws MalformedMessageException {
        int wantedBytes = MessageCodec.HEADER_BYTES;
        if (in.readableBytes() >= wantedBytes) {
            wantedBytes = frameBytes(in.internalNioBuffer(in.readerIndex(), wantedBytes));
            if (in.readableBytes() >= wantedBytes) {
                ByteBuffer frame = in.internalNioBuffer(in.readerIndex(), wantedBytes);
                in.skipBytes(wantedBytes);
                return decode(frame, sink);
            }
        }
        partial = in.alloc().directBuffer(wantedBytes).writeBytes(in);
        return true;
    }

    private boolean rest(ByteBuf in, Predicate<Message> sink) throws MalformedMessageException {
        int wantedBytes = wantedBytes();
        partial.writeBytes(in, Math.min(in.readableBytes(), wantedBytes - partial.readableBytes()));
        if (partial.readableBytes() < wantedBytes || wantedBytes() > wantedBytes) {
            return true;
        }
        try {
            return decode(partial.internalNioBuffer(0, wantedBytes), sink);
        } finally {
            release();
        }
    }

    private int wantedBytes() throws MalformedMessageException {
        return partial.readableBytes() < MessageCodec.HEADER_BYTES
                ? MessageCodec.HEADER_BYTES
                : frameBytes(partial.internalNioBuffer(0, MessageCodec.HEADER_BYTES));
    }

    private int frameBytes(ByteBuffer header) throws MalformedMessageException {
        return isPacked(header) ? Packing.packedBytes(header) : MessageCodec.frameBytes(header);
    }

    private boolean isPacked(ByteBuffer header) {
        return packing != null && Packing.isPacked(header);
    }

    private boolean decode(ByteBuffer frame, Predicate<Message> sink) throws MalformedMessageException {
        if (!isPacked(frame)) {
            return sink.test(MessageCodec.decode(frame));
        }
        ByteBuf unpacked = packing.unpack(frame);
        try {
            return sink.test(MessageCodec.decode(unpacked.internalNioBuffer(0, unpacked.readableBytes())));
        } finally {
            unpacked.release();
        }
    }

    /** Returns how much has come of a frame whose end has not. */
    int partialBytes() {
        return partial == null ? 0 : partial.readableBytes();
    }

    /** Forgets a frame that has begun to come. */
    void release() {
        if (partial != null) {
            partial.release();
            partial = null;
        }
    }
}
