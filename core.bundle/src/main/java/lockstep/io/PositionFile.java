package lockstep.io;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * A few numbers that a server wants to know after a restart, such as positions of its log, kept in a small file that is written
 * in place. It survives a crash of the process; after one of the machine it may be older, or hold nothing, if the write was torn.
 * So it is for what may be too low and never wrong.
 *
 * <pre>
 *   0           8           …   8 * count    + 4
 *   +-----------+-----------+---+------------+
 *   | number 0  | number 1  | … | CRC-32C    |   big-endian
 *   +-----------+-----------+---+------------+
 * </pre>
 *
 * <p>For one thread, but for {@link #sync}.
 */
public final class PositionFile implements AutoCloseable {
    private final int crcOffset;
    private final ByteBuffer bytes;
    private final CRC32C crc = new CRC32C();
    private final DiskFile file;

    /** Reads the file, or makes one; all numbers are 0 if it holds nothing, or is not whole. */
    public PositionFile(Disk disk, String path, int count) throws IOException {
        crcOffset = count * Long.BYTES;
        bytes = ByteBuffer.allocateDirect(crcOffset + Integer.BYTES);
        if (!disk.exists(path)) {
            disk.create(path, ByteBuffer.allocate(0), bytes.capacity());
        }
        file = disk.open(path, SyncMethod.FDATASYNC);
        boolean whole = file.read(bytes, 0) == bytes.capacity() && bytes.getInt(crcOffset) == crc();
        for (int i = 0; !whole && i < count; i++) {
            put(i, 0);
        }
    }

    /** Returns a number as it was read, or put since. */
    public long get(int index) {
        return bytes.getLong(index * Long.BYTES);
    }

    /** Changes a number; {@link #write} brings it to the file. */
    public void put(int index, long value) {
        bytes.putLong(index * Long.BYTES, value);
    }

    /** Hands the numbers to the operating system. */
    public void write() throws IOException {
        bytes.putInt(crcOffset, crc());
        file.write(bytes.clear(), 0);
    }

    /** Brings what was written to the disk; from any thread. */
    public void sync() throws IOException {
        file.sync();
    }

    private int crc() {
        crc.reset();
        crc.update(bytes.clear().limit(crcOffset));
        bytes.clear();
        return (int) crc.getValue();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
