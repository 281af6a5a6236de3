package lockstep.redo;

import java.util.Map;
import lockstep.rmgr.ResourceManager;

/**
 * How far a log has been redone, and by whom: what another {@link Redo} needs to go on where one stopped, while the
 * resource managers stay open.
 *
 * @param lsn up to where the log has been redone
 * @param lastRecordLsn where the last record begins; 0 if there was none
 * @param lastXid the newest transaction id; 0 if no record had one
 * @param positions the resource managers that are open, with the position up to which each held the log when it was opened
 */
public record Redone(long lsn, long lastRecordLsn, int lastXid, Map<ResourceManager, Long> positions) {
    /** Copies the map. */
    public Redone {
        positions = Map.copyOf(positions);
    }
}
