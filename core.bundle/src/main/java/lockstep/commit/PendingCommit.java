package lockstep.commit;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.LockSupport;

/**
 * A commit on its way: the entry of the commit queue, what a client waits on, and, in subclasses, what the store
 * makes visible when it is released. One object a commit, so that queueing allocates nothing more.
 *
 * <p>Giving up a wait, by time-out or interruption, ends only the wait: the commit stays in the queue, and becomes visible
 * when its level is reached.
 */
public class PendingCommit {
    private enum State {
        /** The level is not reached. */
        WAITING,
        /** The client of a commit at {@code off} need not wait; the changes are not visible yet. */
        ACKNOWLEDGED,
        /** The level is reached and the changes are visible. */
        RELEASED
    }

    private final Visibility visibility;

    /** Set once, when the place in the WAL is taken. */
    private CommitLevel level;

    private long startLsn;
    private long lsn;
    private long enqueuedNanos;

    /** The queue's links; see there for who may touch them. */
    volatile PendingCommit nextAtLevel;

    volatile PendingCommit nextInLog;
    boolean reached;
    boolean settled;

    private volatile State state = State.WAITING;
    private volatile Thread waiter;
    private CompletableFuture<PendingCommit> future;

    /** Makes a commit whose changes {@code visibility} shows to readers. */
    public PendingCommit(Visibility visibility) {
        this.visibility = visibility;
    }

    void queued(CommitLevel atLevel, long start, long end, long nanos) {
        level = atLevel;
        startLsn = start;
        lsn = end;
        enqueuedNanos = nanos;
    }

    final Visibility visibility() {
        return visibility;
    }

    final long startLsn() {
        return startLsn;
    }

    final long enqueuedNanos() {
        return enqueuedNanos;
    }

    /** Returns the end of the commit record: what must be flushed, and what a reader on a standby waits for. */
    public final long lsn() {
        return lsn;
    }

    /** Returns the level that was asked for. */
    public final CommitLevel level() {
        return level;
    }

    /** Returns whether its client need not wait any longer: the level is reached. */
    public final boolean isAcknowledged() {
        return state != State.WAITING;
    }

    /** Returns whether the changes are visible: the level is reached and, at {@code off}, the WAL is flushed. */
    public final boolean isReleased() {
        return state == State.RELEASED;
    }

    /**
     * Waits until the commit is acknowledged. Only one thread waits for a commit like this; others use {@link #completion}.
     *
     * @param timeoutNanos how long at most
     * @return whether it is acknowledged; if not, it may still be, later
     * @throws InterruptedException if the thread is interrupted: the commit goes on
     */
    public final boolean await(long timeoutNanos) throws InterruptedException {
        if (isAcknowledged()) {
            return true;
        }
        long deadline = System.nanoTime() + timeoutNanos;
        waiter = Thread.currentThread();
        try {
            while (!isAcknowledged()) {
                if (Thread.interrupted()) {
                    throw new InterruptedException();
                }
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    return isAcknowledged();
                }
                LockSupport.parkNanos(this, left);
            }
            return true;
        } finally {
            waiter = null;
        }
    }

    /** Returns a stage that completes, with this commit, when it is acknowledged; on the thread that does it. */
    public final CompletionStage<PendingCommit> completion() {
        synchronized (this) {
            if (future == null) {
                future = new CompletableFuture<>();
            }
            if (!isAcknowledged()) {
                return future;
            }
        }
        future.complete(this);
        return future;
    }

    /** Called once when the changes are visible, on the thread that releases; quick, and does not throw. */
    protected void onReleased() {}

    /** Ends the wait of a client that asked for no safety. */
    final void acknowledge() {
        advance(State.ACKNOWLEDGED);
    }

    final void release() {
        advance(State.RELEASED);
        onReleased();
    }

    private void advance(State to) {
        CompletableFuture<PendingCommit> waiting;
        synchronized (this) {
            if (state.compareTo(to) >= 0) {
                return;
            }
            state = to;
            waiting = future;
        }
        LockSupport.unpark(waiter);
        if (waiting != null) {
            waiting.complete(this);
        }
    }
}
