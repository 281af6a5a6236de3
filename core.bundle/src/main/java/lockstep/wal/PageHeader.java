package lockstep.wal;

import java.nio.ByteBuffer;

/**
 * The header of a WAL page. Little-endian; buffers are to be set so.
 *
 * <pre>
 *   0        2        4            8                        16            20            24
 *   +--------+--------+------------+------------------------+-------------+-------------+
 *   | magic  | flags  | timeline   | LSN of this page       | remaining   | zero        |
 *   +--------+--------+------------+------------------------+-------------+-------------+
 *   | system id                    | segment size | page    |   long header only, the first page of a segment
 *   +------------------------------+--------------+---------+
 *   24                             32             36        40
 * </pre>
 *
 * <p>{@code remaining} counts the bytes still to come of a record begun on an earlier page, those on this page included;
 * it is 0, and the flag {@link #FIRST_IS_CONTINUATION} off, when a record begins right after the header.
 */
public final class PageHeader {
    /** Marks a page of Lockstep's own log. */
    public static final short MAGIC = (short) WalFormat.LOCKSTEP.magic();

    /** The page begins with the rest of a record. */
    public static final int FIRST_IS_CONTINUATION = 0x1;

    /** The header is a long one. */
    public static final int LONG_HEADER = 0x2;

    /**
     * The record that should continue here never will: a crash cut it off, and other WAL follows it, beginning with
     * {@link XlogInfo#OVERWRITE_CONTINUATION}. Only PostgreSQL writes it.
     */
    public static final int OVERWRITES_CONTINUATION = 0x8;

    /** All flags that there are; besides those above, a hint about full-page images. */
    public static final int ALL_FLAGS = 0xF;

    static final int MAGIC_OFFSET = 0;
    static final int FLAGS_OFFSET = MAGIC_OFFSET + Short.BYTES;
    static final int TIMELINE_OFFSET = FLAGS_OFFSET + Short.BYTES;
    static final int LSN_OFFSET = TIMELINE_OFFSET + Integer.BYTES;
    static final int REMAINING_OFFSET = LSN_OFFSET + Long.BYTES;
    static final int PADDING_OFFSET = REMAINING_OFFSET + Integer.BYTES;

    /** The size of the header of most pages. */
    public static final int SHORT_BYTES = PADDING_OFFSET + Integer.BYTES;

    static final int SYSTEM_ID_OFFSET = SHORT_BYTES;
    static final int SEGMENT_BYTES_OFFSET = SYSTEM_ID_OFFSET + Long.BYTES;
    static final int PAGE_BYTES_OFFSET = SEGMENT_BYTES_OFFSET + Integer.BYTES;

    /** The size of the header of a segment's first page. */
    public static final int LONG_BYTES = PAGE_BYTES_OFFSET + Integer.BYTES;

    private PageHeader() {}

    /**
     * Writes a header.
     *
     * @param at where in {@code page} it goes
     * @param remainingBytes the bytes still to come of the record begun earlier; 0 if a record begins here
     */
    static void write(
            ByteBuffer page, int at, WalLayout layout, long systemId, int timeline, long pageLsn, int remainingBytes) {
        boolean first = layout.offsetInSegment(pageLsn) == 0;
        int flags = (remainingBytes > 0 ? FIRST_IS_CONTINUATION : 0) | (first ? LONG_HEADER : 0);
        page.putShort(at + MAGIC_OFFSET, MAGIC);
        page.putShort(at + FLAGS_OFFSET, (short) flags);
        page.putInt(at + TIMELINE_OFFSET, timeline);
        page.putLong(at + LSN_OFFSET, pageLsn);
        page.putInt(at + REMAINING_OFFSET, remainingBytes);
        page.putInt(at + PADDING_OFFSET, 0);
        if (first) {
            page.putLong(at + SYSTEM_ID_OFFSET, systemId);
            page.putInt(at + SEGMENT_BYTES_OFFSET, layout.segmentBytes());
            page.putInt(at + PAGE_BYTES_OFFSET, WalLayout.PAGE_BYTES);
        }
    }
}
