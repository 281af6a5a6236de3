package lockstep.commit;

/** How far a connected standby is: the three positions it acknowledged. May be read from any thread. */
public interface StandbyProgress {
    /** Returns the standby's name. */
    String name();

    /** Returns whether the standby has caught up and is sent WAL as it is written. Only then it counts. */
    boolean isStreaming();

    /** Returns why the standby cannot acknowledge for now, as it says itself; empty if it can. */
    String obstacle();

    /** Returns up to where the standby's operating system has the WAL. */
    long writtenLsn();

    /** Returns up to where the standby has flushed the WAL. */
    long flushedLsn();

    /** Returns up to where the standby has applied the WAL. */
    long appliedLsn();

    /**
     * Returns when the standby acknowledged a position as a level asks for it, in {@link lockstep.io.Clock#nanos}; {@code
     * otherwise} if it has not, or that is not known.
     */
    long reachedNanos(CommitLevel level, long lsn, long otherwise);

    /** Returns the position that a level asks for. */
    default long position(CommitLevel level) {
        return switch (level) {
            case REMOTE_WRITE -> writtenLsn();
            case REMOTE_APPLY -> appliedLsn();
            default -> flushedLsn();
        };
    }
}
