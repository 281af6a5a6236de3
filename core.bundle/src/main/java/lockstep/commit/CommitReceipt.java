package lockstep.commit;

import java.util.List;

/**
 * What is known of a commit, as a client may want to keep it.
 *
 * @param position where it stands, to ask about it later
 * @param asked the level it asked for
 * @param outcome what it got, so far
 * @param standbys the streaming standbys that had it, at the level asked for, when the receipt was made
 * @param flushedMicros how long after it was inserted it was on the disk here; -1 if it is not, or was too long ago to tell
 * @param releasedMicros how long after it was inserted it was released; -1 if it is not
 */
public record CommitReceipt(
        CommitPosition position,
        CommitLevel asked,
        CommitOutcome outcome,
        List<Acknowledged> standbys,
        long flushedMicros,
        long releasedMicros) {
    /**
     * When a standby said that it had come so far. How long after the commit was inserted, in each case; -1 if it has not, or was too
     * long ago to tell, or told another session.
     */
    public record Acknowledged(String name, long writtenMicros, long flushedMicros, long appliedMicros) {}
}
