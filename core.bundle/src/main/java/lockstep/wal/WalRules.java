package lockstep.wal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Locale;
import lockstep.transport.api.Lsn;

/**
 * What makes WAL valid; each rule stands here once, for {@link WalReader} and {@link WalChecker}. A check that fails
 * returns false and leaves its {@link #reason}, in PostgreSQL's words where PostgreSQL checks the same. Beyond
 * PostgreSQL's checks: the bytes that must be zero are zero, the continuation fields agree also where no record
 * continues, and each page is of the timeline that the
 * history of the log has there. PostgreSQL writes its own WAL so, and with these
 * rules a flipped bit has nowhere left to hide but in a hint.
 *
 * <p>Buffers are little-endian, and are left as they are. Not thread-safe.
 */
final class WalRules {
    /** Stands for a position or length that is not known, and so not compared. */
    static final long UNKNOWN = -1;

    private static final int LAST_BUILT_IN_RMGR = 21;
    private static final int FIRST_CUSTOM_RMGR = 128;
    private final WalIdentity identity;
    private final WalLayout layout;

    /** The timeline of the last good page; 0 before the first. */
    private int timeline;

    private String reason = "";

    WalRules(WalIdentity identity) {
        this.identity = identity;
        this.layout = identity.layout();
    }

    /** Says why the last check that failed did. */
    String reason() {
        return reason;
    }

    /** Forgets the pages seen, because the next one may come before them. */
    void restart() {
        timeline = 0;
    }

    /** Returns the name of the segment that holds a position. */
    String segmentName(long lsn) {
        return identity.segmentName(layout.segmentOf(lsn));
    }

    /**
     * Checks a page header.
     *
     * @param recordLsn the record that continues here, or the position asked for; for messages
     * @param remaining what is still to come of that record; 0 if a record begins here, or {@link #UNKNOWN}
     */
    boolean page(ByteBuffer bytes, int at, long pageLsn, long recordLsn, long remaining) {
        int magic = bytes.getShort(at + PageHeader.MAGIC_OFFSET) & 0xFFFF;
        if (magic != identity.format().magic()) {
            return badPage(pageLsn, String.format(Locale.ROOT, "invalid magic number %04X", magic));
        }
        int flags = bytes.getShort(at + PageHeader.FLAGS_OFFSET) & 0xFFFF;
        boolean first = layout.offsetInSegment(pageLsn) == 0;
        boolean continues = (flags & PageHeader.FIRST_IS_CONTINUATION) != 0;
        boolean overwrites = (flags & PageHeader.OVERWRITES_CONTINUATION) != 0;
        if ((flags & ~PageHeader.ALL_FLAGS) != 0
                || first != ((flags & PageHeader.LONG_HEADER) != 0)
                || (overwrites && (continues || (remaining == 0 && timeline != 0)))) {
            return badPage(pageLsn, String.format(Locale.ROOT, "invalid info bits %04X", flags));
        }
        if (first && !longHeader(bytes, at, pageLsn)) {
            return false;
        }
        long address = bytes.getLong(at + PageHeader.LSN_OFFSET);
        if (address != pageLsn) {
            return badPage(pageLsn, "unexpected pageaddr " + Lsn.text(address));
        }
        int pageTimeline = bytes.getInt(at + PageHeader.TIMELINE_OFFSET);
        if (pageTimeline == 0 || Integer.compareUnsigned(pageTimeline, timeline) < 0) {
            return badPage(
                    pageLsn, "out-of-sequence timeline ID " + text(pageTimeline) + " (after " + text(timeline) + ')');
        }
        if (Integer.compareUnsigned(pageTimeline, identity.timeline()) > 0) {
            return badPage(
                    pageLsn,
                    "out-of-sequence timeline ID " + text(pageTimeline) + " (the log is on " + text(identity.timeline())
                            + ')');
        }
        int expected = identity.history().timelineAt(pageLsn);
        if (pageTimeline != expected) {
            return badPage(
                    pageLsn,
                    "unexpected timeline ID " + text(pageTimeline) + " (the log is on " + text(expected) + " there)");
        }
        if (bytes.getInt(at + PageHeader.PADDING_OFFSET) != 0) {
            return badPage(pageLsn, "non-zero padding in page header");
        }
        if (!continuation(remaining(bytes, at), continues, overwrites, recordLsn, remaining)) {
            return false;
        }
        timeline = pageTimeline;
        return true;
    }

    /** Returns the bytes that the page says are still to come of a record begun earlier. */
    static long remaining(ByteBuffer bytes, int at) {
        return Integer.toUnsignedLong(bytes.getInt(at + PageHeader.REMAINING_OFFSET));
    }

    /** Returns whether a good page says that the record that should continue here never will. */
    static boolean overwrites(ByteBuffer bytes, int at) {
        return (bytes.getShort(at + PageHeader.FLAGS_OFFSET) & PageHeader.OVERWRITES_CONTINUATION) != 0;
    }

