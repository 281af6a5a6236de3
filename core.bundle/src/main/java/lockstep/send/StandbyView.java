package lockstep.send;

import java.util.Map;

/**
 * A connected standby as an operator sees it: the columns of {@code pg_stat_replication} that have a meaning here.
 *
 * @param id numbers the sessions since the server started
 * @param backendStartMicros when it connected, in {@link lockstep.io.Clock#micros}
 * @param writeLagMicros time from the local flush of some WAL to hearing that the standby has written it; -1 when there
 *     was nothing to measure
 * @param flushLagMicros the same for the standby's flush
 * @param replayLagMicros the same for its redo
 * @param syncPriority its place among those that count for commits, 0 if it is none
 * @param syncState a {@link lockstep.commit.SyncRole.State}
 * @param replyMicros when it last said something, in {@link lockstep.io.Clock#micros}
 * @param feed whether it is fed {@code live} from the WAL writer, with WAL as it is {@code flushed}, as PostgreSQL's clients and
 *     standbys of a standby are, or reads {@code behind} that
 * @param reason why it cannot acknowledge, as it says; empty if it can
 * @param identity as whom its transport has authenticated it; empty if it has not
 * @param link what else is known of its session, such as the cipher, by the names of {@link
 *     lockstep.transport.api.Peer#facts}
 */
public record StandbyView(
        long id,
        String applicationName,
        String clientAddr,
        long backendStartMicros,
        SenderState state,
        long sentLsn,
        long writeLsn,
        long flushLsn,
        long replayLsn,
        long writeLagMicros,
        long flushLagMicros,
        long replayLagMicros,
        int syncPriority,
        String syncState,
        long replyMicros,
        String feed,
        String reason,
        String identity,
        Map<String, String> link) {}
