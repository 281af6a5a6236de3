package lockstep.wal;

import java.nio.ByteBuffer;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import lockstep.io.Clock;

/**
 * The data of a checkpoint record, and of the checkpoint in the control file. Little-endian; offsets are those of
 * PostgreSQL's {@code CheckPoint} with the padding its compiler leaves.
 *
 * <pre>
 *   0          8          12         16       17     24         32         36         40
 *   +----------+----------+----------+--------+------+----------+----------+----------+-------------
 *   | redo LSN | timeline | previous | images | zero | next xid | next oid | next     | next multi
 *   |          |          | timeline | on     |      |          |          | multi    | offset
 *   +----------+----------+----------+--------+------+----------+----------+----------+-------------
 *   44         48         52         56         60     64         72         76         80         84     88
 *   +----------+----------+----------+----------+------+----------+----------+----------+----------+------+
 *   | oldest   | its      | oldest   | its      | zero | time     | oldest   | newest   | oldest   | zero |
 *   | xid      | database | multi    | database |      |          | commit   | commit   | running  |      |
 *   +----------+----------+----------+----------+------+----------+----------+----------+----------+------+
 * </pre>
 *
 * <p>The time is where a mistake hurts: {@code pg_waldump} does not show it, and a PostgreSQL standby that starts from a
 * checkpoint with a time out of range crashes.
 *
 * @param redoLsn where redo starts: the checkpoint's own LSN if it is one of a shutdown
 * @param previousTimeline the same as {@code timeline} unless this begins one
 * @param fullPageWrites whether PostgreSQL wrote full-page images
 * @param nextXid the next transaction, in 64 bits: epoch above, xid below
 * @param timeSeconds when it was made, in Unix seconds
 * @param oldestRunningXid the oldest transaction that was running; 0 for a checkpoint before a shutdown
 */
