package lockstep.receiver.api;

/**
 * A standby at one moment. Each part is consistent in itself.
 *
 * @param name what the primary calls it
 * @param systemId the system its WAL belongs to; 0 before its base backup
 * @param phase what it does as a whole, in a word: {@code starting}, {@code base backup}, {@code running}, {@code
 *     failed}, {@code stopped}
 * @param problem what keeps it from working, for people; empty if nothing does
 * @param walSource where the next WAL comes from: {@code pg_wal}, {@code archive}, {@code stream}, or {@code end} when there is no
 *     more
 * @param archiveProblem what is wrong with the archive; empty if nothing is known to be
 */
public record StandbyReport(
        String name,
        long systemId,
        String phase,
        String problem,
        String walSource,
        String archiveProblem,
        BackupStatus backup,
        ReceiverStatus receiver,
        RedoStatus redo,
        PrefetchStatus prefetch,
        RestartpointStatus restartpoints) {}
