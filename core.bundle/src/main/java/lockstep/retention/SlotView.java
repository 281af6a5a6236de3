package lockstep.retention;

/**
 * A replication slot as an operator sees it: the columns of {@code pg_replication_slots} that have a meaning here.
 *
 * @param active whether a standby uses it now
 * @param restartLsn the first position that is kept for it; where it was when it was lost; 0 if nothing is kept yet
 * @param safeWalBytes how much more WAL may be written before the slot is lost, 0 or less if with the next checkpoint; {@link
 *     Long#MAX_VALUE} if there is no such bound, or nothing left to lose
 * @param secondsToFull after what time that is at the present rate; -1 if never
 * @param invalidationReason why it is lost; empty if it is not
 * @param inactiveSinceMicros since when no standby uses it, in {@link lockstep.io.Clock#micros}; 0 if one does
 */
public record SlotView(
        String name,
        boolean active,
        long restartLsn,
        WalStatus walStatus,
        long safeWalBytes,
        long secondsToFull,
        String invalidationReason,
        long inactiveSinceMicros) {}
