package lockstep.wal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;
import lockstep.transport.api.Lsn;

/**
 * Checks WAL as it streams in, before a standby acknowledges it.
 *
 * <p><b>Idea.</b> The stream is cut anywhere, so the checker is a small machine that goes on at any byte. It copies no
 * record: the CRC is computed over the pieces as they pass, and only what the rules look at, a page header and the
 * beginning of a record, is kept. A record that lies whole in what came, on one page, is checked where it stands, in one
 * go; nearly all are.
 *
 * <pre>
 *   expects        until                                    then
 *   PAGE_HEADER    the header is whole                      what was expected before the page ended
 *   PREFIX         the record's header, and that of its     BODY
 *                  data, are whole
 *   BODY           the record's last byte                   PADDING
 *   PADDING        the next multiple of eight               PREFIX, or ZEROS after a record that ends its segment
 *   ZEROS          the segment's end                        PREFIX
 * </pre>
 *
 * <p>Who wants to know what passes is told of each record that counts as checked ({@link Listener}), so that nobody has to read the
 * log once more for that.
 *
 * <p>A record counts as checked when its padding is, and one that ends its segment when all zeros after it are: so {@link
 * #checkedLsn} is always a place where another checker, or a {@link WalReader}, can start.
 *
 * <p>After a {@link WalCorruptionException} the checker is of no more use; a new one starts at {@code checkedLsn}. Not
 * thread-safe.
 */
public final class WalChecker {
    /** Hears of the records that pass. */
    @FunctionalInterface
    public interface Listener {
        /** Who is told nothing. */
        Listener NONE = record -> {};

        /**
         * A record is whole and good.
         *
         * @param record as {@link WalRecord#showBeginning} has it, until this returns
         */
        void passed(WalRecord record);
    }

    private final WalLayout layout;
    private final Listener listener;
    private final WalRecord record = new WalRecord();
    private final WalRules rules;
    private final CRC32C crc = new CRC32C();

    private long checkedLsn;
    private long prevLsn;

    /** The position of the next byte. */
    private long nextLsn;

    /** The header of the page that has begun, as far as it came; 0 bytes when none is expected. */
    private final ByteBuffer pageHeader = WalRules.allocate(PageHeader.LONG_BYTES);

    private int pageHeaderBytes;

    /** The beginning of the record that has begun, as far as it came. */
    private final ByteBuffer prefix = WalRules.allocate(RecordHeader.MAX_PREFIX_BYTES);

    private int prefixBytes;

    /** The record that has begun; its length is 0 until that is known. */
    private long recordLsn;

    private long recordBytes;
    private long doneBytes;

    /** Whether the record began before the first byte, so that all one can do is skip it. */
    private boolean skipping;

    /** Whether no page has been seen yet, and the WAL before is not known. */
    private boolean mayBeginInside;

    private int paddingBytes;
    private long zerosUntilLsn;

    /**
     * Starts where a record begins or one ended; a page's start stands for the first record on it.
     *
     * @param previousLsn where the record before begins; or {@link WalReader#UNKNOWN}: then {@code lsn} may also be a
     *     page inside a record, whose rest is not checked
     */
    public WalChecker(WalIdentity identity, long lsn, long previousLsn) {
        this(identity, lsn, previousLsn, Listener.NONE);
    }

    /** The same, which tells of what passes. */
    public WalChecker(WalIdentity identity, long lsn, long previousLsn, Listener listener) {
        this.listener = listener;
        layout = identity.layout();
        rules = new WalRules(identity);
        checkedLsn = lsn;
        nextLsn = lsn;
        prevLsn = previousLsn;
        mayBeginInside = previousLsn == WalReader.UNKNOWN;
    }

    /** Returns the position up to which all WAL is whole and good: the end of a record, padding included. */
    public long checkedLsn() {
        return checkedLsn;
    }

    /** Returns where the last good record begins, or what the constructor was told. */
    public long lastRecordLsn() {
        return prevLsn;
    }

    /** Returns the position of the byte that must come next. */
    public long nextLsn() {
        return nextLsn;
    }

