package lockstep.io;

import java.io.IOException;
import java.nio.ByteBuffer;

/** An open file. Positions and lengths are bytes; errors name the file. */
public interface DiskFile extends AutoCloseable {
    /**
     * Reads into the buffer's remaining space.
     *
     * @return how many bytes were read: fewer than asked only at the end of the file, where it may be 0
     */
    int read(ByteBuffer dst, long position) throws IOException;

    /**
     * Writes all remaining bytes. For a file opened with {@link SyncMethod#DIRECT_DATASYNC}, address, position and
     * length are multiples of {@link Disk#blockBytes()}.
     */
    void write(ByteBuffer src, long position) throws IOException;

    /** Forces what was written to the disk, as the sync method of the file demands. After a failure, never try again. */
    void sync() throws IOException;

    /** Returns the length. */
    long length() throws IOException;

    @Override
    void close() throws IOException;
}
