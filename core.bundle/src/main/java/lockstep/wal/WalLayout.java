package lockstep.wal;

import java.util.Locale;

/**
 * Where things stand in the WAL: pages, segments, their names, and what a position means.
 *
 * <p>The format is PostgreSQL 15's ({@code access/xlog_internal.h}). The stream of WAL is cut into segments, a file
 * each, and these into pages. Each page begins with a header that is part of the stream, so a position (LSN) counts
 * headers; a <i>usable</i> position counts only the bytes between them. Reserving space for records is then a plain
 * addition of usable bytes, and {@link #startLsn} or {@link #endLsn} turns the result into an LSN.
 *
 * @param segmentBytes the size of a segment: a power of two from 1 MB to 1 GB
 */
public record WalLayout(int segmentBytes) {
    /** The size of a page. */
    public static final int PAGE_BYTES = 8192;

    /** The size of a segment when none is asked for. */
    public static final int DEFAULT_SEGMENT_BYTES = 16 << 20;

    /** Records begin at multiples of this. */
    public static final int ALIGNMENT = 8;

    private static final int MIN_SEGMENT_BYTES = 1 << 20;
    private static final int MAX_SEGMENT_BYTES = 1 << 30;
    private static final int PAGE_USABLE_BYTES = PAGE_BYTES - PageHeader.SHORT_BYTES;
    private static final int FIRST_PAGE_USABLE_BYTES = PAGE_BYTES - PageHeader.LONG_BYTES;

    /** Checks the size. */
    public WalLayout {
        if (segmentBytes < MIN_SEGMENT_BYTES
                || segmentBytes > MAX_SEGMENT_BYTES
                || Integer.bitCount(segmentBytes) != 1) {
            throw new IllegalArgumentException(
                    "WAL segment size " + segmentBytes + " is not a power of two from 1MB to 1GB");
        }
    }

    /** Rounds a length up to the next multiple of {@value #ALIGNMENT}. */
    public static long align(long bytes) {
        return (bytes + ALIGNMENT - 1) & -ALIGNMENT;
    }

    /** Returns the first position of the page that holds {@code lsn}. */
    public static long pageStart(long lsn) {
        return lsn & -PAGE_BYTES;
    }

    /** Returns the number of the segment that holds {@code lsn}. */
    public long segmentOf(long lsn) {
        return Long.divideUnsigned(lsn, segmentBytes);
    }

    /** Returns the first position of a segment. */
    public long segmentStart(long segment) {
        return segment * segmentBytes;
    }

    /** Returns how far into its segment {@code lsn} is. */
    public int offsetInSegment(long lsn) {
        return (int) (lsn & (segmentBytes - 1));
    }

    /** Returns the size of the header of the page that starts at {@code pageLsn}. */
    public int headerBytes(long pageLsn) {
        return offsetInSegment(pageLsn) == 0 ? PageHeader.LONG_BYTES : PageHeader.SHORT_BYTES;
    }

    /** Returns where a record that comes next after {@code lsn} begins: aligned, and past a page header. */
    public long recordStart(long lsn) {
        long aligned = align(lsn);
        return aligned % PAGE_BYTES == 0 ? aligned + headerBytes(aligned) : aligned;
    }

    /** Returns the usable bytes in a whole segment. */
    public long usableBytesPerSegment() {
        return (segmentBytes / PAGE_BYTES - 1L) * PAGE_USABLE_BYTES + FIRST_PAGE_USABLE_BYTES;
    }

    /** Returns the position of the byte at a usable position: at a page's start, the first one past its header. */
    public long startLsn(long usable) {
        return lsn(usable, false);
    }

    /** Returns the position where something ends that ends at a usable position: at a page's end, before the header. */
    public long endLsn(long usable) {
        return lsn(usable, true);
    }

    private long lsn(long usable, boolean end) {
        long segment = usable / usableBytesPerSegment();
        long left = usable % usableBytesPerSegment();
        long offset;
        if (left < FIRST_PAGE_USABLE_BYTES) {
            offset = left == 0 && end ? 0 : left + PageHeader.LONG_BYTES;
        } else {
            left -= FIRST_PAGE_USABLE_BYTES;
            offset = PAGE_BYTES + left / PAGE_USABLE_BYTES * PAGE_BYTES;
            left %= PAGE_USABLE_BYTES;
            offset += left == 0 && end ? 0 : left + PageHeader.SHORT_BYTES;
        }
        return segmentStart(segment) + offset;
    }

    /** Returns the usable position of {@code lsn}, which may stand at a page's start but not inside a header. */
    public long usable(long lsn) {
        long segment = segmentOf(lsn);
        int offset = offsetInSegment(lsn);
        int page = offset / PAGE_BYTES;
        int inPage = offset % PAGE_BYTES;
        long usable = segment * usableBytesPerSegment();
        if (page == 0) {
            return usable + Math.max(0, inPage - PageHeader.LONG_BYTES);
        }
        return usable
                + FIRST_PAGE_USABLE_BYTES
                + (page - 1L) * PAGE_USABLE_BYTES
                + Math.max(0, inPage - PageHeader.SHORT_BYTES);
    }

    /** Returns the name of a segment's file: timeline and position, eight hexadecimal digits each of three numbers. */
    public String segmentName(int timeline, long segment) {
        long perId = 0x1_0000_0000L / segmentBytes;
        return String.format(Locale.ROOT, "%08X%08X%08X", timeline, segment / perId, segment % perId);
    }

    /** Returns the number of the segment with that file name, or -1 if it is no such name. */
    public long segmentNumber(String name) {
        if (!isSegmentName(name)) {
            return -1;
        }
        long perId = 0x1_0000_0000L / segmentBytes;
        return Long.parseLong(name.substring(8, 16), 16) * perId + Long.parseLong(name.substring(16), 16);
    }

    /** Returns the timeline in the name of a segment's file. */
    public static int timelineOf(String name) {
        return Integer.parseUnsignedInt(name.substring(0, 8), 16);
    }

    /** Returns whether a file name is that of a whole segment. */
    public static boolean isSegmentName(String name) {
        return name.length() == 24 && name.chars().allMatch(c -> (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'));
    }
}
