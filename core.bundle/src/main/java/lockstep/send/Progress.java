package lockstep.send;

import java.util.concurrent.TimeUnit;
import lockstep.commit.CommitLevel;
import lockstep.commit.ReachTimes;

/**
 * How far a standby is, as it says: the three acknowledged positions, when it came to each, and how long after the flush here.
 * Positions only grow, whichever of two sessions of one standby tells of them. Thread-safe.
 */
final class Progress {
    private record Times(ReachTimes write, ReachTimes flush, ReachTimes apply) {}

    private final Lag writeLag = new Lag();
    private final Lag flushLag = new Lag();
    private final Lag replayLag = new Lag();

    /** Handed on to the session that takes the place of this one. */
    private volatile Times times = new Times(new ReachTimes(), new ReachTimes(), new ReachTimes());

    private volatile long writtenLsn;
    private volatile long flushedLsn;
    private volatile long appliedLsn;

    /** The standby has told how far it is; a position of 0 is one it does not know. */
    void acknowledged(long written, long flushed, long applied, long now) {
        advance(written, flushed, applied, now);
        writeLag.acknowledged(writtenLsn, now);
        flushLag.acknowledged(flushedLsn, now);
        replayLag.acknowledged(appliedLsn, now);
    }

    /** Goes on from what the standby has told in the session before. */
    void goOnFrom(Progress before, long now) {
        times = before.times;
        advance(before.writtenLsn, before.flushedLsn, before.appliedLsn, now);
    }

    private synchronized void advance(long written, long flushed, long applied, long now) {
        writtenLsn = reached(writtenLsn, written, times.write, now);
        flushedLsn = reached(flushedLsn, flushed, times.flush, now);
        appliedLsn = reached(appliedLsn, applied, times.apply, now);
    }

    /** Notes the time first: who sees a position finds when it was reached. */
    private static long reached(long before, long lsn, ReachTimes times, long now) {
        if (lsn <= before) {
            return before;
        }
        times.reached(lsn, now);
        return lsn;
    }

    /** The log has been flushed here up to a position. */
    void flushedHere(long lsn, long now) {
        writeLag.flushed(lsn, now);
        flushLag.flushed(lsn, now);
        replayLag.flushed(lsn, now);
    }

    long writtenLsn() {
        return writtenLsn;
    }

    long flushedLsn() {
        return flushedLsn;
    }

    long appliedLsn() {
        return appliedLsn;
    }

    /** Returns when the standby came to a position at a level, or past it; {@code otherwise} if it has not, or that is forgotten. */
    long reachedNanos(CommitLevel level, long lsn, long otherwise) {
        return switch (level) {
            case REMOTE_WRITE -> times.write.find(lsn, otherwise);
            case REMOTE_APPLY -> times.apply.find(lsn, otherwise);
            default -> times.flush.find(lsn, otherwise);
        };
    }

    /** Returns how long WAL that is flushed here has waited to be flushed there; 0 if none waits. */
    long standstillMillis(long now) {
        return TimeUnit.NANOSECONDS.toMillis(flushLag.waitingNanos(now));
    }

    long writeLagMicros(long now) {
        return writeLag.micros(now);
    }

    long flushLagMicros(long now) {
        return flushLag.micros(now);
    }

    long replayLagMicros(long now) {
        return replayLag.micros(now);
    }
}