public record CheckpointRecord(
        long redoLsn,
        int timeline,
        int previousTimeline,
        boolean fullPageWrites,
        long nextXid,
        int nextOid,
        int nextMulti,
        int nextMultiOffset,
        int oldestXid,
        int oldestXidDatabase,
        int oldestMulti,
        int oldestMultiDatabase,
        long timeSeconds,
        int oldestCommitXid,
        int newestCommitXid,
        int oldestRunningXid) {
    private static final int REDO_OFFSET = 0;
    private static final int TIMELINE_OFFSET = REDO_OFFSET + Long.BYTES;
    private static final int PREVIOUS_TIMELINE_OFFSET = TIMELINE_OFFSET + Integer.BYTES;
    private static final int FULL_PAGE_WRITES_OFFSET = PREVIOUS_TIMELINE_OFFSET + Integer.BYTES;
    private static final int NEXT_XID_OFFSET = FULL_PAGE_WRITES_OFFSET + Long.BYTES;
    private static final int NEXT_OID_OFFSET = NEXT_XID_OFFSET + Long.BYTES;
    private static final int NEXT_MULTI_OFFSET = NEXT_OID_OFFSET + Integer.BYTES;
    private static final int NEXT_MULTI_OFFSET_OFFSET = NEXT_MULTI_OFFSET + Integer.BYTES;
    private static final int OLDEST_XID_OFFSET = NEXT_MULTI_OFFSET_OFFSET + Integer.BYTES;
    private static final int OLDEST_XID_DATABASE_OFFSET = OLDEST_XID_OFFSET + Integer.BYTES;
    private static final int OLDEST_MULTI_OFFSET = OLDEST_XID_DATABASE_OFFSET + Integer.BYTES;
    private static final int OLDEST_MULTI_DATABASE_OFFSET = OLDEST_MULTI_OFFSET + Integer.BYTES;
    private static final int TIME_OFFSET = OLDEST_MULTI_DATABASE_OFFSET + Long.BYTES;
    private static final int OLDEST_COMMIT_OFFSET = TIME_OFFSET + Long.BYTES;
    private static final int NEWEST_COMMIT_OFFSET = OLDEST_COMMIT_OFFSET + Integer.BYTES;
    private static final int OLDEST_RUNNING_OFFSET = NEWEST_COMMIT_OFFSET + Integer.BYTES;

    /** The length of the data. */
    public static final int BYTES = OLDEST_RUNNING_OFFSET + Long.BYTES;

    /** What a fresh PostgreSQL cluster has in the fields that mean nothing to Lockstep. */
    private static final int FIRST_XID = 3;

    private static final int FIRST_OID = 16384;
    private static final int FIRST_MULTI = 1;
    private static final int TEMPLATE_DATABASE = 1;

    /**
     * Makes the checkpoint of a Lockstep server; what only PostgreSQL's data needs is as in a fresh cluster.
     *
     * @param timeMicros when, since {@link Clock#EPOCH}
     * @param oldestRunningXid 0 for a checkpoint before a shutdown
     */
    public static CheckpointRecord of(
            long redoLsn, int timeline, int previousTimeline, long nextXid, long timeMicros, int oldestRunningXid) {
        Instant time = Clock.EPOCH.plus(timeMicros, ChronoUnit.MICROS);
        return new CheckpointRecord(
                redoLsn,
                timeline,
                previousTimeline,
                false,
                nextXid,
                FIRST_OID,
                FIRST_MULTI,
                0,
                FIRST_XID,
                TEMPLATE_DATABASE,
                FIRST_MULTI,
                TEMPLATE_DATABASE,
                time.getEpochSecond(),
                0,
                0,
                oldestRunningXid);
    }

    /** Writes the {@value #BYTES} bytes at the position of a little-endian buffer, and moves it past them. */
    public void encode(ByteBuffer out) {
        int at = out.position();
        out.putLong(at + REDO_OFFSET, redoLsn);
        out.putInt(at + TIMELINE_OFFSET, timeline);
        out.putInt(at + PREVIOUS_TIMELINE_OFFSET, previousTimeline);
        // The byte and the padding behind it in one go.
        out.putLong(at + FULL_PAGE_WRITES_OFFSET, fullPageWrites ? 1 : 0);
        out.putLong(at + NEXT_XID_OFFSET, nextXid);
        out.putInt(at + NEXT_OID_OFFSET, nextOid);
        out.putInt(at + NEXT_MULTI_OFFSET, nextMulti);
        out.putInt(at + NEXT_MULTI_OFFSET_OFFSET, nextMultiOffset);
        out.putInt(at + OLDEST_XID_OFFSET, oldestXid);
        out.putInt(at + OLDEST_XID_DATABASE_OFFSET, oldestXidDatabase);
        out.putInt(at + OLDEST_MULTI_OFFSET, oldestMulti);
        out.putLong(at + OLDEST_MULTI_DATABASE_OFFSET, Integer.toUnsignedLong(oldestMultiDatabase));
        out.putLong(at + TIME_OFFSET, timeSeconds);
        out.putInt(at + OLDEST_COMMIT_OFFSET, oldestCommitXid);
        out.putInt(at + NEWEST_COMMIT_OFFSET, newestCommitXid);
        out.putLong(at + OLDEST_RUNNING_OFFSET, Integer.toUnsignedLong(oldestRunningXid));
        out.position(at + BYTES);
    }

    /** Returns whether a record is a checkpoint. */
    public static boolean is(WalRecord record) {
        return record.rmgr() == XlogInfo.RMGR
                && (record.info() == XlogInfo.CHECKPOINT_ONLINE || record.info() == XlogInfo.CHECKPOINT_SHUTDOWN);
    }

    /**
     * Reads it from the position of a little-endian buffer, and moves it past it.
     *
     * @throws IllegalArgumentException if the buffer has less than {@value #BYTES} bytes
     */
    public static CheckpointRecord decode(ByteBuffer data) {
        if (data.remaining() < BYTES) {
            throw new IllegalArgumentException(
                    "the data of a checkpoint record has " + data.remaining() + " bytes, expected " + BYTES);
        }
        int at = data.position();
        data.position(at + BYTES);
        return new CheckpointRecord(
                data.getLong(at + REDO_OFFSET),
                data.getInt(at + TIMELINE_OFFSET),
                data.getInt(at + PREVIOUS_TIMELINE_OFFSET),
                data.get(at + FULL_PAGE_WRITES_OFFSET) != 0,
                data.getLong(at + NEXT_XID_OFFSET),
                data.getInt(at + NEXT_OID_OFFSET),
                data.getInt(at + NEXT_MULTI_OFFSET),
                data.getInt(at + NEXT_MULTI_OFFSET_OFFSET),
                data.getInt(at + OLDEST_XID_OFFSET),
                data.getInt(at + OLDEST_XID_DATABASE_OFFSET),
                data.getInt(at + OLDEST_MULTI_OFFSET),
                data.getInt(at + OLDEST_MULTI_DATABASE_OFFSET),
                data.getLong(at + TIME_OFFSET),
                data.getInt(at + OLDEST_COMMIT_OFFSET),
                data.getInt(at + NEWEST_COMMIT_OFFSET),
                data.getInt(at + OLDEST_RUNNING_OFFSET));
    }
}
