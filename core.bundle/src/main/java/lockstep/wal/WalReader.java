package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;
import lockstep.transport.api.Lsn;

/**
 * Reads the records of the WAL one after the other.
 *
 * <p><b>Idea.</b> Bytes come from the {@link WalSource} through a window of a few pages that moves forward. A record that
 * lies on one page, as nearly all do, is shown where it stands in the window; only one that crosses pages is put
 * together elsewhere. Below the limit that the caller gives, bytes never change once they are there, so the window
 * keeps them; above it nothing is looked at.
 *
 * <p><b>Waiting.</b> A record may be longer than what is there, and may still be arriving. What was put together of it
 * is kept, so reading a long record in many attempts costs no more than reading it in one. The place it is put
 * together in grows with the bytes that came, never by what a damaged length claims.
 *
 * <pre>
 *   state          what is at {@code readLsn}               next
 *   between        the start of a record, or of its page    RECORD, then between; or inside; or WAIT; or INVALID
 *   inside         more of a record that crosses pages      RECORD, then between; or WAIT; or INVALID, then between;
 *                                                           or between, if the page says that the rest never came
 * </pre>
 *
 * <p>After INVALID the reader stands again where the last good record ended and remembers nothing of what came behind,
 * so that another attempt reads it anew. A record that ends its segment ({@link XlogInfo#SWITCH}) ends at the segment's
 * end; the zeros in between are not read.
 *
 * <p>Nothing is allocated per record. Not thread-safe; whoever makes the source closes it.
 */
public final class WalReader {
    /** Stands for the position of a previous record that is not known. */
    public static final long UNKNOWN = WalRules.UNKNOWN;

    private static final int WINDOW_BYTES = 16 * WalLayout.PAGE_BYTES;
    private static final int INITIAL_ASSEMBLY_BYTES = 8 * WalLayout.PAGE_BYTES;
    private static final int MAX_KEPT_ASSEMBLY_BYTES = 4 << 20;

    private final WalSource source;
    private final WalLayout layout;
    private final WalRules rules;
    private final CRC32C crc = new CRC32C();

    /** Bytes of the stream from {@code windowLsn}, a page's start; so many of them are there. */
    private final ByteBuffer window = ByteBuffer.allocateDirect(WINDOW_BYTES).order(ByteOrder.LITTLE_ENDIAN);

    private final ByteBuffer windowView = window.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    private long windowLsn;
    private int windowBytes;

    /** The record that crosses pages, as far as it was read; its length is 0 while there is none. */
    private ByteBuffer assembly = WalRules.allocate(INITIAL_ASSEMBLY_BYTES);

    private long recordLsn;
    private int recordBytes;
    private int assembledBytes;

    private long readLsn;
    private long limitLsn;

    /** The page whose header was checked last. */
    private long checkedPageLsn = UNKNOWN;

    private long prevLsn = UNKNOWN;
    private long endLsn;
    private long bytesEndLsn;
    private long examinedLsn;
    private String reason = "";

    /** Where WAL is missing, if that is the reason: who follows a log looks there after each record, so the words are made when asked. */
    private long missingLsn = UNKNOWN;

    /** Makes a reader that stands at the beginning of the WAL; {@link #seek} takes it elsewhere. */
    public WalReader(WalSource source, WalIdentity identity) {
        this.source = source;
        this.layout = identity.layout();
        this.rules = new WalRules(identity);
    }

    /**
     * Goes to where a record begins, or one ends.
     *
     * @param lsn a page's start stands for the first record on it
     * @param previousLsn where the record before begins, to check the first one read against; or {@link #UNKNOWN}
     * @throws IllegalArgumentException if no record can begin or end there
     */
    public void seek(long lsn, long previousLsn) {
        long page = WalLayout.pageStart(lsn);
        int header = layout.headerBytes(page);
        if (lsn % WalLayout.ALIGNMENT != 0 || (lsn != page && lsn < page + header)) {
            throw new IllegalArgumentException("no WAL record begins or ends at " + Lsn.text(lsn));
        }
        endLsn = lsn == page + header ? page : lsn;
        bytesEndLsn = endLsn;
        prevLsn = previousLsn;
        rules.restart();
        forget();
    }

