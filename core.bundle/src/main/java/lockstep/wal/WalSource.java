package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Where the bytes of the WAL are read from, page headers included. For one thread. */
public interface WalSource extends AutoCloseable {
    /**
     * Reads into the buffer's remaining space.
     *
     * @return how many bytes from {@code lsn} on are there now: 0 if none yet
     */
    int read(long lsn, ByteBuffer dst) throws IOException;

    @Override
    void close() throws IOException;
}
