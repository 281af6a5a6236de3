package lockstep.commit;

/** When the last flushes of the log were. One thread notes them, any may ask. */
final class FlushTimes {
    private static final int KEPT = 4096;

    private final long[] lsns = new long[KEPT];
    private final long[] nanos = new long[KEPT];
    private long count;

    synchronized void flushed(long lsn, long now) {
        int slot = (int) (count % KEPT);
        lsns[slot] = lsn;
        nanos[slot] = now;
        count++;
    }

    /** Returns when the log up to a position was flushed; {@code otherwise} if it is not, or that is forgotten. */
    synchronized long find(long lsn, long otherwise) {
        long found = otherwise;
        long oldest = Math.max(0, count - KEPT);
        for (long i = count - 1; i >= oldest && lsns[(int) (i % KEPT)] >= lsn; i--) {
            // The first kept may not be the first there was.
            found = i == oldest && oldest > 0 ? otherwise : nanos[(int) (i % KEPT)];
        }
        return found;
    }
}
