package lockstep.receiver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;
import lockstep.io.Disk;
import lockstep.io.DiskFile;
import lockstep.io.SyncMethod;

/**
 * Two positions that a standby wants to know after a restart, kept in the file {@value #PATH}: up to where the primary is known
 * to have flushed, so that all that was redone may be redone again also while the primary is away; and up to where WAL was on this
 * disk, so that what is missing below can be told from WAL that never came.
 *
 * <p>Both are ends of records, lower bounds, and true for ever: no log is ever cut back below a whole record that its primary has
 * flushed. So the file is
 * written in place and never flushed. It survives a crash of the process; after one of the machine an older pair is there, or
 * none, if the write was torn, which only costs time.
 *
 * <pre>
 *   0              8                   16                   24         28
 *   +--------------+-------------------+--------------------+----------+
 *   | system id    | primary flushed   | flushed here       | CRC-32C  |   big-endian
 *   +--------------+-------------------+--------------------+----------+
 * </pre>
 */
final class FlushMarks implements AutoCloseable {
    static final String PATH = "standby_flushed";

    private static final int SYSTEM_ID_OFFSET = 0;
    private static final int PRIMARY_OFFSET = SYSTEM_ID_OFFSET + Long.BYTES;
    private static final int HERE_OFFSET = PRIMARY_OFFSET + Long.BYTES;
    private static final int CRC_OFFSET = HERE_OFFSET + Long.BYTES;
    private static final int BYTES = CRC_OFFSET + Integer.BYTES;

    private final long systemId;
    private final ByteBuffer bytes = ByteBuffer.allocateDirect(BYTES);
    private final CRC32C crc = new CRC32C();
    private final DiskFile file;
    private long primaryFlushedLsn;
    private long flushedLsn;

    /** Reads the file, or makes one that knows nothing. */
    FlushMarks(Disk disk, long systemId) throws IOException {
        this.systemId = systemId;
        if (!disk.exists(PATH)) {
            disk.create(PATH, ByteBuffer.allocate(0), BYTES);
        }
        file = disk.open(PATH, SyncMethod.FDATASYNC);
        if (file.read(bytes, 0) == BYTES
                && bytes.getInt(CRC_OFFSET) == crc()
                && bytes.getLong(SYSTEM_ID_OFFSET) == systemId) {
            primaryFlushedLsn = bytes.getLong(PRIMARY_OFFSET);
            flushedLsn = bytes.getLong(HERE_OFFSET);
        }
    }

    long primaryFlushedLsn() {
        return primaryFlushedLsn;
    }

    long flushedLsn() {
        return flushedLsn;
    }

    /** Remembers both, if one has moved. */
    void remember(long newPrimaryFlushedLsn, long newFlushedLsn) throws IOException {
        if (newPrimaryFlushedLsn == primaryFlushedLsn && newFlushedLsn == flushedLsn) {
            return;
        }
        bytes.putLong(SYSTEM_ID_OFFSET, systemId);
        bytes.putLong(PRIMARY_OFFSET, newPrimaryFlushedLsn);
        bytes.putLong(HERE_OFFSET, newFlushedLsn);
        bytes.putInt(CRC_OFFSET, crc());
        file.write(bytes.clear(), 0);
        primaryFlushedLsn = newPrimaryFlushedLsn;
        flushedLsn = newFlushedLsn;
    }

    private int crc() {
        crc.reset();
        crc.update(bytes.clear().limit(CRC_OFFSET));
        bytes.clear();
        return (int) crc.getValue();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
