package lockstep.commit;

import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import lockstep.commit.StandbyNames.Method;
import lockstep.commit.SyncRole.State;

/**
 * Releases commits when the local disk and the standbys that count have them ({@code synchronous_standby_names}).
 *
 * <p><b>Who counts.</b> A standby is a <i>candidate</i> if it is listed, streams, and has not said that it cannot acknowledge.
 * Released is, for each level,
 * <ul>
 *   <li>with {@code FIRST n}, the oldest position among the n candidates that come first in the list;
 *   <li>with {@code ANY n}, the n-th newest position of all candidates;
 *   <li>with fewer than n candidates, nothing more.
 * </ul>
 *
 * <p>Every level asks for the local flush, also those that ask a standby: a standby may have WAL that the primary then
 * loses in a crash, and no commit that rests on such WAL may ever have been acknowledged.
 *
 * <p><b>One rule at a time.</b> All that may change is in one object, which is replaced as a whole: what is asked of standbys,
 * what commits get for it, and whether they are taken at all. Degraded mode puts a rule that asks for less in place of the
 * usual one, and takes it back ({@link DegradedMode}). A commit that has what it asked for when the lower rule lets it go is told
 * so all the same: what counts is what it got, not the rule.
 *
 * <p><b>No lock, no garbage.</b> Positions are looked up on the path of every commit, while standbys come, go and move. Each
 * position taken was acknowledged by a standby that was a candidate when it was looked at, and positions only grow; a look in
 * the midst of a change may find too little, never too much, and every change is followed by another look.
 */
public final class StandbyPolicy implements CommitPolicy {
    /**
     * What releases a commit.
     *
     * @param names who counts, and what is usual
     * @param standbys how many standbys acknowledge it
     * @param method which of the candidates
     * @param most the level above which nothing is asked
     * @param flushed how many standbys, besides, have flushed it
     * @param limitLsn past it the usual rule counts all the same
     * @param promises what commits get that have less than they ask for when they are released
     * @param refusal why no commit that asks a standby is taken, if that is so
     * @param isUsual whether it never lets a commit go that has less
     */
    private record Rule(
            StandbyNames names,
            int standbys,
            Method method,
            CommitLevel most,
            int flushed,
            long limitLsn,
            Promises promises,
            Optional<String> refusal,
            boolean isUsual) {
        static Rule usual(StandbyNames names, Optional<String> refusal) {
            return new Rule(
                    names,
                    names.count(),
                    names.method(),
                    CommitLevel.REMOTE_APPLY,
                    0,
                    Long.MAX_VALUE,
                    new Promises(),
                    refusal,
                    true);
        }
    }

    private final LongSupplier localFlushedLsn;
    private final Supplier<? extends StandbyProgress[]> standbys;
    private volatile Rule rule;
    private volatile long safeLsn;

    /**
     * Decides by these positions.
     *
     * @param standbys those that are connected; the array is not changed
     * @param safeLsn a position up to which all commits have been as safe as they asked to be
     */
    public StandbyPolicy(
            LongSupplier localFlushedLsn,
            Supplier<? extends StandbyProgress[]> standbys,
            StandbyNames names,
            long safeLsn) {
        this.localFlushedLsn = localFlushedLsn;
        this.standbys = standbys;
        this.safeLsn = safeLsn;
        rule = Rule.usual(names, Optional.empty());
    }

    @Override
    public long releasedLsn(CommitLevel level) {
        long local = localFlushedLsn.getAsLong();
        if (level.compareTo(CommitLevel.LOCAL) <= 0) {
            return local;
        }
        Rule now = rule;
        CommitLevel asked = level.compareTo(now.most) > 0 ? now.most : level;
        long remote = position(now.names, now.standbys, now.method, asked);
        if (now.flushed > 0) {
            remote = Math.min(remote, position(now.names, now.flushed, Method.ANY, CommitLevel.ON));
        }
        if (remote > now.limitLsn) {
            remote = Math.max(now.limitLsn, usualLsn(level));
        }
        long released = Math.min(local, remote);
        if (level == CommitLevel.ON && now.isUsual && released > safeLsn) {
            safeLsn = released;
        }
        return released;
    }

    /** Returns up to where commits of a level would be released if nothing were degraded. */
    long usualLsn(CommitLevel level) {
        StandbyNames who = rule.names;
        long local = localFlushedLsn.getAsLong();
        return Math.min(local, position(who, who.count(), who.method(), level));
    }

    /**
     * Returns up to where the required standbys have been known to have flushed the log; all commits before it are as safe as
     * those at {@code on} ask to be.
     */
    public long safeLsn() {
        long seen = Math.max(safeLsn, usualLsn(CommitLevel.ON));
        safeLsn = seen;
        return seen;
    }

    long localFlushedLsn() {
        return localFlushedLsn.getAsLong();
    }

