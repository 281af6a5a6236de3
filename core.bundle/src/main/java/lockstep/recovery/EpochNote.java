package lockstep.recovery;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import lockstep.wal.RecordGroup;
import lockstep.wal.WalRecord;
import lockstep.wal.XlogInfo;

/**
 * The first record of an epoch: it holds all epochs of the log, so that who has the log from an archive, and not from its primary,
 * knows them as well. PostgreSQL's own tools and servers pass over it.
 */
public final class EpochNote {
    private static final byte[] PREFIX = "lockstep epochs ".getBytes(StandardCharsets.US_ASCII);

    private EpochNote() {}

    /** Adds the record. */
    public static void add(RecordGroup group, Epochs epochs) {
        byte[] text = epochs.toString().getBytes(StandardCharsets.US_ASCII);
        group.add(0, XlogInfo.RMGR, XlogInfo.NOOP, PREFIX.length + text.length)
                .put(PREFIX)
                .put(text);
    }

    /** Returns the epochs, if the record is a note. */
    public static Optional<Epochs> read(WalRecord record) {
        if (record.rmgr() != XlogInfo.RMGR || record.info() != XlogInfo.NOOP) {
            return Optional.empty();
        }
        ByteBuffer data = record.data();
        for (byte wanted : PREFIX) {
            if (!data.hasRemaining() || data.get() != wanted) {
                return Optional.empty();
            }
        }
        return Optional.of(Epochs.parse(StandardCharsets.US_ASCII.decode(data).toString()));
    }
}
