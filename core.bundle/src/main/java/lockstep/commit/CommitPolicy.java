package lockstep.commit;

import java.util.Optional;

/**
 * Says how far commits are released, and what those that are released get.
 *
 * <p>All may change at any moment, together. Whoever releases commits asks for the {@link #outcome}, then for {@link
 * #releasedLsn} and {@link #keptLsn}, and then for the outcome again: if it is the same object, the answers belong together.
 * After every change there are other objects.
 */
@FunctionalInterface
public interface CommitPolicy {
    /**
     * Returns the position up to which commits of a level are released: the WAL before it is as safe as the level
     * promises. May be called from any thread at any time; a position that was once returned stays good.
     */
    long releasedLsn(CommitLevel level);

    /**
     * Returns the position up to which commits of a level that are released get what they ask for, by whatever rule they are;
     * those past it get the {@link #outcome}. Allocates nothing.
     */
    default long keptLsn(CommitLevel level) {
        return Long.MAX_VALUE;
    }

    /** Returns what commits of a level get that are released now and lie past {@link #keptLsn}. Allocates nothing. */
    default CommitOutcome outcome(CommitLevel asked) {
        return Promises.KEPT.outcome(asked);
    }

    /** Returns why nothing is released here ever again, so that nobody need wait; empty as long as something may be. Allocates nothing. */
    default Optional<String> end() {
        return Optional.empty();
    }

    /** Returns why no commit of a level is taken now, for people; empty if they are taken. Allocates nothing. */
    default Optional<String> refusal(CommitLevel asked) {
        return Optional.empty();
    }
}
