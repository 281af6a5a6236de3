package lockstep.send;

/**
 * Measures how long after the local flush a standby acknowledged the same WAL. Flushes leave a sample in a ring; an
 * acknowledgement takes the newest sample it covers. When the ring is full, samples are thinned: a late standby is measured
 * more coarsely, not wrongly.
 */
final class Lag {
    private static final int SAMPLES = 1024;

    private final long[] lsns = new long[SAMPLES];
    private final long[] nanos = new long[SAMPLES];
    private long first;
    private long next;
    private long lagNanos = -1;

    synchronized void flushed(long lsn, long now) {
        if (next - first == SAMPLES) {
            thin();
        }
        lsns[(int) (next % SAMPLES)] = lsn;
        nanos[(int) (next % SAMPLES)] = now;
        next++;
    }

    private void thin() {
        long kept = first;
        for (long i = first; i < next; i += 2) {
            lsns[(int) (kept % SAMPLES)] = lsns[(int) (i % SAMPLES)];
            nanos[(int) (kept % SAMPLES)] = nanos[(int) (i % SAMPLES)];
            kept++;
        }
        next = kept;
    }

    synchronized void acknowledged(long lsn, long now) {
        while (first < next && lsns[(int) (first % SAMPLES)] <= lsn) {
            lagNanos = Math.max(0, now - nanos[(int) (first % SAMPLES)]);
            first++;
        }
    }

    /** Returns how long the oldest open sample has waited; 0 if there is none. */
    synchronized long waitingNanos(long now) {
        return first < next ? now - nanos[(int) (first % SAMPLES)] : 0;
    }

    /** Returns the last measure, or how long the oldest open sample has waited if that is more; -1 if there is none. */
    synchronized long micros(long now) {
        long waiting = first < next ? now - nanos[(int) (first % SAMPLES)] : -1;
        long lag = Math.max(lagNanos, waiting);
        return lag < 0 ? -1 : lag / 1000;
    }
}
