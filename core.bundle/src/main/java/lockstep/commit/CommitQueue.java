package lockstep.commit;

import java.io.IOException;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import lockstep.io.Clock;
import lockstep.io.Panic;
import lockstep.io.Workers;

/**
 * Commits waiting to be as safe as they asked to be, in strict LSN order.
 *
 * <p><b>Idea.</b> WAL becomes safe as one growing prefix, so "released up to D" settles every commit at or before D. A
 * release walks from the head and stops at the first commit beyond D: group commit needs no code of its own.
 *
 * <p><b>Why nothing is sorted here.</b> {@link #join} is called in the step in which a commit takes its place in the WAL,
 * under the lock that gives out places. Joining at the tail already is LSN order. (PostgreSQL's backends queue after they
 * have flushed, in any order, and walk back from the tail to find their place.)
 *
 * <p><b>Two orders.</b> The levels are released at different speeds, so each has a list of its own, and a release wakes a
 * prefix of each. A further list holds all commits as they stand in the log; from its head commits are <i>settled</i>:
 * they and all before them are released. See {@link Visibility} for what a store makes of it.
 *
 * <pre>
 *   state     event                                          next
 *   waiting   released at its level, all before it settled   settled: visible, acknowledged
 *   waiting   released at its level, one before it waits     early: visible, acknowledged
 *   early     the last one before it is released             settled
 *   waiting   its client gives up, times out, is interrupted waiting
 * </pre>
 *
 * <p><b>No lock between joining and releasing.</b> Both lists are linked by one {@code next} field per commit. The tail
 * belongs to whoever holds the log's place lock, the head to the one thread that releases, and they meet only in {@code
 * next}, which is volatile. Thousands of waiters therefore cost an inserting thread nothing.
 *
 * <p><b>Across a crash.</b> The log has every commit with its level, and {@link ReleaseMarks} up to where each level was released;
 * they are written before the commits become visible. So recovery can {@link #rejoin} what was waiting, and nobody sees after a
 * crash what could not be seen before it.
 *
 * <p><b>One thread releases.</b> Whoever moves a position calls {@link #release}. If another thread is releasing, it is
 * told to look once more, and the call returns; so nobody waits, and no movement is missed.
 */
public final class CommitQueue {
    private static final int INITIAL_BATCH = 64;
    private static final long HOLD_RETRY_NANOS = 50_000;
    private static final CommitOutcome BY_HAND = new CommitOutcome.LocalOnly("an operator has released it by hand");

    /** Commits of one level, in LSN order. */
    private static final class Line {
        /** What they ask for. */
        final CommitOutcome kept;

        /** The last one released, or a dummy; belongs to the releasing thread, but may be looked at. */
        volatile PendingCommit head = new PendingCommit(null);

        /** Belongs to whoever takes places in the WAL. */
        PendingCommit tail = head;

        final AtomicLong joined = new AtomicLong();
        final AtomicLong released = new AtomicLong();
        long releasedLsn;

        Line(CommitLevel level) {
            kept = Promises.KEPT.outcome(level);
        }

        /** What the policy gives to those that have not got what they ask for. */
        CommitOutcome outcome;
    }

    /**
     * The commits of a level that wait.
     *
     * @param oldestWaitMicros how long the one at the head has waited; 0 if there is none
     * @param oldestLsn the LSN of the one at the head; 0 if there is none
     */
    public record Waiting(CommitLevel level, long waiters, long oldestWaitMicros, long oldestLsn) {}

    private final CommitPolicy policy;
    private final Clock clock;
    private final Panic panic;
    private final ReleaseMarks marks;
    private final Map<CommitLevel, Line> lines = new EnumMap<>(CommitLevel.class);
    private final AtomicInteger wakeUps = new AtomicInteger();

    /** Up to where an operator has let commits go. */
    private final AtomicLong byHandLsn = new AtomicLong();

    private volatile PendingCommit logHead = new PendingCommit(null);
    private PendingCommit logTail = logHead;

    private final Set<Visibility> toPublish = new LinkedHashSet<>();
    private PendingCommit[] batch = new PendingCommit[INITIAL_BATCH];
    private int batchSize;
    private final AtomicLong settledCommits = new AtomicLong();
    private final List<PauseWatch> watches = new CopyOnWriteArrayList<>();

    /**
     * Makes an empty queue that releases as {@code policy} says, and what was released before as {@code marks} say.
     */
    public CommitQueue(CommitPolicy policy, Clock clock, Panic panic, ReleaseMarks marks) {
        this.policy = policy;
        this.clock = clock;
        this.panic = panic;
        this.marks = marks;
        for (CommitLevel level : CommitLevel.values()) {
            if (level != CommitLevel.OFF) {
                Line line = new Line(level);
                line.releasedLsn = marks.releasedLsn(level);
                lines.put(level, line);
            }
        }
    }

