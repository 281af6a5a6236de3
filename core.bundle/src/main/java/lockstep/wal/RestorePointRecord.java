package lockstep.wal;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The data of a record that gives a place in the log a name, to recover to: PostgreSQL's {@code xl_restore_point}.
 *
 * <pre>
 *   0        8                          72
 *   +--------+--------------------------+
 *   | time   | name, then zeros         |   little-endian
 *   +--------+--------------------------+
 * </pre>
 *
 * @param timeMicros when, in microseconds since {@link lockstep.io.Clock#EPOCH}
 * @param name at most {@value #MAX_NAME_BYTES} bytes in UTF-8; see {@link #checkName}
 */
public record RestorePointRecord(long timeMicros, String name) {
    /** The most bytes a name has. */
    public static final int MAX_NAME_BYTES = 63;

    private static final int NAME_OFFSET = Long.BYTES;
    private static final int NAME_FIELD_BYTES = MAX_NAME_BYTES + 1;

    /** The length of the data. */
    public static final int BYTES = NAME_OFFSET + NAME_FIELD_BYTES;

    /**
     * Checks a name.
     *
     * @throws IllegalArgumentException if a restore point cannot be called so
     */
    public static void checkName(String name) {
        int bytes = name.getBytes(StandardCharsets.UTF_8).length;
        if (bytes == 0 || bytes > MAX_NAME_BYTES || name.chars().anyMatch(Character::isISOControl)) {
            throw new IllegalArgumentException("\"" + name + "\" is no name of a restore point: expected 1 to "
                    + MAX_NAME_BYTES + " bytes, without control characters");
        }
    }

    /** Returns whether a record names a restore point. */
    public static boolean isRestorePoint(WalRecord record) {
        return record.rmgr() == XlogInfo.RMGR && record.info() == XlogInfo.RESTORE_POINT;
    }

    /** Writes the {@value #BYTES} bytes at the position of a little-endian buffer, and moves it past them. */
    public void encode(ByteBuffer out) {
        int at = out.position();
        byte[] field = new byte[NAME_FIELD_BYTES];
        byte[] text = name.getBytes(StandardCharsets.UTF_8);
        System.arraycopy(text, 0, field, 0, text.length);
        out.putLong(at, timeMicros).put(at + NAME_OFFSET, field).position(at + BYTES);
    }

    /**
     * Reads it from the position of a little-endian buffer, and moves it past it.
     *
     * @throws IllegalArgumentException if it is none
     */
    public static RestorePointRecord decode(ByteBuffer data) {
        if (data.remaining() < BYTES) {
            throw new IllegalArgumentException(
                    "the data of a restore point has " + data.remaining() + " bytes, expected " + BYTES);
        }
        long timeMicros = data.getLong();
        byte[] field = new byte[NAME_FIELD_BYTES];
        data.get(field);
        int length = 0;
        while (length < MAX_NAME_BYTES && field[length] != 0) {
            length++;
        }
        return new RestorePointRecord(timeMicros, new String(field, 0, length, StandardCharsets.UTF_8));
    }
}
