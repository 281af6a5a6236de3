package lockstep.commit;

/** What a server knows of a commit that was once made, here or on another server. */
public enum CommitStatus {
    /** It is in the log of this server, and visible. */
    COMMITTED,
    /** It is in the log and not released, or this server has not heard of it yet. */
    IN_DOUBT,
    /** It never was, or is no more, in the log: this took another course before it. */
    LOST
}
