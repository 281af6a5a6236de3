package lockstep.wal;

import lockstep.io.SyncMethod;

/**
 * What a WAL is like.
 *
 * @param systemId the system it belongs to
 * @param timeline the timeline that is written
 * @param bufferBytes the size of the WAL buffers
 * @param waitsForRoom whether a full disk is waited out, as on a standby
 */
public record WalConfig(
        WalLayout layout, long systemId, int timeline, int bufferBytes, SyncMethod syncMethod, boolean waitsForRoom) {
    /** Returns which log it is. */
    public WalIdentity identity() {
        return new WalIdentity(systemId, timeline, layout);
    }
}
