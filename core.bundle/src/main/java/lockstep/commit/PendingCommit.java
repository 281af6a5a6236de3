package lockstep.commit;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.LockSupport;

/**
 * A commit on its way: the entry of the commit queue, what a client waits on, and, in subclasses, what the store
 * makes visible when it is released. One object a commit, so that queueing allocates nothing more.
 *
 * <p>Giving up a wait, by time-out, interruption or {@link #cancel}, ends only the wait: the commit is in the log and stays in the
 * queue. It is invisible to everyone until its policy is met, and then it becomes visible.
 *
 * <pre>
 *   state                              {@link #outcome}
 *   waiting                            IN_DOUBT: it waits
 *   waiting, its client has given up   IN_DOUBT: how it gave up
 *   waiting, the server is fenced      IN_DOUBT: by whom
 *   released                           what it got: REPLICATED, or LOCAL_ONLY
 * </pre>
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

    /** What it got; written before the state says that it is released. */
    CommitOutcome released;

    private long releasedNanos;
    private volatile CommitOutcome.InDoubt givenUp;
    private volatile boolean cancelled;
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

    /** Returns what it got, or why that is not known yet. */
    public final CommitOutcome outcome() {
        return switch (state) {
            case RELEASED -> released;
            case ACKNOWLEDGED -> new CommitOutcome.Replicated(CommitLevel.OFF);
            case WAITING -> {
                CommitOutcome.InDoubt doubt = givenUp;
                yield doubt == null
                        ? new CommitOutcome.InDoubt("it waits to be as safe as " + level.parameterValue() + " says")
                        : doubt;
            }
        };
    }

    /** Ends the wait of its client, now and for ever: {@link #await} returns at once. The commit goes on. */
    public final void cancel() {
        abandon("the client cancelled the wait");
    }

    /** Ends the wait of its client because this server will never release it, and says why. */
    final void abandon(String reason) {
        giveUp(reason);
        cancelled = true;
        LockSupport.unpark(waiter);
    }

    /** Returns whether the wait is over for ever: cancelled, or the server will never release it. */
    public final boolean isAbandoned() {
        return cancelled;
    }

    private void giveUp(String reason) {
        givenUp = new CommitOutcome.InDoubt(reason);
    }

    /** Returns when it was released, if it is. */
    final long releasedNanos() {
        return releasedNanos;
    }

    /**
     * Waits until the commit is acknowledged. Only one thread waits for a commit like this; others use {@link #completion}.
     *
     * @param timeoutNanos how long at most
     * @return whether it is acknowledged; if not, because of the time or of {@link #cancel}, it may still be, later
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
                    giveUp("the client's wait was interrupted");
                    throw new InterruptedException();
                }
                long left = deadline - System.nanoTime();
                if (cancelled || left <= 0) {
                    if (!cancelled) {
                        giveUp("the client's wait timed out");
                    }
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

    final void release(long nanos) {
        releasedNanos = nanos;
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
