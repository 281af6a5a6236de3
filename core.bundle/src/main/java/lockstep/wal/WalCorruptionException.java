package lockstep.wal;

import java.io.IOException;
import lockstep.transport.api.Lsn;

/** WAL that must be good is not. Names the segment and the position. */
public class WalCorruptionException extends IOException {
    private static final long serialVersionUID = 1;

    private final String segment;
    private final long lsn;

    /**
     * Says what is wrong where.
     *
     * @param segment the name of the segment's file
     * @param lsn the start of the record, or of the page
     * @param reason what was found, and what was expected
     */
    public WalCorruptionException(String segment, long lsn, String reason) {
        super("WAL is corrupted in segment " + segment + " at " + Lsn.text(lsn) + ": " + reason);
        this.segment = segment;
        this.lsn = lsn;
    }

    /** Returns the name of the segment's file. */
    public String segment() {
        return segment;
    }

    /** Returns the start of the record, or of the page, that is bad. */
    public long lsn() {
        return lsn;
    }
}
