package lockstep.transport.ssh;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.IntFunction;

/**
 * The stream of bytes under a session. It has a thread of its own that reads: that thread calls {@link SshSession#hear},
 * {@link SshSession#idle} before it waits for the peer, and last {@link SshSession#end}.
 */
interface Link {
    /**
     * Opens the stream and starts to read, after it has told {@link SshSession#meet} who the other side is. Blocks until that
     * is done or {@link #abort} is called.
     *
     * @throws IOException if the stream could not be opened; says why, in words for the operator
     */
    void open(SshSession session) throws IOException;

    /** Returns whether there is a reader, which will call {@link SshSession#end}. Asked after {@link #abort}. */
    boolean reading();

    /** Returns what makes buffers that are written best. */
    IntFunction<ByteBuffer> memory();

    /** Writes all that remains in the buffer. Blocks while the peer takes nothing. */
    void write(ByteBuffer bytes) throws IOException;

    /** Tells the peer that no more will come. Reading goes on. */
    void endOutput() throws IOException;

    /** Ends the stream at once. Any thread may call it, at any time and again; does not block. */
    void abort();

    /** Returns after how long without anything to write {@link #ping} is called. */
    default long pingNanos() {
        return Long.MAX_VALUE / 2;
    }

    /** Asks the other side for a sign of life. */
    default void ping() throws IOException {}
}