    /** Queues a commit that recovery found in the log; as {@link #join}, before anything is inserted. */
    public void rejoin(PendingCommit commit, CommitLevel level, long startLsn, long endLsn) {
        join(commit, level, startLsn, endLsn);
    }

    /**
     * Queues a commit. Called in LSN order, one call at a time, before the WAL at {@code endLsn} can be flushed.
     *
     * @param startLsn where its records begin
     * @param endLsn where they end: what must be safe
     */
    void join(PendingCommit commit, CommitLevel level, long startLsn, long endLsn) {
        assert endLsn > logTail.lsn() : "a commit joins in LSN order";
        commit.queued(level, startLsn, endLsn, clock.nanos());
        Line line = lineOf(level);
        line.joined.lazySet(line.joined.get() + 1);
        line.tail.nextAtLevel = commit;
        line.tail = commit;
        logTail.nextInLog = commit;
        logTail = commit;
    }

    /** Commits at {@code off} are acknowledged by their client's call, and become visible like those at {@code local}. */
    private Line lineOf(CommitLevel level) {
        return lines.get(level == CommitLevel.OFF ? CommitLevel.LOCAL : level);
    }

    /** Releases what the policy allows; to be called whenever a position has moved. Returns at once if another thread does it. */
    public void release() {
        if (wakeUps.getAndIncrement() > 0) {
            return;
        }
        int seen;
        do {
            seen = wakeUps.get();
            try {
                releaseOnce();
            } catch (RuntimeException | Error e) {
                panic.panic(
                        "released commits could not be made visible: " + e
                                + ". The server stops; its next start brings them from the log",
                        e);
                throw e;
            }
        } while (!wakeUps.compareAndSet(seen, 0));
    }

    /**
     * Releases commits up to a position although the policy is not met, as far as they are on the disk here: an operator has decided
     * so.
     */
    public void releaseByHand(long lsn) {
        byHandLsn.accumulateAndGet(lsn, Math::max);
        release();
    }

    /** Runs an action while nothing is released; what could have been is released after it. */
    public void whileHeld(Workers workers, HeldAction action) throws IOException {
        while (!wakeUps.compareAndSet(0, 1)) {
            workers.pause(HOLD_RETRY_NANOS);
        }
        try {
            action.run();
        } finally {
            wakeUps.set(0);
            release();
        }
    }

    /** What is done while nothing is released. */
    @FunctionalInterface
    public interface HeldAction {
        /** Does it. */
        void run() throws IOException;
    }

    private void releaseOnce() {
        lines.forEach(this::collect);
        Optional<String> end = policy.end();
        if (end.isPresent()) {
            abandonAll(end.get());
        }
        if (batchSize == 0) {
            return;
        }
        mark();
        settle();
        for (int i = 0; i < batchSize; i++) {
            PendingCommit commit = batch[i];
            if (!commit.settled) {
                commit.visibility().releaseEarly(commit);
                toPublish.add(commit.visibility());
            }
        }
        toPublish.forEach(Visibility::publish);
        toPublish.clear();
        long now = clock.nanos();
        if (!watches.isEmpty()) {
            tellWatches(now);
        }
        for (int i = 0; i < batchSize; i++) {
            batch[i].release(now);
            batch[i] = null;
        }
        batchSize = 0;
    }

    private void tellWatches(long now) {
        long oldest = batch[0].enqueuedNanos();
        for (int i = 1; i < batchSize; i++) {
            oldest = batch[i].enqueuedNanos() - oldest < 0 ? batch[i].enqueuedNanos() : oldest;
        }
        for (PauseWatch watch : watches) {
            watch.released(oldest, now);
        }
    }

    /** Measures pauses from now on, until it is closed. */
    public PauseWatch watchPauses() {
        PauseWatch watch = new PauseWatch(this, clock.nanos());
        watches.add(watch);
        return watch;
    }

    void forget(PauseWatch watch) {
        watches.remove(watch);
    }

    long nanos() {
        return clock.nanos();
    }

    /** Returns for how long the commit that has waited longest has; 0 if none waits. */
    long oldestWaitNanos() {
        long oldest = 0;
        for (Waiting level : waiting()) {
            oldest = Math.max(oldest, level.oldestWaitMicros() * 1000);
        }
        return oldest;
    }

    /** Returns whether any commit waits to be released. */
    boolean isAwaited() {
        for (Line line : lines.values()) {
            long released = line.released.get();
            if (line.joined.get() > released) {
                return true;
            }
        }
        return false;
    }

