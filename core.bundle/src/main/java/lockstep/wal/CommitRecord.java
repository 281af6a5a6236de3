package lockstep.wal;

import java.nio.ByteBuffer;

/**
 * The data of a record that ends a transaction, by commit or abort: PostgreSQL's {@code xl_xact_commit}, of which
 * Lockstep writes the time and the word {@code xinfo}, announced by {@link #HAS_INFO}. What PostgreSQL may add behind that is not
 * read.
 *
 * <pre>
 *   0        8            12
 *   +--------+------------+
 *   | time   | xinfo      |   little-endian
 *   +--------+------------+
 * </pre>
 *
 * <p>Three bits of {@code xinfo} that mean nothing to PostgreSQL, and are passed over by it, hold the level the commit asked for.
 *
 * @param timeMicros when, in microseconds since {@link lockstep.io.Clock#EPOCH}
 * @param level the level asked for, 1 to 7; 0 if it is not known
 */
public record CommitRecord(long timeMicros, int level) {
    /** The id of the resource manager, Transaction. */
    public static final int RMGR = 1;

    /** The transaction is committed. */
    public static final int COMMIT = 0x00;

    /** The transaction is as if it had never been. */
    public static final int ABORT = 0x20;

    /** The bits of a record's info that tell commit, abort and others apart. */
    public static final int OPERATION_MASK = 0x70;

    /** The bit of a record's info that says that more follows the time. */
    public static final int HAS_INFO = 0x80;

    /** The length of the data without a level. */
    public static final int BYTES = Long.BYTES;

    /** The length of the data with a level; the record's info then has {@link #HAS_INFO}. */
    public static final int BYTES_WITH_LEVEL = BYTES + Integer.BYTES;

    private static final int LEVEL_SHIFT = 16;
    private static final int LEVEL_MASK = 0x7;

    /** Says only when. */
    public CommitRecord(long timeMicros) {
        this(timeMicros, 0);
    }

    /** Returns whether a record commits its transaction. */
    public static boolean isCommit(WalRecord record) {
        return record.rmgr() == RMGR && (record.info() & OPERATION_MASK) == COMMIT;
    }

    /** Returns the level of a record for which {@link #isCommit} holds; 0 if it names none. */
    public static int levelOf(WalRecord record) {
        ByteBuffer data = record.data();
        return (record.info() & HAS_INFO) == 0 || data.remaining() < BYTES_WITH_LEVEL
                ? 0
                : data.getInt(data.position() + BYTES) >>> LEVEL_SHIFT & LEVEL_MASK;
    }

    /** Writes the data to a little-endian buffer: {@value #BYTES_WITH_LEVEL} bytes, or {@value #BYTES} if there is no level. */
    public void encode(ByteBuffer out) {
        out.putLong(timeMicros);
        if (level != 0) {
            out.putInt(level << LEVEL_SHIFT);
        }
    }

    /**
     * Reads the time from a little-endian buffer.
     *
     * @throws IllegalArgumentException if the buffer has less than {@value #BYTES} bytes
     */
    public static CommitRecord decode(ByteBuffer data) {
        if (data.remaining() < BYTES) {
            throw new IllegalArgumentException(
                    "the data of a commit record has " + data.remaining() + " bytes, expected " + BYTES);
        }
        return new CommitRecord(data.getLong());
    }
}
