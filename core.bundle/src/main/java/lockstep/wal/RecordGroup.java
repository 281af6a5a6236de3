package lockstep.wal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/**
 * Records that go into the WAL together, one right after the other: those of a transaction, its commit record last. A
 * thread builds a group, inserts it and uses the object again, so inserting allocates nothing.
 *
 * <p>The group holds the records as they will stand in the WAL, each padded to a multiple of eight, except for what is
 * known only when their place is: the position of the previous record, the CRC, and page headers between. Not
 * thread-safe.
 */
public final class RecordGroup {
    private static final int INITIAL_BYTES = 1024;

    private ByteBuffer buffer = allocate(INITIAL_BYTES);
    private int lastStart;
    private final CRC32C crc = new CRC32C();

    private static ByteBuffer allocate(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Makes the group empty. */
    public RecordGroup clear() {
        buffer.clear();
        lastStart = 0;
        return this;
    }

    /**
     * Adds a record.
     *
     * @param xid the transaction, 0 for none
     * @param rmgr the id of the resource manager
     * @param info the kind of record: only bits of {@code 0xF0}
     * @param dataBytes how much data follows
     * @return where the data goes: exactly {@code dataBytes} between position and limit, little-endian; valid until the
     *     next record is added
     * @throws IllegalArgumentException if the record would be longer than {@link RecordHeader#MAX_RECORD_BYTES}
     */
    public ByteBuffer add(int xid, int rmgr, int info, int dataBytes) {
        if (dataBytes > RecordHeader.MAX_RECORD_BYTES - RecordHeader.BYTES - RecordHeader.LONG_DATA_HEADER_BYTES) {
            throw new IllegalArgumentException("a WAL record of " + dataBytes + " bytes of data is too long: at most "
                    + RecordHeader.MAX_RECORD_BYTES + " bytes");
        }
        int recordBytes = RecordHeader.recordBytes(dataBytes);
        int start = buffer.position();
        int end = Math.toIntExact(start + WalLayout.align(recordBytes));
        ensureCapacity(end);
        ByteBuffer out = buffer;
        out.putLong(end - WalLayout.ALIGNMENT, 0);
        out.putInt(start + RecordHeader.LENGTH_OFFSET, recordBytes);
        out.putInt(start + RecordHeader.XID_OFFSET, xid);
        out.putLong(start + RecordHeader.PREV_OFFSET, 0);
        // Info, resource manager and two zero bytes in one go.
        out.putInt(start + RecordHeader.INFO_OFFSET, (info & RecordHeader.RMGR_INFO_MASK) | (rmgr & 0xFF) << 8);
        out.putInt(start + RecordHeader.CRC_OFFSET, 0);
        int data = start + RecordHeader.BYTES;
        if (dataBytes > RecordHeader.MAX_SHORT_DATA_BYTES) {
            out.put(data, RecordHeader.LONG_DATA).putInt(data + 1, dataBytes);
        } else if (dataBytes > 0) {
            out.put(data, RecordHeader.SHORT_DATA).put(data + 1, (byte) dataBytes);
        }
        lastStart = start;
        out.position(end);
        return out.duplicate()
                .order(ByteOrder.LITTLE_ENDIAN)
                .limit(start + recordBytes)
                .position(start + recordBytes - dataBytes);
    }

    /** Returns the bytes that all records take, padding included, without page headers. */
    public int bytes() {
        return buffer.position();
    }

    /** Returns where the last record starts, counted from the first. */
    int lastStart() {
        return lastStart;
    }

    /** Returns the records from 0 to {@link #bytes}. */
    ByteBuffer buffer() {
        return buffer;
    }

    CRC32C crc() {
        return crc;
    }

    private void ensureCapacity(int needed) {
        if (needed > buffer.capacity()) {
            ByteBuffer larger = allocate(Math.max(needed, Math.min(buffer.capacity(), Integer.MAX_VALUE / 2) * 2));
            buffer.flip();
            buffer = larger.put(buffer);
        }
    }
}
