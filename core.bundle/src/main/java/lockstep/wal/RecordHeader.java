package lockstep.wal;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * The header of a WAL record, and of the data in it. Little-endian; buffers are to be set so.
 *
 * <pre>
 *   0              4             8                       16     17     18      20           24
 *   +--------------+-------------+-----------------------+------+------+-------+------------+----
 *   | total length | xid         | LSN of the previous   | info | rmgr | zero  | CRC-32C    | body
 *   +--------------+-------------+-----------------------+------+------+-------+------------+----
 * </pre>
 *
 * <p>The length counts the header and the body, not the padding to the next multiple of eight nor page headers. The CRC
 * covers the body first, and then the header up to the CRC itself. The body of a record without block references is
 * {@code FF} and a length byte, or {@code FE} and a four-byte length, and then the data; without data it is empty.
 * PostgreSQL may put before it {@code FD} and a replication origin, and {@code FC} and a top-level transaction.
 */
public final class RecordHeader {
    static final int LENGTH_OFFSET = 0;
    static final int XID_OFFSET = LENGTH_OFFSET + Integer.BYTES;
    static final int PREV_OFFSET = XID_OFFSET + Integer.BYTES;
    static final int INFO_OFFSET = PREV_OFFSET + Long.BYTES;
    static final int RMGR_OFFSET = INFO_OFFSET + Byte.BYTES;
    private static final int PADDING_OFFSET = RMGR_OFFSET + Byte.BYTES;
    static final int CRC_OFFSET = PADDING_OFFSET + Short.BYTES;

    /** The size of the header, and so of the smallest record. */
    public static final int BYTES = CRC_OFFSET + Integer.BYTES;

    /** The longest record there may be, as in PostgreSQL. */
    public static final int MAX_RECORD_BYTES = 1020 << 20;

    /** The part of {@code info} that belongs to the resource manager. */
    public static final int RMGR_INFO_MASK = 0xF0;

    static final byte SHORT_DATA = (byte) 0xFF;
    static final byte LONG_DATA = (byte) 0xFE;
    static final int SHORT_DATA_HEADER_BYTES = 2;
    static final int LONG_DATA_HEADER_BYTES = 5;
    static final int MAX_SHORT_DATA_BYTES = 255;

    private static final byte ORIGIN = (byte) 0xFD;
    private static final byte TOP_XID = (byte) 0xFC;
    private static final int ORIGIN_BYTES = 1 + Short.BYTES;
    private static final int TOP_XID_BYTES = 1 + Integer.BYTES;
    private static final int MAX_BLOCK_ID = 32;

    private static final int BLOCK_HAS_IMAGE = 0x10;
    private static final int BLOCK_SAME_RELATION = 0x80;
    private static final int BLOCK_BYTES = 2 * Byte.BYTES + Short.BYTES;
    private static final int IMAGE_BYTES = 2 * Short.BYTES + Byte.BYTES;
    private static final int IMAGE_INFO_OFFSET = 2 * Short.BYTES;
    private static final int IMAGE_HAS_HOLE = 0x1;
    private static final int HOLE_BYTES = Short.BYTES;
    private static final int RELATION_BYTES = 3 * Integer.BYTES;

    private static final int BLOCK_ID_BYTES = Integer.BYTES;

    /** The most of a record's beginning that {@link #dataOffset} and {@link #imageBytes} look at: all that is not data. */
    static final int MAX_PREFIX_BYTES = BYTES
            + ORIGIN_BYTES
            + TOP_XID_BYTES
            + (MAX_BLOCK_ID + 1) * (BLOCK_BYTES + IMAGE_BYTES + HOLE_BYTES + RELATION_BYTES + BLOCK_ID_BYTES)
            + LONG_DATA_HEADER_BYTES;

    private RecordHeader() {}

    /** Returns how long a record with so much data is. */
    static int recordBytes(int dataBytes) {
        return BYTES + dataHeaderBytes(dataBytes) + dataBytes;
    }

    static int dataHeaderBytes(int dataBytes) {
        if (dataBytes == 0) {
            return 0;
        }
        return dataBytes <= MAX_SHORT_DATA_BYTES ? SHORT_DATA_HEADER_BYTES : LONG_DATA_HEADER_BYTES;
    }