    /**
     * Checks the next piece.
     *
     * @param lsn the position of its first byte, which is {@link #nextLsn}
     * @param bytes from position to limit, which are left as they are
     * @throws WalCorruptionException at the first thing that is wrong; what is before {@link #checkedLsn} is good
     * @throws IllegalArgumentException if the piece does not follow the one before
     */
    public void accept(long lsn, ByteBuffer bytes) throws WalCorruptionException {
        if (lsn != nextLsn) {
            throw new IllegalArgumentException("WAL from " + Lsn.text(lsn) + ", expected " + Lsn.text(nextLsn));
        }
        ByteBuffer in = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        int limit = in.limit();
        while (in.hasRemaining()) {
            if (zerosUntilLsn != 0) {
                passZeros(in);
            } else if (pageHeaderBytes > 0 || nextLsn % WalLayout.PAGE_BYTES == 0) {
                takePageHeader(in);
            } else {
                int onPage = (int) (WalLayout.PAGE_BYTES - nextLsn % WalLayout.PAGE_BYTES);
                in.limit(in.position() + Math.min(in.remaining(), onPage));
                if (prefixBytes > 0 || recordBytes > 0 || !passWhole(in)) {
                    takePiece(in);
                }
                in.limit(limit);
            }
        }
    }

    private void takePageHeader(ByteBuffer in) throws WalCorruptionException {
        long page = nextLsn - pageHeaderBytes;
        int needed = layout.headerBytes(page);
        pageHeaderBytes += move(in, pageHeader, pageHeaderBytes, needed);
        if (pageHeaderBytes < needed) {
            return;
        }
        pageHeaderBytes = 0;
        boolean inside = recordBytes > 0;
        long remaining = inside ? recordBytes - doneBytes : mayBeginInside ? WalRules.UNKNOWN : 0;
        require(rules.page(pageHeader, 0, page, inside ? recordLsn : page, remaining), inside ? recordLsn : page);
        if (inside && WalRules.overwrites(pageHeader, 0)) {
            startOver();
        } else if (remaining == WalRules.UNKNOWN) {
            recordLsn = page;
            recordBytes = WalRules.remaining(pageHeader, 0);
            skipping = recordBytes > 0;
        }
        mayBeginInside = false;
    }

    /** Checks a record that is whole in the rest of its page; returns false, and does nothing, if it is not. */
    private boolean passWhole(ByteBuffer in) throws WalCorruptionException {
        int at = in.position();
        int limit = in.limit();
        if (limit - at < RecordHeader.BYTES) {
            return false;
        }
        int bytes = in.getInt(at + RecordHeader.LENGTH_OFFSET);
        require(rules.length(bytes, nextLsn), nextLsn);
        int paddedBytes = (int) WalLayout.align(bytes);
        if (paddedBytes > limit - at) {
            return false;
        }
        require(rules.recordHeader(in, at, nextLsn, prevLsn), nextLsn);
        int computed = RecordHeader.crc(crc, in.limit(at + bytes));
        require(rules.content(computed, in, at, bytes, nextLsn), nextLsn);
        in.limit(limit);
        require(rules.zeros(in, at + bytes, paddedBytes - bytes, nextLsn), nextLsn);
        recordLsn = nextLsn;
        nextLsn += paddedBytes;
        mayBeginInside = false;
        good(in, bytes);
        in.position(at + paddedBytes);
        return true;
    }

    /** Takes the part of a record that has come on this page. */
    private void takePiece(ByteBuffer in) throws WalCorruptionException {
        if (paddingBytes > 0) {
            takePadding(in);
        } else if (skipping) {
            int bytes = (int) Math.min(in.remaining(), recordBytes - doneBytes);
            in.position(in.position() + bytes);
            nextLsn += bytes;
            doneBytes += bytes;
            endIfWhole();
        } else if (prefixBytes < prefixNeeded()) {
            takePrefix(in);
        } else {
            int limit = in.limit();
            int bytes = (int) Math.min(in.remaining(), recordBytes - doneBytes);
            crc.update(in.limit(in.position() + bytes));
            in.limit(limit);
            nextLsn += bytes;
            doneBytes += bytes;
            endIfWhole();
        }
    }

