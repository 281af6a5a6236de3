package lockstep.wal;

import lockstep.io.SyncMethod;

/**
 * What a WAL is like.
 *
 * @param identity which log it is
 * @param bufferBytes the size of the WAL buffers
 * @param waitsForRoom whether a full disk is waited out, as on a standby
 */
public record WalConfig(WalIdentity identity, int bufferBytes, SyncMethod syncMethod, boolean waitsForRoom) {
    /** Returns where things stand in it. */
    public WalLayout layout() {
        return identity.layout();
    }

    /** Returns the newest timeline. */
    public int timeline() {
        return identity.timeline();
    }
}
