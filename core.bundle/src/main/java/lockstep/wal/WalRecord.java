package lockstep.wal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A record as it was read from the WAL: a view that its reader fills again for the next one, so nobody keeps it.
 */
public final class WalRecord {
    private static final ByteBuffer EMPTY = ByteBuffer.allocate(0);

    private ByteBuffer bytes = EMPTY;
    private int totalBytes;
    private long lsn;
    private long endLsn;

    /**
     * Shows another record.
     *
     * @param record the whole record between position and limit, without page headers, little-endian
     * @param startLsn where it begins
     * @param end where it ends, padding included
     */
    void show(ByteBuffer record, long startLsn, long end) {
        showBeginning(record, record.remaining(), startLsn, end);
    }

    /**
     * Shows the beginning of another record: all but {@link #data} can be asked for, and that as well if it is whole.
     *
     * @param beginning its first {@link RecordHeader#MAX_PREFIX_BYTES} bytes, or all if it is shorter, from the position on
     * @param recordBytes the length of all of it
     */
    void showBeginning(ByteBuffer beginning, int recordBytes, long startLsn, long end) {
        bytes = beginning;
        totalBytes = recordBytes;
        lsn = startLsn;
        endLsn = end;
    }

    /** Returns where it begins. */
    public long lsn() {
        return lsn;
    }

    /** Returns where it ends, padding included: before the header of the next page if it fills its page. */
    public long endLsn() {
        return endLsn;
    }

    /** Returns its length: header and body, without padding and page headers. */
    public int totalBytes() {
        return totalBytes;
    }

    /** Returns the transaction, 0 for none. */
    public int xid() {
        return bytes.getInt(bytes.position() + RecordHeader.XID_OFFSET);
    }

    /** Returns where the previous record begins. */
    public long prevLsn() {
        return bytes.getLong(bytes.position() + RecordHeader.PREV_OFFSET);
    }

    /** Returns the four bits that say what kind of record of its resource manager it is, in place ({@code 0xF0}). */
    public int info() {
        return bytes.get(bytes.position() + RecordHeader.INFO_OFFSET) & RecordHeader.RMGR_INFO_MASK;
    }

    /** Returns the id of its resource manager. */
    public int rmgr() {
        return bytes.get(bytes.position() + RecordHeader.RMGR_OFFSET) & 0xFF;
    }

    /** Returns how much of {@link #totalBytes} is images of pages. */
    public int imageBytes(WalFormat format) {
        return RecordHeader.imageBytes(bytes, bytes.position(), totalBytes, format);
    }

    /** Returns the CRC it carries. */
    public int crc() {
        return bytes.getInt(bytes.position() + RecordHeader.CRC_OFFSET);
    }

    /**
     * Returns its data, little-endian, from position to limit. For a record with block references, which only
     * PostgreSQL writes, it is the whole body.
     */
    public ByteBuffer data() {
        int start = bytes.position();
        int offset = RecordHeader.dataOffset(bytes, start, totalBytes);
        return bytes.duplicate()
                .order(ByteOrder.LITTLE_ENDIAN)
                .limit(Math.min(start + totalBytes, bytes.limit()))
                .position(start + offset);
    }
}
