package lockstep.receiver;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.LongSupplier;
import lockstep.redo.RedoListener;
import lockstep.wal.CheckpointRecord;
import lockstep.wal.WalChecker;
import lockstep.wal.WalRecord;

/**
 * What redo has to know of a log of which nothing is redone here, as PostgreSQL's: which records there are, for counts, and its
 * checkpoints, for restartpoints. The check that all WAL passes when it comes tells both; so redo reads only what was on
 * the disk before, and passes over the rest as it is settled.
 *
 * <p><b>Lock.</b> {@code this}: records pass on the thread of a session, and are passed over on redo's.
 */
final class CheckedLog implements WalChecker.Listener {
    private record Checkpoint(long lsn, long endLsn, CheckpointRecord record) {}

    private final RedoListener listener;
    private final LongSupplier settledLsn;
    private final Deque<Checkpoint> checkpoints = new ArrayDeque<>();
    private long fromLsn = Long.MAX_VALUE;

    /**
     * Begins without WAL.
     *
     * @param listener what redo tells as well
     * @param settledLsn the end of a record; all before it is on this disk and is never cut off
     */
    CheckedLog(RedoListener listener, LongSupplier settledLsn) {
        this.listener = listener;
        this.settledLsn = settledLsn;
    }

    /** The check goes on from here: of what was checked past it, nothing counts any more. */
    synchronized void goOnFrom(long lsn) {
        fromLsn = Math.min(fromLsn, lsn);
        while (!checkpoints.isEmpty() && checkpoints.peekLast().endLsn() > lsn) {
            checkpoints.removeLast();
        }
    }

    @Override
    public void passed(WalRecord record) {
        listener.passed(record);
        if (CheckpointRecord.is(record)) {
            Checkpoint next = new Checkpoint(record.lsn(), record.endLsn(), CheckpointRecord.decode(record.data()));
            synchronized (this) {
                checkpoints.add(next);
            }
        }
    }

    /** Returns from where on all records have been told of; redo reads those before. */
    synchronized long fromLsn() {
        return fromLsn;
    }

    /**
     * Passes over what is settled.
     *
     * @return the end of that
     */
    long pass() {
        long lsn = settledLsn.getAsLong();
        for (Checkpoint next = nextBefore(lsn); next != null; next = nextBefore(lsn)) {
            listener.checkpoint(next.lsn(), next.record());
        }
        return lsn;
    }

    private synchronized Checkpoint nextBefore(long lsn) {
        return !checkpoints.isEmpty() && checkpoints.peekFirst().endLsn() <= lsn ? checkpoints.removeFirst() : null;
    }
}
