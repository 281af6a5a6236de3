package lockstep.commit;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import lockstep.rmgr.ResourceManager;
import lockstep.wal.RecordGroup;
import lockstep.wal.Records;
import lockstep.wal.WalRecord;

/**
 * A log in memory, and a queue whose commits the test releases, calling {@link Visibility} as its contract says. The
 * records can be redone elsewhere.
 */
public final class TestCommits implements Commits {
    /** A transaction in the log. */
    public record Logged(int xid, List<WalRecord> records, long commitLsn) {}

    private static final int COMMIT_RECORD_BYTES = 40;

    private final List<Logged> log = new ArrayList<>();
    private final List<PendingCommit> waiting = new ArrayList<>();
    private final Set<PendingCommit> early = new HashSet<>();
    private final boolean keepLog;
    private int lastXid = 2;
    private long endLsn = 0x1000028;

    /** Keeps the log. */
    public TestCommits() {
        this(true);
    }

    /** Without a log, it measures. */
    public TestCommits(boolean keepLog) {
        this.keepLog = keepLog;
    }

    @Override
    public synchronized int nextXid() {
        return ++lastXid;
    }

    @Override
    public CommitLevel defaultLevel() {
        return CommitLevel.ON;
    }

    @Override
    public synchronized void commit(
            RecordGroup records, int xid, CommitLevel level, PendingCommit commit, long patienceNanos) {
        long startLsn = endLsn;
        endLsn += records.bytes() + COMMIT_RECORD_BYTES;
        if (keepLog) {
            log.add(new Logged(xid, Records.of(records, startLsn), endLsn));
        }
        commit.queued(level, startLsn, endLsn, 0);
        waiting.add(commit);
    }

    @Override
    public CommitReceipt receipt(PendingCommit commit) {
        return new CommitReceipt(
                new CommitPosition(1, 1, commit.lsn()), commit.level(), commit.outcome(), List.of(), -1, -1);
    }

    @Override
    public CommitStatus status(CommitPosition position) {
        throw new UnsupportedOperationException("this log is not asked");
    }

    /** Returns the end of the log. */
    public synchronized long endLsn() {
        return endLsn;
    }

    /** Returns the log so far. */
    public synchronized List<Logged> log() {
        return List.copyOf(log);
    }

    /** Releases some commits, in this order, and publishes them together. */
    public synchronized void release(PendingCommit... commits) {
        List<PendingCommit> released = new ArrayList<>();
        for (PendingCommit commit : commits) {
            released.add(commit);
            if (waiting.get(0) != commit) {
                commit.visibility().releaseEarly(commit);
                early.add(commit);
                continue;
            }
            do {
                PendingCommit first = waiting.remove(0);
                first.visibility().settle(first);
                early.remove(first);
            } while (!waiting.isEmpty() && early.contains(waiting.get(0)));
        }
        commits[commits.length - 1].visibility().publish();
        released.forEach(commit -> {
            commit.released = new CommitOutcome.Replicated(commit.level());
            commit.release(0);
        });
    }

    /** Releases all that waits, in order. */
    public synchronized void releaseAll() {
        List<PendingCommit> all = List.copyOf(waiting);
        waiting.clear();
        for (PendingCommit commit : all) {
            commit.visibility().settle(commit);
        }
        if (!all.isEmpty()) {
            all.get(0).visibility().publish();
        }
        all.stream().filter(commit -> !early.remove(commit)).forEach(commit -> {
            commit.released = new CommitOutcome.Replicated(commit.level());
            commit.release(0);
        });
    }

    /** Redoes transactions as the log does after a position. */
    public static void redo(List<Logged> log, long afterLsn, ResourceManager into) throws IOException {
        for (Logged logged : log) {
            if (logged.commitLsn() > afterLsn) {
                for (WalRecord record : logged.records()) {
                    into.redo(record);
                }
                into.commit(logged.xid(), logged.commitLsn());
            }
        }
    }
}
