package lockstep.commit;

/** How far a connected standby is: the three positions it acknowledged. May be read from any thread. */
public interface StandbyProgress {
    /** Returns the standby's name. */
    String name();

    /** Returns whether the standby has caught up and is sent WAL as it is written. Only then it counts. */
    boolean isStreaming();

    /** Returns up to where the standby's operating system has the WAL. */
    long writtenLsn();

    /** Returns up to where the standby has flushed the WAL. */
    long flushedLsn();

    /** Returns up to where the standby has applied the WAL. */
    long appliedLsn();
}
