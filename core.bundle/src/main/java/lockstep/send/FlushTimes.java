package lockstep.send;

/**
 * When the log came to which position: so a position, however old, tells for how long whoever stands there has been behind.
 *
 * <p><b>Idea.</b> Nobody asks whether something happened 61 or 62 minutes ago. Of the samples, one for each flush, those are
 * thrown out whose two neighbours are so near to each other, measured by their age, that it makes no difference: the gaps that
 * this leaves are at most 1/{@value #PRECISION} of the age. What then remains is bounded by the logarithm of the time: less than half of the room
 * even after many years, so it is cleaned up once in thousands of flushes.
 *
 * <p>One history serves all standbys of a tree, unlike {@link Lag}, which measures the acknowledgements of one session.
 * Thread-safe.
 */
final class FlushTimes {
    private static final int SAMPLES = 4096;
    private static final int PRECISION = 32;

    private final long[] lsns = new long[SAMPLES];
    private final long[] nanos = new long[SAMPLES];
    private int size;

    /** The log has come to {@code lsn}; or has been cut back to it, and what was known of later positions is forgotten. */
    synchronized void flushed(long lsn, long now) {
        while (size > 0 && lsns[size - 1] > lsn) {
            size--;
        }
        if (size > 0 && lsns[size - 1] == lsn) {
            return;
        }
        if (size == SAMPLES) {
            thin(now);
        }
        lsns[size] = lsn;
        nanos[size] = now;
        size++;
    }

    /** Keeps the first and the last, and of those between what makes a difference. */
    private void thin(long now) {
        int kept = 1;
        for (int i = 1; i < size; i++) {
            boolean last = i == size - 1;
            if (last || nanos[i + 1] - nanos[kept - 1] > (now - nanos[i]) / PRECISION) {
                lsns[kept] = lsns[i];
                nanos[kept] = nanos[i];
                kept++;
            }
        }
        size = kept;
    }

    /** Returns for how long there has been more of the log than up to {@code lsn}, in microseconds; 0 if there is not. */
    synchronized long microsBehind(long lsn, long now) {
        int from = 0;
        int to = size;
        while (from < to) {
            int middle = (from + to) >>> 1;
            if (lsns[middle] > lsn) {
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        return from == size ? 0 : Math.max(0, now - nanos[from]) / 1000;
    }
}