    private long position(StandbyNames who, int count, Method method, CommitLevel level) {
        if (count == 0) {
            return Long.MAX_VALUE;
        }
        return method == Method.FIRST ? oldestOfFirst(who, count, level) : newestOfAny(who, count, level);
    }

    private long oldestOfFirst(StandbyNames who, int count, CommitLevel level) {
        StandbyProgress[] all = standbys.get();
        long oldest = Long.MAX_VALUE;
        int chosen = 0;
        for (int priority = 1; priority <= who.names().size(); priority++) {
            for (StandbyProgress standby : all) {
                if (isReady(standby) && who.priority(standby.name()) == priority) {
                    oldest = Math.min(oldest, standby.position(level));
                    if (++chosen == count) {
                        return oldest;
                    }
                }
            }
        }
        return 0;
    }

    /** A position is the n-th newest if n standbys are there or further; of such positions the greatest counts. */
    private long newestOfAny(StandbyNames who, int count, CommitLevel level) {
        StandbyProgress[] all = standbys.get();
        long newest = 0;
        for (StandbyProgress standby : all) {
            if (isReady(standby) && who.priority(standby.name()) > 0) {
                long position = standby.position(level);
                if (position > newest && reached(all, who, position, level) >= count) {
                    newest = position;
                }
            }
        }
        return newest;
    }

    private static int reached(StandbyProgress[] all, StandbyNames who, long lsn, CommitLevel level) {
        int reached = 0;
        for (StandbyProgress standby : all) {
            if (isReady(standby) && who.priority(standby.name()) > 0 && standby.position(level) >= lsn) {
                reached++;
            }
        }
        return reached;
    }

    private static boolean isReady(StandbyProgress standby) {
        return standby.isStreaming() && standby.obstacle().isEmpty();
    }

    /** Returns how many candidates have flushed the log up to a position; with 0, how many candidates there are. */
    int candidates(long lsn) {
        return reached(standbys.get(), names(), lsn, CommitLevel.ON);
    }

    /** Returns what listed standbys say why they cannot acknowledge; each after a semicolon. */
    String obstacles() {
        StringBuilder said = new StringBuilder();
        for (StandbyProgress standby : standbys.get()) {
            String obstacle = standby.obstacle();
            if (!obstacle.isEmpty() && names().priority(standby.name()) > 0) {
                said.append("; ").append(standby.name()).append(" says ").append(obstacle);
            }
        }
        return said.toString();
    }

    /** Returns what a standby is to commits. Does not change with degraded mode. */
    public SyncRole role(StandbyProgress standby) {
        StandbyNames who = names();
        int priority = who.isEmpty() ? 0 : who.priority(standby.name());
        if (priority == 0) {
            return SyncRole.ASYNC;
        }
        if (who.method() == Method.ANY) {
            return new SyncRole(isReady(standby) ? State.QUORUM : State.POTENTIAL, 1);
        }
        return new SyncRole(
                isReady(standby) && before(standby, priority) < who.count() ? State.SYNC : State.POTENTIAL, priority);
    }

    /** Returns how many candidates come before a standby. */
    private int before(StandbyProgress standby, int itsPriority) {
        StandbyNames who = names();
        int before = 0;
        boolean passed = false;
        for (StandbyProgress other : standbys.get()) {
            passed |= other == standby;
            int priority = who.priority(other.name());
            if (other != standby
                    && isReady(other)
                    && priority > 0
                    && (priority < itsPriority || (priority == itsPriority && !passed))) {
                before++;
            }
        }
        return before;
    }

    /** Returns who counts. */
    public StandbyNames names() {
        return rule.names;
    }

    /** Returns how many standbys are asked now, which in degraded mode are fewer than is usual. */
    public int asked() {
        Rule now = rule;
        return Math.max(now.standbys, now.flushed);
    }

    @Override
    public long keptLsn(CommitLevel level) {
        return rule.isUsual || level.compareTo(CommitLevel.LOCAL) <= 0 ? Long.MAX_VALUE : usualLsn(level);
    }

    @Override
    public CommitOutcome outcome(CommitLevel asked) {
        return rule.promises.outcome(asked);
    }

    @Override
    public Optional<String> refusal(CommitLevel asked) {
        return asked.compareTo(CommitLevel.LOCAL) <= 0 ? Optional.empty() : rule.refusal;
    }

    /** Asks for what is usual with these names. */
    void require(StandbyNames newNames) {
        require(newNames, Optional.empty());
    }

    /** Asks for what is usual, and may refuse new commits. */
    void require(StandbyNames newNames, Optional<String> refusal) {
        rule = Rule.usual(newNames, refusal);
    }

    /**
     * Asks for less than is usual.
     *
     * @param reason what commits are told that get less than they ask for
     * @see Rule
     */
    void lower(
            StandbyNames newNames,
            int count,
            Method method,
            CommitLevel most,
            int flushed,
            long limitLsn,
            String reason) {
        rule = new Rule(
                newNames, count, method, most, flushed, limitLsn, new Promises(reason), Optional.empty(), false);
    }
}
