package lockstep.wal;

/** Learns where records stand in the WAL, in the very step in which their place is taken. */
@FunctionalInterface
public interface Placement {
    /** For those who need not know. */
    Placement NONE = (startLsn, endLsn) -> {};

    /**
     * Called in strict LSN order, one call at a time, before the records can reach the disk or a standby. Quick, and does
     * not wait.
     *
     * @param startLsn where the first record begins, or the page whose header comes before it
     * @param endLsn where the last record ends
     */
    void placed(long startLsn, long endLsn);
}