    /**
     * Goes to the first record that begins at or after a position, which may be anywhere.
     *
     * @return whether there is one below {@code limit}; if not, {@link #reason} says why
     */
    public boolean seekFirst(long lsn, long limit) throws IOException {
        long page = WalLayout.pageStart(lsn);
        seek(page, UNKNOWN);
        limitLsn = limit;
        if (!have(page, layout.headerBytes(page))) {
            missingLsn = readLsn;
            return false;
        }
        int at = index(page);
        if (!rules.page(window, at, page, lsn, UNKNOWN)) {
            missingLsn = UNKNOWN;
            reason = rules.reason();
            return false;
        }
        long remaining = WalLayout.align(WalRules.remaining(window, at));
        seek(layout.startLsn(layout.usable(page) + remaining), UNKNOWN);
        WalRecord skipped = new WalRecord();
        while (layout.recordStart(endLsn) < lsn) {
            if (next(skipped, limit) != ReadResult.RECORD) {
                return false;
            }
        }
        return true;
    }

    /**
     * Reads the next record.
     *
     * @param record shows it if the result is {@link ReadResult#RECORD}, until the next call
     * @param limit only WAL before it is read: it is there or will be, and never changes. A record is read only when it
     *     ends at or before it.
     * @throws IOException if the source failed; another attempt goes on from here
     */
    public ReadResult next(WalRecord record, long limit) throws IOException {
        limitLsn = limit;
        ReadResult result;
        do {
            result = recordBytes == 0 ? begin(record) : goOn(record);
        } while (result == null);
        return result;
    }

    /** Returns where the last good record begins, or what {@link #seek} was told. */
    public long lastRecordLsn() {
        return prevLsn;
    }

    /** Returns where the last good record ends, padding included: where the next will begin, or its page does. */
    public long endLsn() {
        return endLsn;
    }

    /**
     * Returns where the bytes of the last good record end. That is {@link #endLsn}, unless the record ended its segment: the
     * rest of that, which has to be zero, may never have been written.
     */
    public long bytesEndLsn() {
        return bytesEndLsn;
    }

    /** Says what was wrong when the last result was INVALID, and what is missing when it was WAIT. */
    public String reason() {
        return missingLsn == UNKNOWN
                ? reason
                : "there is no WAL at " + Lsn.text(missingLsn) + " in segment " + rules.segmentName(missingLsn);
    }

    /**
     * Returns how far the WAL was looked at when the last result was not RECORD: what is wrong or missing lies between
     * {@link #endLsn} and this.
     */
    public long examinedLsn() {
        return examinedLsn;
    }

    /** Reads a record from its start; null if it crosses pages and is to go on. */
    private ReadResult begin(WalRecord record) throws IOException {
        long page = WalLayout.pageStart(readLsn);
        boolean atPageStart = readLsn == page;
        if (!havePage(page)) {
            return waiting();
        }
        if (page != checkedPageLsn) {
            if (!rules.page(window, index(page), page, readLsn, atPageStart ? 0 : UNKNOWN)) {
                return invalid();
            }
            checkedPageLsn = page;
        }
        if (atPageStart) {
            readLsn += layout.headerBytes(page);
        }
        long lsn = readLsn;
        if (!have(lsn, WalLayout.ALIGNMENT)) {
            return waiting();
        }
        int at = index(lsn);
        int bytes = window.getInt(at + RecordHeader.LENGTH_OFFSET);
        if (!rules.length(bytes, lsn)) {
            return invalid();
        }
        if (bytes > page + WalLayout.PAGE_BYTES - lsn) {
            recordLsn = lsn;
            recordBytes = bytes;
            assembledBytes = 0;
            return null;
        }
        int paddedBytes = (int) WalLayout.align(bytes);
        if (!have(lsn, paddedBytes)) {
            return waiting();
        }
        at = index(lsn);
        ByteBuffer view = windowView.limit(at + bytes).position(at);
        if (!rules.recordHeader(window, at, lsn, prevLsn)
                || !rules.content(RecordHeader.crc(crc, view), view, at, bytes, lsn)
                || !rules.zeros(window, at + bytes, paddedBytes - bytes, lsn)) {
            return invalid();
        }
        return good(record, view, lsn, lsn + paddedBytes);
    }

