package lockstep.commit;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Makes released commits visible to readers. Implemented by the store whose commits they are; called by one thread at a
 * time, on the path of every commit, so it is quick and never waits.
 *
 * <p>Commits of different levels are released out of LSN order: one at {@code local} does not wait for an earlier one at
 * {@code on}. A commit whose predecessors are all released is <i>settled</i>. For each commit either {@link #settle} is
 * called, or {@link #releaseEarly} and, once the predecessors are released, {@link #settle}. Settling is in strict LSN
 * order, so a store that keeps settled commits apart from early ones always holds an exact prefix of the log.
 */
@ConsumerType
public interface Visibility {
    /** Takes in a released commit. All commits before it have been settled. */
    void settle(PendingCommit commit);

    /** Takes in a released commit while at least one before it still waits. */
    void releaseEarly(PendingCommit commit);

    /** Lets readers see, in one step, all that was taken in since the last call. */
    void publish();
}
