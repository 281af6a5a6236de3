package lockstep.primary;

import lockstep.commit.CommitLevel;
import lockstep.io.SyncMethod;
import lockstep.recovery.Checkpointer;
import lockstep.send.SenderConfig;

/**
 * How a primary works.
 *
 * @param segmentBytes the size of segments, when a data directory is made
 * @param bufferBytes the size of the WAL buffers
 * @param commitLevel the level of commits that ask for none
 * @param synchronous whether commits ask a standby
 */
public record PrimaryConfig(
        int segmentBytes,
        int bufferBytes,
        SyncMethod syncMethod,
        CommitLevel commitLevel,
        boolean synchronous,
        Checkpointer.Config checkpoints,
        SenderConfig senders) {}
