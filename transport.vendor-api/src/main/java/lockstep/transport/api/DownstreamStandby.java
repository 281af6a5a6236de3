package lockstep.transport.api;

/**
 * A standby that is served by another, as {@link Message.DownstreamStatus} tells of it.
 *
 * @param upstream whom it follows: an index in the list of the message, or -1 for the server that sends it
 * @param serverId the running server, as it calls itself; 0 if it has not said
 * @param name its {@code application_name}
 * @param state what its upstream does for it, such as {@code streaming}
 * @param sentLsn the end of what its upstream has sent it
 * @param writtenLsn how far it has written, as it said last; 0 if it has not
 * @param flushedLsn the same for its flush
 * @param appliedLsn the same for its redo
 */
public record DownstreamStandby(
        int upstream,
        long serverId,
        String name,
        String state,
        long sentLsn,
        long writtenLsn,
        long flushedLsn,
        long appliedLsn) {}
