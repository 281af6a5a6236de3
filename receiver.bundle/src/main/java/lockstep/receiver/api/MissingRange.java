package lockstep.receiver.api;

import lockstep.transport.api.Lsn;

/**
 * WAL that this standby lacks, or may lack, and whose commits were acknowledged to clients all the same, because the primary
 * was in degraded mode. Promoting the standby would lose them.
 *
 * @param startLsn where it begins
 * @param endLsn where it ends; 0 if degraded mode had not been left when the primary was last heard
 * @param reason why the primary was in degraded mode
 */
public record MissingRange(long startLsn, long endLsn, String reason) {
    @Override
    public String toString() {
        return "WAL from " + Lsn.text(startLsn) + " to " + (endLsn == 0 ? "an unknown position" : Lsn.text(endLsn))
                + " (the primary was degraded: " + reason + ')';
    }
}
