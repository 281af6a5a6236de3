package lockstep.transport.tcp;

import java.nio.ByteBuffer;
import lockstep.transport.api.MalformedMessageException;

/**
 * Makes bytes smaller, and again as they were; the buffers are direct. One thread at a time compresses, and one
 * decompresses.
 */
interface Compressor extends AutoCloseable {
    /** Returns how many bytes so many may become, at worst. */
    int maxCompressedBytes(int bytes);

    /**
     * Compresses what remains in a buffer.
     *
     * @param to with room for {@link #maxCompressedBytes}
     * @return how many bytes it has become
     */
    int compress(ByteBuffer from, ByteBuffer to);

    /**
     * Decompresses what remains in a buffer, which may be anything. Writes nothing outside of {@code to}, and takes no
     * memory that depends on what is read.
     *
     * @return how many bytes it has become
     * @throws MalformedMessageException if it is nothing compressed, or becomes more than {@code to} has room for
     */
    int decompress(ByteBuffer from, ByteBuffer to) throws MalformedMessageException;

    /** Frees what is not on the heap. */
    @Override
    default void close() {}
}
