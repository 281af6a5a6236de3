package lockstep.commit;

import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import lockstep.io.Clock;
import lockstep.wal.CommitRecord;
import lockstep.wal.Placement;
import lockstep.wal.RecordGroup;
import lockstep.wal.Wal;

/** Commits into the WAL of a primary, and queues for the release. */
public final class LogCommits implements Commits {
    /** The ids before it mean something else to PostgreSQL. */
    private static final int FIRST_XID = 3;

    private static final int LAST_XID = -1;

    private final Wal wal;
    private final CommitQueue queue;
    private final Clock clock;
    private final Log log;
    private final Supplier<? extends Collection<? extends StandbyProgress>> standbys;
    private final ReachTimes flushTimes = new ReachTimes();
    private final AtomicInteger nextXid;
    private volatile CommitLevel defaultLevel;
    private volatile boolean open = true;

    /** Knows the course that the log has taken. */
    public interface Log {
        /** Returns the timeline, the epoch and the position of a commit that was just made. */
        CommitPosition position(long lsn);

        /**
         * Returns what has become of a commit.
         *
         * @param isReleased whether what ends there in this log is released
         */
        CommitStatus status(CommitPosition position, boolean isReleased);
    }

    /**
     * Begins with what the queue has.
     *
     * @param standbys how far they are
     * @param nextXid the first transaction id that was never used
     */
    public LogCommits(
            Wal wal,
            CommitQueue queue,
            Clock clock,
            Log log,
            Supplier<? extends Collection<? extends StandbyProgress>> standbys,
            int nextXid,
            CommitLevel defaultLevel) {
        this.wal = wal;
        this.queue = queue;
        this.clock = clock;
        this.log = log;
        this.standbys = standbys;
        this.nextXid = new AtomicInteger(nextXid);
        this.defaultLevel = defaultLevel;
    }

    @Override
    public int nextXid() {
        return nextXid.getAndUpdate(LogCommits::xidAfter);
    }

    /** Returns the transaction id that is given out after another one. */
    public static int xidAfter(int xid) {
        return xid == LAST_XID ? FIRST_XID : xid + 1;
    }

    /** Returns the first transaction id not given out yet. */
    public int unusedXid() {
        return nextXid.get();
    }

    @Override
    public CommitLevel defaultLevel() {
        return defaultLevel;
    }

    /** Changes the level of commits that ask for none. */
    public void setDefaultLevel(CommitLevel level) {
        defaultLevel = level;
    }

    @Override
    public void commit(RecordGroup records, int xid, CommitLevel level, PendingCommit commit, long patienceNanos) {
        checkOpen(level);
        ByteBuffer data = records.add(
                xid, CommitRecord.RMGR, CommitRecord.COMMIT | CommitRecord.HAS_INFO, CommitRecord.BYTES_WITH_LEVEL);
        new CommitRecord(clock.micros(), level.code()).encode(data);
        Placement placement = (startLsn, endLsn) -> queue.join(commit, level, startLsn, endLsn);
        if (!wal.insertUnlessHeld(records, placement)) {
            insertAfterPause(records, level, placement, patienceNanos);
        }
        if (level == CommitLevel.OFF) {
            commit.acknowledge();
        }
    }

    private void insertAfterPause(RecordGroup records, CommitLevel level, Placement placement, long patienceNanos) {
        long began = clock.nanos();
        do {
            if (!wal.awaitInserting(() -> clock.nanos() - began >= patienceNanos)) {
                throw new CommitRefusedException(
                        "the time of the client is over, and this server still holds commits, because it"
                                + " hands over to another. Nothing of this commit was written: commit it again");
            }
            // The pause may have ended with a fence.
            checkOpen(level);
        } while (!wal.insertUnlessHeld(records, placement));
    }

    private void checkOpen(CommitLevel level) {
        if (!open) {
            throw new IllegalStateException("the server is stopping: it takes no more commits");
        }
        Optional<String> refusal = queue.refusal(level);
        if (refusal.isPresent()) {
            throw new CommitRefusedException(refusal.get());
        }
    }

    @Override
    public CommitReceipt receipt(PendingCommit commit) {
        // In this order: who has it is told as it was when it was released, or later.
        CommitOutcome outcome = commit.outcome();
        boolean released = commit.isReleased();
        long inserted = commit.enqueuedNanos();
        return new CommitReceipt(
                log.position(commit.lsn()),
                commit.level(),
                outcome,
                standbys.get().stream()
                        .filter(standby -> standby.isStreaming() && has(standby, commit))
                        .map(standby -> acknowledged(standby, commit))
                        .toList(),
                micros(inserted, flushTimes.find(commit.lsn(), inserted - 1)),
                released ? micros(inserted, commit.releasedNanos()) : -1);
    }

    private static boolean has(StandbyProgress standby, PendingCommit commit) {
        long lsn = commit.lsn();
        return switch (commit.level()) {
            case OFF, LOCAL, REMOTE_WRITE -> standby.writtenLsn() >= lsn;
            case ON -> standby.flushedLsn() >= lsn;
            case REMOTE_APPLY -> standby.appliedLsn() >= lsn;
        };
    }

    private static CommitReceipt.Acknowledged acknowledged(StandbyProgress standby, PendingCommit commit) {
        return new CommitReceipt.Acknowledged(
                standby.name(),
                micros(standby, CommitLevel.REMOTE_WRITE, commit),
                micros(standby, CommitLevel.ON, commit),
                micros(standby, CommitLevel.REMOTE_APPLY, commit));
    }

    private static long micros(StandbyProgress standby, CommitLevel level, PendingCommit commit) {
        long inserted = commit.enqueuedNanos();
        return micros(inserted, standby.reachedNanos(level, commit.lsn(), inserted - 1));
    }

    private static long micros(long from, long to) {
        return to < from ? -1 : TimeUnit.NANOSECONDS.toMicros(to - from);
    }

    @Override
    public CommitStatus status(CommitPosition position) {
        return log.status(position, queue.isReleased(position.lsn(), wal.flushedLsn()));
    }

    /** The log has been flushed up to a position: releases what can be. */
    public void flushed(long lsn) {
        flushTimes.reached(lsn, clock.nanos());
        queue.release();
    }

    /** Returns the position before which every commit is visible: redo may start there once the store is on disk. */
    public long settledLsn() {
        long[] settled = new long[1];
        wal.atEnd((startLsn, endLsn) -> settled[0] = queue.settledLsn(endLsn));
        return settled[0];
    }

    /** Takes no more commits; those queued go on waiting. */
    public void close() {
        open = false;
    }
}
