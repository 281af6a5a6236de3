package lockstep.redo;

import java.io.IOException;
import lockstep.wal.CheckpointRecord;
import lockstep.wal.WalRecord;

/** Hears of records that concern the log itself, on the thread that redoes them. */
public interface RedoListener {
    /** For those who need not know. */
    RedoListener NONE = new RedoListener() {};

    /**
     * A checkpoint record has been passed.
     *
     * @param lsn where it begins
     */
    default void checkpoint(long lsn, CheckpointRecord checkpoint) {}

    /** A record of a log that PostgreSQL writes has been passed; it is valid until this returns. */
    default void passed(WalRecord record) {}

    /**
     * A commit has been passed and not redone; see {@link Redo#holdBackAfter}.
     *
     * @param startLsn where its first record begins
     * @param level the level in its record; 0 if there is none
     */
    default void heldBack(int xid, int level, long startLsn, long commitLsn) {}

    /**
     * A note about a degraded period has been redone.
     *
     * @throws IOException if what it says cannot be kept; redo stays before it
     */
    default void degraded(String note) throws IOException {}
}
