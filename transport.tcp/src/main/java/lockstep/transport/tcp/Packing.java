package lockstep.transport.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.nio.ByteBuffer;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.MessageCodec;

/**
 * Packs frames into smaller ones, in a session whose sides have agreed on a {@link Compression}.
 *
 * <pre>
 *   0              4              8              12
 *   +--------------+--------------+--------------+----------------------------------------+
 *   | packed bytes | frame bytes  | -1           | the whole frame, header too, compressed |
 *   +--------------+--------------+--------------+----------------------------------------+
 * </pre>
 *
 * <p><b>Idea.</b> What is packed is the frame as it was made, with its CRC, which is checked when it is itself again: what
 * compression could damage is found like any other damage. The type of a frame stands where the -1 does, so packed and
 * plain frames follow each other as they like, and each sender packs what pays: not what fits into one segment of TCP
 * anyway, where it would arrive no sooner, and not what hardly becomes smaller.
 *
 * <p><b>Trust.</b> A peer may send anything. Both lengths are checked, by the bound of the longest frame, before anything
 * is allocated; a packed frame is always shorter than its frame; what it becomes must have exactly the length that was
 * said, and a header that says the same. So a session never holds more than one packed and one plain frame.
 *
 * <p><b>Lock.</b> Sending threads pack, and the session's own unpacks and closes; {@code this} guards packing and
 * {@code closed}, as native memory must not be freed under one who packs.
 */
final class Packing implements AutoCloseable {
    private static final int MARK = -1;
    private static final int FRAME_BYTES_OFFSET = Integer.BYTES;
    private static final int MARK_OFFSET = FRAME_BYTES_OFFSET + Integer.BYTES;
    private static final int HEADER_BYTES = MARK_OFFSET + Integer.BYTES;

    /** The shortest frame that is tried. */
    static final int MIN_FRAME_BYTES = 1024;

    /** Which part of a frame must be saved at least. */
    private static final int WORTHWHILE_PART = 16;

    private final Compressor compressor;
    private final ByteBufAllocator allocator;
    private boolean closed;

    Packing(Compression compression, ByteBufAllocator allocator) {
        compressor = compression.start();
        this.allocator = allocator;
    }

    /** Returns what to send for a frame, which is taken over: itself, or a smaller one. */
    ByteBuf pack(ByteBuf frame) {
        int frameBytes = frame.readableBytes();
        if (frameBytes < MIN_FRAME_BYTES) {
            return frame;
        }
        int roomBytes = compressor.maxCompressedBytes(frameBytes);
        ByteBuf compressed = allocator.directBuffer(roomBytes, roomBytes);
        try {
            int bytes = compress(
                    frame.internalNioBuffer(frame.readerIndex(), frameBytes),
                    compressed.internalNioBuffer(0, roomBytes));
            if (HEADER_BYTES + bytes > frameBytes - frameBytes / WORTHWHILE_PART) {
                return frame;
            }
            ByteBuf packed = allocator
                    .directBuffer(HEADER_BYTES + bytes, HEADER_BYTES + bytes)
                    .writeInt(bytes)
                    .writeInt(frameBytes)
                    .writeInt(MARK)
                    .writeBytes(compressed, 0, bytes);
            frame.release();
            return packed;
        } catch (RuntimeException e) {
            frame.release();
            throw e;
        } finally {
            compressed.release();
        }
    }

    private synchronized int compress(ByteBuffer frame, ByteBuffer to) {
        return closed ? frame.remaining() : compressor.compress(frame, to);
    }

    /** Returns whether a packed frame begins so. */
    static boolean isPacked(ByteBuffer header) {
        return header.getInt(header.position() + MARK_OFFSET) == MARK;
    }

    /** Returns how long the packed frame is that begins so. */
    static int packedBytes(ByteBuffer header) throws MalformedMessageException {
        int bytes = header.getInt(header.position());
        int frameBytes = frameBytes(header);
        if (frameBytes < MessageCodec.HEADER_BYTES || frameBytes > MessageCodec.MAX_FRAME_BYTES) {
            throw new MalformedMessageException("a compressed message says it has "
                    + Integer.toUnsignedString(frameBytes) + " bytes, expected " + MessageCodec.HEADER_BYTES + " to "
                    + MessageCodec.MAX_FRAME_BYTES);
        } else if (bytes < 1 || bytes >= frameBytes) {
            throw new MalformedMessageException("a message of " + frameBytes + " bytes says it is compressed to "
                    + Integer.toUnsignedString(bytes) + ", expected 1 to " + (frameBytes - 1));
        }
        return HEADER_BYTES + bytes;
    }

    private static int frameBytes(ByteBuffer header) {
        return header.getInt(header.position() + FRAME_BYTES_OFFSET);
    }

    /** Makes the frame again; whoever gets it releases it. */
    ByteBuf unpack(ByteBuffer packed) throws MalformedMessageException {
        int frameBytes = frameBytes(packed);
        ByteBuffer compressed = packed.slice(packed.position() + HEADER_BYTES, packed.remaining() - HEADER_BYTES);
        ByteBuf frame = allocator.directBuffer(frameBytes, frameBytes);
        boolean done = false;
        try {
            int bytes = decompress(compressed, frame.internalNioBuffer(0, frameBytes));
            if (bytes != frameBytes) {
                throw new MalformedMessageException(
                        "a compressed message has " + bytes + " bytes, and said it has " + frameBytes);
            }
            int saidInside = MessageCodec.frameBytes(frame.internalNioBuffer(0, frameBytes));
            if (saidInside != frameBytes) {
                throw new MalformedMessageException("a compressed message has " + frameBytes
                        + " bytes, and its own header says it has " + saidInside);
            }
            done = true;
            return frame.writerIndex(frameBytes);
        } finally {
            if (!done) {
                frame.release();
            }
        }
    }

    private int decompress(ByteBuffer compressed, ByteBuffer frame) throws MalformedMessageException {
        try {
            return compressor.decompress(compressed, frame);
        } catch (MalformedMessageException e) {
            throw new MalformedMessageException("a compressed message " + e.getMessage(), e);
        }
    }

    /** Frees what is not on the heap. Frames that are packed later stay as they are. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            compressor.close();
        }
    }
}