    /** Returns the bytes at which the beginning of the record can next be looked at. */
    private int prefixNeeded() {
        if (prefixBytes < WalLayout.ALIGNMENT) {
            return WalLayout.ALIGNMENT;
        }
        return prefixBytes < RecordHeader.BYTES
                ? RecordHeader.BYTES
                : (int) Math.min(recordBytes, RecordHeader.MAX_PREFIX_BYTES);
    }

    private void takePrefix(ByteBuffer in) throws WalCorruptionException {
        if (prefixBytes == 0) {
            recordLsn = nextLsn;
            mayBeginInside = false;
        }
        int needed = prefixNeeded();
        prefixBytes += move(in, prefix, prefixBytes, needed);
        doneBytes = prefixBytes;
        if (prefixBytes < needed) {
            return;
        }
        if (needed == WalLayout.ALIGNMENT) {
            int bytes = prefix.getInt(RecordHeader.LENGTH_OFFSET);
            require(rules.length(bytes, recordLsn), recordLsn);
            recordBytes = bytes;
        } else if (needed == RecordHeader.BYTES) {
            require(rules.recordHeader(prefix, 0, recordLsn, prevLsn), recordLsn);
        }
        if (prefixBytes == Math.min(recordBytes, RecordHeader.MAX_PREFIX_BYTES)) {
            crc.reset();
            crc.update(prefix.limit(prefixBytes).position(RecordHeader.BYTES));
            prefix.clear();
            endIfWhole();
        }
    }

    private void endIfWhole() throws WalCorruptionException {
        if (doneBytes < recordBytes) {
            return;
        }
        if (!skipping) {
            crc.update(prefix.limit(RecordHeader.CRC_OFFSET).position(0));
            prefix.clear();
            require(rules.content((int) crc.getValue(), prefix, 0, (int) recordBytes, recordLsn), recordLsn);
        }
        paddingBytes = (int) (WalLayout.align(nextLsn) - nextLsn);
        if (paddingBytes == 0) {
            end();
        }
    }

    private void takePadding(ByteBuffer in) throws WalCorruptionException {
        int bytes = Math.min(in.remaining(), paddingBytes);
        require(rules.zeros(in, in.position(), bytes, recordLsn), recordLsn);
        in.position(in.position() + bytes);
        nextLsn += bytes;
        paddingBytes -= bytes;
        if (paddingBytes == 0) {
            end();
        }
    }

    private void end() {
        if (skipping) {
            checkedLsn = nextLsn;
        } else {
            good(prefix, (int) recordBytes);
        }
        startOver();
    }

    /** @param beginning the record's, from the position on */
    private void good(ByteBuffer beginning, int bytes) {
        record.showBeginning(beginning, bytes, recordLsn, nextLsn);
        if (XlogInfo.isSwitch(record.rmgr(), record.info()) && layout.offsetInSegment(nextLsn) != 0) {
            zerosUntilLsn = layout.segmentStart(layout.segmentOf(nextLsn) + 1);
        } else {
            checkedLsn = nextLsn;
            prevLsn = recordLsn;
        }
        listener.passed(record);
    }

    private void passZeros(ByteBuffer in) throws WalCorruptionException {
        int bytes = (int) Math.min(in.remaining(), zerosUntilLsn - nextLsn);
        require(rules.zeros(in, in.position(), bytes, recordLsn), recordLsn);
        in.position(in.position() + bytes);
        nextLsn += bytes;
        if (nextLsn == zerosUntilLsn) {
            zerosUntilLsn = 0;
            checkedLsn = nextLsn;
            prevLsn = recordLsn;
        }
    }

    private void startOver() {
        prefixBytes = 0;
        recordBytes = 0;
        doneBytes = 0;
        skipping = false;
    }

    private int move(ByteBuffer in, ByteBuffer to, int at, int needed) {
        int bytes = Math.min(in.remaining(), needed - at);
        to.put(at, in, in.position(), bytes);
        in.position(in.position() + bytes);
        nextLsn += bytes;
        return bytes;
    }

    private void require(boolean good, long lsn) throws WalCorruptionException {
        if (!good) {
            throw new WalCorruptionException(rules.segmentName(lsn), lsn, rules.reason());
        }
    }
}
