package lockstep.primary;

import lockstep.commit.CommitLevel;
import lockstep.commit.SynchronousConfig;
import lockstep.io.SyncMethod;
import lockstep.recovery.Checkpointer;
import lockstep.send.SenderConfig;

/**
 * How a primary works.
 *
 * @param segmentBytes the size of segments, when a data directory is made
 * @param bufferBytes the size of the WAL buffers
 * @param commitLevel the level of commits that ask for none
 * @param standbys which standbys commits wait for, and what happens without them
 */
public record PrimaryConfig(
        int segmentBytes,
        int bufferBytes,
        SyncMethod syncMethod,
        CommitLevel commitLevel,
        SynchronousConfig standbys,
        Checkpointer.Config checkpoints,
        SenderConfig senders) {}
