package lockstep.receiver.api;

import lockstep.wal.WalFormat;
import lockstep.wal.WalStatistics;

/**
 * The WAL receiver: the columns of {@code pg_stat_wal_receiver}, and what Lockstep knows besides. Positions are LSNs, 0
 * for unknown; times are microseconds since 2000-01-01 00:00 UTC, 0 for never.
 *
 * @param state what it does
 * @param receiveStartLsn where the present session began
 * @param receiveStartTimeline the timeline then
 * @param receivedLsn the end of what has been received
 * @param writtenLsn the end of what is with the operating system and checked
 * @param flushedLsn the end of what is on the disk and checked: what is acknowledged
 * @param receivedTimeline the timeline of the last byte
 * @param lastMessageSentMicros when the primary sent its last message, by its own clock
 * @param lastMessageReceivedMicros when that came
 * @param latestEndLsn how far the primary said that it has inserted WAL
 * @param primaryFlushedLsn how far the primary said that it has flushed; nothing past it is redone
 * @param endpoint the endpoint in use, or the last one tried
 * @param peer whom the session is with; empty without a session
 * @param conninfo all endpoints, in order
 * @param slotName the replication slot it uses; empty for none
 * @param sessions how many sessions have streamed
 * @param corruptions how often WAL came that was not valid, and was asked for again
 * @param diskFull whether it waits for room on the disk
 * @param lastError what went wrong last; empty if nothing has since it last streamed
 * @param writtenBy who writes the log, such as {@code lockstep} or {@code postgresql 15}; empty before there is one
 * @param counted what came of a PostgreSQL server's log since this server started
 */
public record ReceiverStatus(
        ReceiverState state,
        long receiveStartLsn,
        int receiveStartTimeline,
        long receivedLsn,
        long writtenLsn,
        long flushedLsn,
        int receivedTimeline,
        long lastMessageSentMicros,
        long lastMessageReceivedMicros,
        long latestEndLsn,
        long primaryFlushedLsn,
        String endpoint,
        String peer,
        String conninfo,
        String slotName,
        long sessions,
        long corruptions,
        boolean diskFull,
        String lastError,
        String writtenBy,
        WalStatistics.Count counted) {
    /** Returns whether the log is a PostgreSQL server's, of which nothing is redone here. */
    public boolean isPostgres() {
        return !writtenBy.isEmpty() && WalFormat.parse(writtenBy).isPostgres();
    }
}
