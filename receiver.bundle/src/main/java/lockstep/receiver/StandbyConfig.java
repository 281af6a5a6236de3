package lockstep.receiver;

import java.util.List;
import java.util.Optional;
import lockstep.commit.StandbyNames;
import lockstep.io.SyncMethod;
import lockstep.retention.Retention;
import lockstep.send.SenderConfig;
import lockstep.transport.api.Endpoint;

/**
 * How a standby works; each value is a parameter of {@code recovery.conf} or {@code lockstep.conf}.
 *
 * @param name {@code application_name}: what the primary calls it
 * @param primaries {@code primary_conninfo}: where the primary may be, the preferred place first; at least one,
 *     unless there is an archive
 * @param retrieveRetryIntervalMs {@code wal_retrieve_retry_interval}: the pause between rounds through the endpoints
 * @param receiverTimeoutMs {@code wal_receiver_timeout}: after so long a silence a session counts as broken; 0 for never
 * @param statusIntervalMs {@code wal_receiver_status_interval}: the longest time between two status messages
 * @param walBufferBytes {@code wal_buffers}
 * @param syncMethod {@code wal_sync_method}
 * @param senders how it serves standbys of its own
 * @param slotName {@code primary_slot_name}: the slot on the primary; empty for none
 * @param createSlot {@code primary_slot_create}: whether a base backup makes that slot
 * @param retention how much WAL is kept here, and for whom
 * @param recovery how far recovery goes, and the archive
 * @param backupOnly whether the server stops as soon as it has a base backup, or cannot take one
 * @param triggerFile {@code trigger_file}: a file that promotes the standby when it is there; empty for none
 * @param acknowledging {@code relay_ack}: which standbys of this one must have what it acknowledges; empty if it
 *     acknowledges what it has itself
 * @param keepsPostgresWal {@code keep_wal}: whether all WAL of a PostgreSQL server is kept
 */
record StandbyConfig(
        String name,
        List<Endpoint> primaries,
        long retrieveRetryIntervalMs,
        long receiverTimeoutMs,
        long statusIntervalMs,
        int walBufferBytes,
        SyncMethod syncMethod,
        SenderConfig senders,
        String slotName,
        boolean createSlot,
        Retention.Config retention,
        RecoveryConfig recovery,
        boolean backupOnly,
        String triggerFile,
        boolean keepsPostgresWal,
        Optional<StandbyNames> acknowledging) {
    StandbyConfig {
        primaries = List.copyOf(primaries);
        if (primaries.isEmpty() && recovery.restoreCommand().isEmpty()) {
            throw new IllegalArgumentException("primary_conninfo names no endpoint: expected one or more, such as"
                    + " tcp://127.0.0.1:5440; or set restore_command");
        }
    }

    /** A standby that follows its primary for ever. */
    StandbyConfig(
            String name,
            List<Endpoint> primaries,
            long retrieveRetryIntervalMs,
            long receiverTimeoutMs,
            long statusIntervalMs,
            int walBufferBytes,
            SyncMethod syncMethod,
            SenderConfig senders,
            String slotName,
            boolean createSlot,
            Retention.Config retention,
            String triggerFile) {
        this(
                name,
                primaries,
                retrieveRetryIntervalMs,
                receiverTimeoutMs,
                statusIntervalMs,
                walBufferBytes,
                syncMethod,
                senders,
                slotName,
                createSlot,
                retention,
                RecoveryConfig.NONE,
                false,
                triggerFile,
                true,
                Optional.empty());
    }
}
