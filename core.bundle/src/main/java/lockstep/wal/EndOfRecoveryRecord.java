package lockstep.wal;

import java.nio.ByteBuffer;

/**
 * The data of the record with which a timeline begins ({@link XlogInfo#END_OF_RECOVERY}). Little-endian, as PostgreSQL 15 has
 * it.
 *
 * <pre>
 *   0                        8            12           16
 *   +------------------------+------------+------------+
 *   | time                   | timeline   | previous   |
 *   +------------------------+------------+------------+
 * </pre>
 *
 * @param timeMicros when recovery ended, since {@link lockstep.io.Clock#EPOCH}
 */
public record EndOfRecoveryRecord(long timeMicros, int timeline, int previousTimeline) {
    /** The length of the data. */
    public static final int BYTES = Long.BYTES + 2 * Integer.BYTES;

    /** Writes the {@value #BYTES} bytes at the position of a little-endian buffer, and moves it past them. */
    public void encode(ByteBuffer out) {
        out.putLong(timeMicros).putInt(timeline).putInt(previousTimeline);
    }

    /** Reads it from the position of a little-endian buffer, and moves it past it. */
    public static EndOfRecoveryRecord decode(ByteBuffer data) {
        return new EndOfRecoveryRecord(data.getLong(), data.getInt(), data.getInt());
    }
}
