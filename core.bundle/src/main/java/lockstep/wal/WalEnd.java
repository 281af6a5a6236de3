package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import lockstep.io.DiskFile;
import lockstep.transport.api.Lsn;

/**
 * Tells the end of the WAL from damage in its midst.
 *
 * <p><b>The question.</b> After a crash, WAL is read until something is no valid record. Nearly always that is the end:
 * what comes behind was never written. But a bit that rotted, or a file that was lost, looks the same, and to take it
 * for the end would silently throw away commits that were acknowledged. PostgreSQL does not ask; we do.
 *
 * <p><b>The answer.</b> WAL is written in order, and what has not been flushed when the next batch is written is never
 * more than the WAL buffers hold. The invalid thing lies somewhere between the end of the last good record and what the
 * reader examined of the next ({@link WalReader#examinedLsn}; for a long record the two can be far apart). So:
 *
 * <pre>
 *   the invalid record begins                                                          it is
 *   before a position known to have been flushed                                       damage
 *   anywhere, and valid WAL begins more than {@code maxTornBytes} past what was examined   damage
 *   anywhere else                                                                      the end
 * </pre>
 *
 * <p><b>What is not taken for damage.</b>
 *
 * <ul>
 *   <li>A torn tail: of the last batch some pages were written and others not, in any order. All of them lie within
 *       {@code maxTornBytes}, where valid WAL proves nothing.
 *   <li>A recycled segment: all its pages, and so all its records, carry the addresses of an earlier place. Valid WAL here
 *       means a page with the address of the very place it stands at, and on it a record with a good CRC that follows one
 *       not before the invalid one. Zeros are no page at all.
 *   <li>A torn tail of an earlier crash, over which WAL was written again, but not to its end: it is no longer than
 *       one batch from where the earlier WAL ended, and so from any later end.
 * </ul>
 *
 * <p>Whoever cuts the WAL back at will, as a standby does that holds more than its primary, leaves whole batches behind the
 * end; these must be wiped ({@link SegmentFiles#truncate}).
 *
 * <p><b>What it costs.</b> The segment of the invalid record and the one after it are looked through page by page; of later
 * ones only the beginning. That bounds the time with many segments made ahead of need, and misses only damage that
 * spans more than a segment and also hit the first page of every later one.
 */
public final class WalEnd {
    private final WalSource source;
    private final WalIdentity identity;
    private final ByteBuffer header = WalRules.allocate(PageHeader.SHORT_BYTES);

    /** Makes a judge of one log. The source is read only in {@link #check}, and not closed. */
    public WalEnd(WalSource source, WalIdentity identity) {
        this.source = source;
        this.identity = identity;
    }

    /**
     * Judges where a reader stopped: returns if it is the end of the WAL.
     *
     * @param reader got INVALID, or WAIT below {@code filesEndLsn}
     * @param filesEndLsn the end of the newest segment file there is
     * @param maxTornBytes the most that can have been written and not flushed: the size of the WAL buffers
     * @param knownFlushedLsn the end of a record known to have been on the disk, such as that of the last checkpoint; 0
     *     if none is known. Not a position inside a record: one that was cut off by a crash may have been flushed in part.
     * @throws WalCorruptionException if it is damage; names the segment and the position, and says what was found
     */
    public void check(WalReader reader, long filesEndLsn, long maxTornBytes, long knownFlushedLsn) throws IOException {
        WalLayout layout = identity.layout();
        long lsn = layout.recordStart(reader.endLsn());
        if (Long.compareUnsigned(reader.endLsn(), knownFlushedLsn) < 0) {
            throw corruption(reader, lsn, "WAL up to " + Lsn.text(knownFlushedLsn) + " had been flushed");
        }
        WalReader probe = new WalReader(source, identity);
        WalRecord record = new WalRecord();
        long from = WalLayout.pageStart(reader.examinedLsn() + maxTornBytes + WalLayout.PAGE_BYTES - 1);
        long throughSegment = layout.segmentOf(reader.examinedLsn() - 1) + 1;
        for (long page = from; Long.compareUnsigned(page, filesEndLsn) < 0; page = next(page, throughSegment)) {
            if (isPage(page)
                    && probe.seekFirst(page, filesEndLsn)
                    && probe.next(record, filesEndLsn) == ReadResult.RECORD
                    && Long.compareUnsigned(record.prevLsn(), reader.endLsn()) >= 0) {
                throw corruption(reader, lsn, "valid WAL goes on at " + Lsn.text(record.lsn()));
            }
        }
    }

    /**
     * Returns whether a segment that is being filled ends at a place where no valid record begins: a record of no length, or a page
     * that was never written there.
     *
     * @param segment the file of the segment that holds {@code lsn}
     * @param lsn where a record would begin, or its page
     */
    public static boolean isUnwritten(DiskFile segment, WalLayout layout, long lsn) throws IOException {
        ByteBuffer bytes = WalRules.allocate(PageHeader.LONG_BYTES);
        int offset = layout.offsetInSegment(lsn);
        boolean pageBegins = lsn % WalLayout.PAGE_BYTES == 0;
        int wanted = pageBegins ? PageHeader.LONG_BYTES : Integer.BYTES;
        if (segment.read(bytes.limit(wanted), offset) < wanted) {
            return true;
        }
        if (!pageBegins) {
            return bytes.getInt(0) == 0;
        }
        return bytes.getLong(PageHeader.LSN_OFFSET) != lsn
                || (offset == 0 && bytes.getLong(PageHeader.SYSTEM_ID_OFFSET) == 0);
    }

    /** Looks at the address alone, so that looking through a segment of zeros, or of old WAL, costs little. */
    private boolean isPage(long page) throws IOException {
        header.clear();
        return source.read(page, header) == PageHeader.SHORT_BYTES && header.getLong(PageHeader.LSN_OFFSET) == page;
    }

    private long next(long page, long throughSegment) {
        WalLayout layout = identity.layout();
        long segment = layout.segmentOf(page);
        return Long.compareUnsigned(segment, throughSegment) <= 0
                ? page + WalLayout.PAGE_BYTES
                : layout.segmentStart(segment + 1);
    }

    private WalCorruptionException corruption(WalReader reader, long lsn, String evidence) {
        WalLayout layout = identity.layout();
        return new WalCorruptionException(
                identity.segmentName(layout.segmentOf(lsn)),
                lsn,
                reader.reason() + "; but " + evidence + ": restore the segment from a standby or an archive");
    }
}