    /** Reads more of a record that crosses pages; null if a page says that its rest never came. */
    private ReadResult goOn(WalRecord record) throws IOException {
        while (assembledBytes < recordBytes) {
            long page = WalLayout.pageStart(readLsn);
            if (readLsn == page) {
                if (!havePage(page)) {
                    return waiting();
                }
                if (!rules.page(window, index(page), page, recordLsn, recordBytes - assembledBytes)) {
                    return invalid();
                }
                checkedPageLsn = page;
                if (WalRules.overwrites(window, index(page))) {
                    recordBytes = 0;
                    return null;
                }
                readLsn += layout.headerBytes(page);
            }
            int bytes = (int) Math.min(recordBytes - assembledBytes, page + WalLayout.PAGE_BYTES - readLsn);
            if (!have(readLsn, bytes)) {
                return waiting();
            }
            boolean headerWasWhole = assembledBytes >= RecordHeader.BYTES;
            append(bytes);
            if (!headerWasWhole
                    && assembledBytes >= RecordHeader.BYTES
                    && !rules.recordHeader(assembly, 0, recordLsn, prevLsn)) {
                return invalid();
            }
        }
        int padding = (int) (WalLayout.align(readLsn) - readLsn);
        if (!have(readLsn, padding)) {
            return waiting();
        }
        ByteBuffer whole = assembly.limit(recordBytes).position(0);
        if (!rules.content(RecordHeader.crc(crc, whole), whole, 0, recordBytes, recordLsn)
                || !rules.zeros(window, index(readLsn), padding, recordLsn)) {
            return invalid();
        }
        return good(record, whole, recordLsn, readLsn + padding);
    }

    private void append(int bytes) {
        int needed = assembledBytes + bytes;
        if (needed > assembly.capacity()) {
            int doubled = (int) Math.min(assembly.capacity() * 2L, RecordHeader.MAX_RECORD_BYTES);
            ByteBuffer larger = WalRules.allocate(Math.max(needed, doubled));
            larger.put(0, assembly.clear(), 0, assembledBytes);
            assembly = larger;
        }
        assembly.clear().put(assembledBytes, window.clear(), index(readLsn), bytes);
        assembledBytes = needed;
        readLsn += bytes;
    }

    private ReadResult good(WalRecord record, ByteBuffer bytes, long lsn, long bytesEnd) {
        long end = bytesEnd;
        record.show(bytes, lsn, end);
        if (XlogInfo.isSwitch(record.rmgr(), record.info())) {
            end = layout.segmentStart(layout.segmentOf(end - 1) + 1);
            record.show(bytes, lsn, end);
            if (Long.compareUnsigned(end, limitLsn) > 0) {
                return waiting();
            }
        }
        prevLsn = lsn;
        bytesEndLsn = bytesEnd;
        endLsn = end;
        readLsn = end;
        recordBytes = 0;
        return ReadResult.RECORD;
    }

    private ReadResult waiting() {
        missingLsn = readLsn;
        examinedLsn = WalLayout.pageStart(readLsn) + WalLayout.PAGE_BYTES;
        return ReadResult.WAIT;
    }

    private ReadResult invalid() {
        missingLsn = UNKNOWN;
        reason = rules.reason();
        examinedLsn = WalLayout.pageStart(readLsn) + WalLayout.PAGE_BYTES;
        forget();
        return ReadResult.INVALID;
    }

    /** Stands at the end of the last good record and knows nothing of what comes behind. */
    private void forget() {
        readLsn = endLsn;
        recordBytes = 0;
        windowBytes = 0;
        checkedPageLsn = UNKNOWN;
        if (assembly.capacity() > MAX_KEPT_ASSEMBLY_BYTES) {
            assembly = WalRules.allocate(INITIAL_ASSEMBLY_BYTES);
        }
    }

    private boolean havePage(long page) throws IOException {
        return page == checkedPageLsn || have(page, layout.headerBytes(page));
    }

    private int index(long lsn) {
        return (int) (lsn - windowLsn);
    }

    /** Brings bytes of one page into the window; returns whether they are all there. */
    private boolean have(long lsn, int bytes) throws IOException {
        if (Long.compareUnsigned(lsn + bytes, limitLsn) > 0) {
            return false;
        }
        long offset = lsn - windowLsn;
        return (offset >= 0 && offset + bytes <= windowBytes) || fill(lsn, bytes);
    }

    private boolean fill(long lsn, int bytes) throws IOException {
        long offset = lsn - windowLsn;
        if (offset < 0 || offset > windowBytes || offset + bytes > WINDOW_BYTES) {
            windowLsn = WalLayout.pageStart(lsn);
            windowBytes = 0;
        }
        while (windowBytes < lsn - windowLsn + bytes) {
            long from = windowLsn + windowBytes;
            long below = limitLsn - from;
            int space = WINDOW_BYTES - windowBytes;
            if (Long.compareUnsigned(below, space) < 0) {
                space = (int) below;
            }
            window.limit(windowBytes + space).position(windowBytes);
            int read;
            try {
                read = source.read(from, window);
            } finally {
                window.clear();
            }
            if (read <= 0) {
                return false;
            }
            windowBytes += read;
        }
        return true;
    }
}