    private boolean longHeader(ByteBuffer bytes, int at, long pageLsn) {
        long systemId = bytes.getLong(at + PageHeader.SYSTEM_ID_OFFSET);
        if (systemId != identity.systemId()) {
            return badPage(
                    pageLsn,
                    "WAL file is from different database system: WAL file database system identifier is "
                            + Long.toUnsignedString(systemId) + ", expected "
                            + Long.toUnsignedString(identity.systemId()));
        }
        int segmentBytes = bytes.getInt(at + PageHeader.SEGMENT_BYTES_OFFSET);
        if (segmentBytes != layout.segmentBytes()) {
            return badPage(
                    pageLsn,
                    "incorrect segment size " + text(segmentBytes) + " in page header, expected "
                            + layout.segmentBytes());
        }
        int pageBytes = bytes.getInt(at + PageHeader.PAGE_BYTES_OFFSET);
        if (pageBytes != WalLayout.PAGE_BYTES) {
            return badPage(
                    pageLsn,
                    "incorrect page size " + text(pageBytes) + " in page header, expected " + WalLayout.PAGE_BYTES);
        }
        return true;
    }

    private boolean continuation(long found, boolean continues, boolean overwrites, long recordLsn, long remaining) {
        if (remaining > 0 && !continues && !overwrites) {
            return bad("there is no contrecord flag at " + Lsn.text(recordLsn));
        }
        if (remaining == 0 && continues) {
            return bad("contrecord is requested by " + Lsn.text(recordLsn));
        }
        boolean right;
        if (!continues) {
            right = found == 0;
        } else {
            right = remaining == UNKNOWN ? found > 0 : found == remaining;
        }
        return right
                || bad("invalid contrecord length " + found + " (expected " + (continues ? remaining : 0) + ") at "
                        + Lsn.text(recordLsn));
    }

    /** Checks a record's length, which is whole on the page where the record begins. */
    boolean length(int recordBytes, long lsn) {
        if (recordBytes >= 0 && recordBytes < RecordHeader.BYTES) {
            return bad("invalid record length at " + Lsn.text(lsn) + ": wanted " + RecordHeader.BYTES + ", got "
                    + recordBytes);
        }
        if (recordBytes < 0 || recordBytes > RecordHeader.MAX_RECORD_BYTES) {
            return bad("record length " + text(recordBytes) + " at " + Lsn.text(lsn) + " too long");
        }
        return true;
    }

    /**
     * Checks the rest of a record's header.
     *
     * @param prevLsn where the previous record begins, or {@link #UNKNOWN}
     */
    boolean recordHeader(ByteBuffer bytes, int at, long lsn, long prevLsn) {
        int rmgr = bytes.get(at + RecordHeader.RMGR_OFFSET) & 0xFF;
        if (rmgr > LAST_BUILT_IN_RMGR
                && (rmgr < FIRST_CUSTOM_RMGR || !identity.format().hasCustomRmgrs())) {
            return bad("invalid resource manager ID " + rmgr + " at " + Lsn.text(lsn));
        }
        long prev = bytes.getLong(at + RecordHeader.PREV_OFFSET);
        boolean linked = prevLsn == UNKNOWN ? Long.compareUnsigned(prev, lsn) < 0 : prev == prevLsn;
        return linked || bad("record with incorrect prev-link " + Lsn.text(prev) + " at " + Lsn.text(lsn));
    }

    /** Checks a record whose CRC has been computed: the CRC itself, and then that its data is as long as it says. */
    boolean content(int crc, ByteBuffer prefix, int at, int recordBytes, long lsn) {
        if (crc != prefix.getInt(at + RecordHeader.CRC_OFFSET)) {
            return bad("incorrect resource manager data checksum in record at " + Lsn.text(lsn));
        }
        return RecordHeader.dataOffset(prefix, at, recordBytes) > 0
                || bad("record with invalid length at " + Lsn.text(lsn));
    }

    /** Checks that the next so many bytes are zero. */
    boolean zeros(ByteBuffer bytes, int at, int count, long recordLsn) {
        int end = at + count;
        int i = at;
        while (i + Long.BYTES <= end && bytes.getLong(i) == 0) {
            i += Long.BYTES;
        }
        while (i < end && bytes.get(i) == 0) {
            i++;
        }
        return i == end || bad("non-zero padding after record at " + Lsn.text(recordLsn));
    }

    static ByteBuffer allocate(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static String text(int unsigned) {
        return Integer.toUnsignedString(unsigned);
    }

    private boolean badPage(long pageLsn, String what) {
        return bad(what + " in log segment " + segmentName(pageLsn) + ", offset " + layout.offsetInSegment(pageLsn));
    }

    private boolean bad(String what) {
        reason = what;
        return false;
    }
}
