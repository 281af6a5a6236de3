package lockstep.redo;

import lockstep.wal.WalRecord;

/** Says where redo ends although the log goes on. Called on the thread that redoes, once for each record. */
public interface RedoStop {
    /** For redo that goes on to the end of the log. */
    RedoStop NEVER = new RedoStop() {};

    /** Returns whether redo ends before a record. */
    default boolean before(WalRecord next) {
        return false;
    }

    /** Returns whether redo ends after a record, which has been redone. */
    default boolean after(WalRecord redone) {
        return false;
    }
}
