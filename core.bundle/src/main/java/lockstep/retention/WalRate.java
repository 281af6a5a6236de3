package lockstep.retention;

import java.util.concurrent.TimeUnit;

/** How fast a log grows, over the last one to two minutes. For one thread; the rate may be read from any. */
final class WalRate {
    private static final long WINDOW_NANOS = TimeUnit.MINUTES.toNanos(1);

    private long beforeLsn;
    private long beforeNanos;
    private long windowLsn;
    private long windowNanos;
    private volatile double bytesPerSecond;

    WalRate(long lsn, long nanos) {
        beforeLsn = lsn;
        beforeNanos = nanos;
        windowLsn = lsn;
        windowNanos = nanos;
    }

    void sample(long lsn, long nanos) {
        if (nanos - windowNanos >= WINDOW_NANOS) {
            beforeLsn = windowLsn;
            beforeNanos = windowNanos;
            windowLsn = lsn;
            windowNanos = nanos;
        }
        long elapsed = nanos - beforeNanos;
        if (elapsed > 0) {
            bytesPerSecond = (double) (lsn - beforeLsn) * TimeUnit.SECONDS.toNanos(1) / elapsed;
        }
    }

    /** Returns after how many seconds so much will have been written; -1 if never. */
    long secondsFor(long bytes) {
        double rate = bytesPerSecond;
        return rate < 1 ? -1 : Math.max(0, (long) (bytes / rate));
    }
}
