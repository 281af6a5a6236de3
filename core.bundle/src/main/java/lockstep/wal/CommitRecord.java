package lockstep.wal;

import java.nio.ByteBuffer;

/**
 * The data of a record that ends a transaction, by commit or abort: PostgreSQL's {@code xl_xact_commit}, of which
 * Lockstep writes only the time. What PostgreSQL may add behind it is announced by {@link #HAS_INFO}, and is not read.
 *
 * @param timeMicros when, in microseconds since {@link lockstep.io.Clock#EPOCH}
 */
public record CommitRecord(long timeMicros) {
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

    /** The length of the data. */
    public static final int BYTES = Long.BYTES;

    /** Returns whether a record commits its transaction. */
    public static boolean isCommit(WalRecord record) {
        return record.rmgr() == RMGR && (record.info() & OPERATION_MASK) == COMMIT;
    }

    /** Writes the {@value #BYTES} bytes to a little-endian buffer. */
    public void encode(ByteBuffer out) {
        out.putLong(timeMicros);
    }

    /**
     * Reads it from a little-endian buffer.
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
