package lockstep.receiver.api;

/**
 * Restartpoints. Positions are LSNs.
 *
 * @param count how many have been taken since the server started
 * @param checkpointLsn the checkpoint record of the last one
 * @param redoLsn where redo starts from it
 * @param priorRedoLsn where redo started from the one before; WAL is kept from there
 * @param lastError why the last one could not be taken; empty if it could
 */
public record RestartpointStatus(long count, long checkpointLsn, long redoLsn, long priorRedoLsn, String lastError) {}
