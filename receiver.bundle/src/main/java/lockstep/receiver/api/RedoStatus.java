package lockstep.receiver.api;

/**
 * Continuous redo. Positions are LSNs.
 *
 * @param state what it does
 * @param reason why it does not go on; empty if it does
 * @param appliedLsn the end of what has been redone
 * @param appliableLsn the end of what may be redone: checked and flushed here, and flushed by the primary
 * @param memoryReads how many reads of WAL the buffers in memory have served
 * @param fileReads how many the segment files have
 */
public record RedoStatus(
        RedoState state, String reason, long appliedLsn, long appliableLsn, long memoryReads, long fileReads) {}
