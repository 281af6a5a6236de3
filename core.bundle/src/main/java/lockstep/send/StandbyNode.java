package lockstep.send;

/**
 * A standby in the tree below a server. Its lag is measured from the top of that tree: against what the server that shows
 * it has flushed, however many others stand between. What is not known yet is 0 for a position, and -1 for a lag.
 *
 * @param upstream the {@code application_name} of the standby that serves it; empty if this server does
 * @param depth 1 if this server serves it, 2 if one of those does, and so on
 * @param state what its upstream does for it
 * @param flushLagBytes how much WAL it lacks on its disk
 * @param flushLagMicros for how long it has lacked some of that
 * @param replayLagBytes how much WAL it has not redone
 * @param replayLagMicros for how long it has not redone some of that
 * @param omitted how many standbys below it are not shown, because a report has no room for more
 */
public record StandbyNode(
        String applicationName,
        String upstream,
        int depth,
        String state,
        long sentLsn,
        long writeLsn,
        long flushLsn,
        long replayLsn,
        long flushLagBytes,
        long flushLagMicros,
        long replayLagBytes,
        long replayLagMicros,
        int omitted) {}
