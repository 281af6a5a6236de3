package lockstep.commit;

import java.util.Optional;

/**
 * Says how far commits are released, and what those that are released get.
 *
 * <p>Both may change at any moment, together. Whoever releases commits asks for the {@link #outcome}, then for {@link
 * #releasedLsn}, and then for the outcome again: if it is the same object, it is what the commits up to that position got.
 * After every change there are other objects.
 */
@FunctionalInterface
public interface CommitPolicy {
    /**
     * Returns the position up to which commits of a level are released: the WAL before it is as safe as the level
     * promises. May be called from any thread at any time; a position that was once returned stays good.
     */
    long releasedLsn(CommitLevel level);

    /** Returns what commits of a level get that are released now. Allocates nothing. */
    default CommitOutcome outcome(CommitLevel asked) {
        return Promises.KEPT.outcome(asked);
    }

    /** Returns why no commit of a level is taken now, for people; empty if they are taken. Allocates nothing. */
    default Optional<String> refusal(CommitLevel asked) {
        return Optional.empty();
    }
}
