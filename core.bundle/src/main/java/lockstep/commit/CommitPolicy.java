package lockstep.commit;

/** Says how far commits are released. */
@FunctionalInterface
public interface CommitPolicy {
    /**
     * Returns the position up to which commits of a level are released: the WAL before it is as safe as the level
     * promises. May be called from any thread at any time; a position that was once returned stays good.
     */
    long releasedLsn(CommitLevel level);
}
