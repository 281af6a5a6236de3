package lockstep.commit;

/**
 * When somebody, such as the disk here or a standby, came to which position of the log; of the last {@value #KEPT} times it moved. One
 * thread notes it, any may ask.
 */
public final class ReachTimes {
    private static final int KEPT = 4096;

    private final long[] lsns = new long[KEPT];
    private final long[] nanos = new long[KEPT];
    private long count;

    /** It has come to a position. */
    public synchronized void reached(long lsn, long now) {
        int slot = (int) (count % KEPT);
        lsns[slot] = lsn;
        nanos[slot] = now;
        count++;
    }

    /** Returns when it came to a position, or past it; {@code otherwise} if it has not, or that is forgotten. */
    public synchronized long find(long lsn, long otherwise) {
        long found = otherwise;
        long oldest = Math.max(0, count - KEPT);
        for (long i = count - 1; i >= oldest && lsns[(int) (i % KEPT)] >= lsn; i--) {
            // The first kept may not be the first there was.
            found = i == oldest && oldest > 0 ? otherwise : nanos[(int) (i % KEPT)];
        }
        return found;
    }
}