    private void abandonAll(String why) {
        for (Line line : lines.values()) {
            for (PendingCommit commit = line.head.nextAtLevel; commit != null; commit = commit.nextAtLevel) {
                commit.abandon(why);
            }
        }
    }

    /** Before anything of the batch is visible; so what is settled by it is in the next mark. */
    private void mark() {
        lines.forEach((level, line) -> marks.setReleased(level, line.releasedLsn));
        marks.setSettled(logHead.lsn());
        marks.write();
    }

    /** Takes the released prefix of a level. */
    private void collect(CommitLevel level, Line line) {
        long grantedLsn;
        long keptLsn;
        do {
            line.outcome = policy.outcome(level);
            grantedLsn = Math.max(line.releasedLsn, policy.releasedLsn(level));
            keptLsn = Math.min(grantedLsn, policy.keptLsn(level));
        } while (line.outcome != policy.outcome(level));
        line.releasedLsn = grantedLsn;
        long byHand = byHandLsn.get();
        if (byHand > line.releasedLsn) {
            line.releasedLsn = Math.max(line.releasedLsn, Math.min(byHand, policy.releasedLsn(CommitLevel.LOCAL)));
        }
        PendingCommit head = line.head;
        PendingCommit next = head.nextAtLevel;
        long count = 0;
        while (next != null && next.lsn() <= line.releasedLsn) {
            if (batchSize == batch.length) {
                batch = Arrays.copyOf(batch, batchSize * 2);
            }
            batch[batchSize++] = next;
            next.reached = true;
            next.released = outcome(line, next.lsn(), keptLsn, grantedLsn);
            // A commit that somebody keeps must not keep all that came after it.
            head.nextAtLevel = null;
            head = next;
            next = head.nextAtLevel;
            count++;
        }
        if (count > 0) {
            line.head = head;
            line.released.addAndGet(count);
        }
    }

    private static CommitOutcome outcome(Line line, long lsn, long keptLsn, long grantedLsn) {
        if (lsn <= keptLsn) {
            return line.kept;
        }
        return lsn <= grantedLsn ? line.outcome : BY_HAND;
    }

    /**
     * Settles the reached prefix of the log. The head moves with every commit, and before the link to it is cut: {@link
     * #settledLsn} may look at any moment.
     */
    private void settle() {
        Visibility last = null;
        PendingCommit head = logHead;
        PendingCommit next = head.nextInLog;
        while (next != null && next.reached) {
            next.settled = true;
            next.visibility().settle(next);
            if (next.visibility() != last) {
                last = next.visibility();
                toPublish.add(last);
            }
            settledCommits.incrementAndGet();
            logHead = next;
            head.nextInLog = null;
            head = next;
            next = head.nextInLog;
        }
    }

    /**
     * Returns where the oldest commit that is not settled begins, or {@code endLsn} if there is none. Called under the
     * log's place lock, with the end of all places taken.
     */
    long settledLsn(long endLsn) {
        PendingCommit head;
        PendingCommit oldest;
        do {
            // A head that has moved on meanwhile has had its link cut.
            head = logHead;
            oldest = head.nextInLog;
        } while (head != logHead);
        return oldest == null ? endLsn : oldest.startLsn();
    }

    /** Returns why no commit of a level is taken now; empty if they are taken. */
    Optional<String> refusal(CommitLevel level) {
        return policy.refusal(level);
    }

    /** Returns who waits, by level. */
    public Waiting[] waiting() {
        return lines.entrySet().stream()
                .map(entry -> waiting(entry.getKey(), entry.getValue()))
                .toArray(Waiting[]::new);
    }

    private Waiting waiting(CommitLevel level, Line line) {
        // Released before joined, so that the difference is never negative.
        long released = line.released.get();
        long count = line.joined.get() - released;
        PendingCommit oldest = line.head.nextAtLevel;
        return oldest == null || count == 0
                ? new Waiting(level, count, 0, 0)
                : new Waiting(level, count, (clock.nanos() - oldest.enqueuedNanos()) / 1000, oldest.lsn());
    }

    /**
     * Returns whether the commit that ends at a position is released.
     *
     * @param flushedLsn up to where the log is flushed, taken before the call
     */
    boolean isReleased(long lsn, long flushedLsn) {
        if (lsn > flushedLsn) {
            return false;
        }
        PendingCommit head;
        boolean released;
        do {
            head = logHead;
            PendingCommit next = head.nextInLog;
            released = next == null || lsn < next.lsn();
            while (next != null && next.lsn() <= lsn) {
                released = next.lsn() == lsn && next.isReleased();
                next = next.nextInLog;
            }
            // A head that has moved on meanwhile has had its link cut.
        } while (head != logHead);
        return released;
    }

    /** Returns how many commits have been settled since the server started. */
    public long settledCommits() {
        return settledCommits.get();
    }
}
