package lockstep.commit;

/**
 * Watches for how long no commit is released while one waits: what clients see of a change of the transport. Time in which nobody
 * waits is no pause. From {@link CommitQueue#watchPauses} until it is closed. Thread-safe.
 */
public final class PauseWatch implements AutoCloseable {
    private final CommitQueue queue;
    private long releasedNanos;
    private long longestNanos;
    private long releases;

    PauseWatch(CommitQueue queue, long nanos) {
        this.queue = queue;
        releasedNanos = nanos;
    }

    /**
     * Hears of a release.
     *
     * @param oldestNanos since when the oldest of those that are released has waited
     */
    synchronized void released(long oldestNanos, long nanos) {
        longestNanos = Math.max(longestNanos, nanos - latest(releasedNanos, oldestNanos));
        releasedNanos = nanos;
        releases++;
        notifyAll();
    }

    private static long latest(long one, long other) {
        return one - other > 0 ? one : other;
    }

    /** Waits until commits are released, if any wait; so that a pause that goes on is counted too. */
    public void awaitRelease(long millis) throws InterruptedException {
        long left = millis;
        synchronized (this) {
            long seen = releases;
            long start = System.nanoTime();
            while (releases == seen && left > 0 && queue.isAwaited()) {
                wait(Math.min(left, 10));
                left = millis - (System.nanoTime() - start) / 1_000_000;
            }
        }
    }

    /** Returns the longest pause so far, also if it goes on. */
    public synchronized long longestMicros() {
        long presentNanos = Math.min(queue.oldestWaitNanos(), queue.nanos() - releasedNanos);
        return Math.max(longestNanos, presentNanos) / 1000;
    }

    /** Returns whether commits wait at this moment. */
    public boolean isPaused() {
        return queue.isAwaited();
    }

    /** Returns how often commits have been released. */
    public synchronized long releases() {
        return releases;
    }

    @Override
    public void close() {
        queue.forget(this);
    }
}
