package lockstep.redo;

import lockstep.wal.CheckpointRecord;

/** Hears of records that concern the log itself, on the thread that redoes them. */
public interface RedoListener {
    /** For those who need not know. */
    RedoListener NONE = new RedoListener() {};

    /**
     * A checkpoint record has been redone.
     *
     * @param lsn where it begins
     */
    default void checkpoint(long lsn, CheckpointRecord checkpoint) {}
}
