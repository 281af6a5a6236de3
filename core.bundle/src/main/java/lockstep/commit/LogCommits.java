package lockstep.commit;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;
import lockstep.io.Clock;
import lockstep.wal.CommitRecord;
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
    private final AtomicInteger nextXid;
    private volatile CommitLevel defaultLevel;
    private volatile boolean open = true;

    /**
     * Begins with an empty queue.
     *
     * @param nextXid the first transaction id that was never used
     */
    public LogCommits(Wal wal, CommitQueue queue, Clock clock, int nextXid, CommitLevel defaultLevel) {
        this.wal = wal;
        this.queue = queue;
        this.clock = clock;
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
    public void commit(RecordGroup records, int xid, CommitLevel level, PendingCommit commit) {
        if (!open) {
            throw new IllegalStateException("the server is stopping: it takes no more commits");
        }
        ByteBuffer data = records.add(
                xid, CommitRecord.RMGR, CommitRecord.COMMIT | CommitRecord.HAS_INFO, CommitRecord.BYTES_WITH_LEVEL);
        new CommitRecord(clock.micros(), level.code()).encode(data);
        wal.insert(records, (startLsn, endLsn) -> queue.join(commit, level, startLsn, endLsn));
        if (level == CommitLevel.OFF) {
            commit.acknowledge();
        }
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
