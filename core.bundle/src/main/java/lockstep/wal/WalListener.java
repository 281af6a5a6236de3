package lockstep.wal;

/** Hears of the WAL's progress, on the thread that writes: quick, and does not wait. */
public interface WalListener {
    /**
     * New bytes are in the buffers and about to be written; they stay there until this returns.
     *
     * @param fromLsn where the last call's bytes ended
     */
    default void filled(long fromLsn, long toLsn) {}

    /** All before {@code lsn} is with the operating system. */
    default void written(long lsn) {}

    /** All before {@code lsn} is on the disk. */
    default void flushed(long lsn) {}

    /**
     * A segment could not be made because the disk is full, or could at last. While it is full nothing is written, and
     * the writer tries again every second.
     */
    default void diskFull(boolean full, String detail) {}
}