    /**
     * Returns where the data begins, counted from the record's start: right after the header if there are block
     * references, and -1 if the body is not what its own first bytes say.
     *
     * @param prefix has the first {@link #MAX_PREFIX_BYTES} bytes of the record at {@code at}, or all if it is shorter
     */
    static int dataOffset(ByteBuffer prefix, int at, int recordBytes) {
        int offset = BYTES;
        if (kind(prefix, at, offset, recordBytes) == ORIGIN) {
            offset += ORIGIN_BYTES;
        }
        if (kind(prefix, at, offset, recordBytes) == TOP_XID) {
            offset += TOP_XID_BYTES;
        }
        byte kind = kind(prefix, at, offset, recordBytes);
        long end;
        if (kind == SHORT_DATA && offset + SHORT_DATA_HEADER_BYTES <= recordBytes) {
            long dataBytes = prefix.get(at + offset + 1) & 0xFF;
            offset += SHORT_DATA_HEADER_BYTES;
            end = offset + dataBytes;
        } else if (kind == LONG_DATA && offset + LONG_DATA_HEADER_BYTES <= recordBytes) {
            long dataBytes = Integer.toUnsignedLong(prefix.getInt(at + offset + 1));
            offset += LONG_DATA_HEADER_BYTES;
            end = offset + dataBytes;
        } else if (kind >= 0 && kind <= MAX_BLOCK_ID && offset == BYTES && recordBytes > BYTES) {
            end = recordBytes;
        } else {
            end = offset;
        }
        return end == recordBytes ? offset : -1;
    }

    /**
     * Returns how much of a record is images of pages, which PostgreSQL puts into the records that change them first. Of a
     * record whose block references make no sense, only what comes before that counts.
     *
     * @param prefix has the first {@link #MAX_PREFIX_BYTES} bytes of the record at {@code at}, or all if it is shorter
     */
    static int imageBytes(ByteBuffer prefix, int at, int recordBytes, WalFormat format) {
        int images = 0;
        long data = 0;
        int offset = BYTES;
        int headersBytes = Math.min(recordBytes, MAX_PREFIX_BYTES);
        while (offset < headersBytes && recordBytes - offset > data) {
            byte kind = prefix.get(at + offset);
            if (kind == ORIGIN) {
                offset += ORIGIN_BYTES;
            } else if (kind == TOP_XID) {
                offset += TOP_XID_BYTES;
            } else if (kind < 0 || kind > MAX_BLOCK_ID || headersBytes - offset < BLOCK_BYTES) {
                return images;
            } else {
                int flags = prefix.get(at + offset + 1);
                data += prefix.getShort(at + offset + 2) & 0xFFFF;
                offset += BLOCK_BYTES;
                if ((flags & BLOCK_HAS_IMAGE) != 0) {
                    if (headersBytes - offset < IMAGE_BYTES) {
                        return images;
                    }
                    int bytes = prefix.getShort(at + offset) & 0xFFFF;
                    int info = prefix.get(at + offset + IMAGE_INFO_OFFSET);
                    boolean compressed = (info & format.compressedImage()) != 0;
                    images += bytes;
                    data += bytes;
                    offset += IMAGE_BYTES + (compressed && (info & IMAGE_HAS_HOLE) != 0 ? HOLE_BYTES : 0);
                }
                offset += ((flags & BLOCK_SAME_RELATION) != 0 ? 0 : RELATION_BYTES) + BLOCK_ID_BYTES;
            }
        }
        return images;
    }

    private static byte kind(ByteBuffer prefix, int at, int offset, int recordBytes) {
        return offset < recordBytes ? prefix.get(at + offset) : 0;
    }

    /** Computes the CRC of a record that stands in one piece between position and limit. */
    static int crc(CRC32C crc, ByteBuffer record) {
        int position = record.position();
        int limit = record.limit();
        crc.reset();
        crc.update(record.position(position + BYTES));
        crc.update(record.limit(position + CRC_OFFSET).position(position));
        record.limit(limit).position(position);
        return (int) crc.getValue();
    }
}
