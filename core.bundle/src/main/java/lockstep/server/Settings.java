package lockstep.server;

import lockstep.archive.ArchiveConfig;
import lockstep.commit.CommitLevel;
import lockstep.commit.StandbyNames;
import lockstep.commit.SynchronousConfig;
import lockstep.config.ServerConfiguration;
import lockstep.config.Units;
import lockstep.io.SyncMethod;
import lockstep.primary.PrimaryConfig;
import lockstep.recovery.Checkpointer;
import lockstep.retention.Retention;
import lockstep.send.SenderConfig;

/** Turns configured values into what the parts of a server take. */
final class Settings {
    /** What was changed since the last checkpoint is in memory, and takes about as much as its WAL. */
    private static final int HEAP_SHARE = 4;

    private Settings() {}

    static ArchiveConfig archive(ServerConfiguration values) {
        return new ArchiveConfig(
                values.archiveMode().equals("on"), values.archiveCommand(), Units.millis(values.archiveTimeout()));
    }

    static PrimaryConfig primary(ServerConfiguration values, SyncMethod syncMethod) {
        return new PrimaryConfig(
                Math.toIntExact(Units.bytes(values.walSegmentSize())),
                Integer.highestOneBit(Math.toIntExact(Units.bytes(values.walBuffers()))),
                syncMethod,
                CommitLevel.parse(values.synchronousCommit()),
                standbys(values),
                new Checkpointer.Config(
                        Units.millis(values.checkpointTimeout()),
                        Math.min(
                                Units.bytes(values.maxWalSize()),
                                Runtime.getRuntime().maxMemory() / HEAP_SHARE),
                        Retention.Config.of(values)),
                new SenderConfig(values.maxWalSenders(), Units.millis(values.walSenderTimeout())));
    }

    private static SynchronousConfig standbys(ServerConfiguration values) {
        return new SynchronousConfig(
                StandbyNames.parse(values.synchronousStandbyNames()),
                SynchronousConfig.parse(SynchronousConfig.Unavailable.class, values.standbyUnavailable()),
                Units.nanos(values.standbyTimeout()),
                SynchronousConfig.parse(SynchronousConfig.DegradeTo.class, values.degradeTo()),
                values.minCopies(),
                Units.nanos(values.degradedMaxTime()),
                Units.bytes(values.degradedMaxWal()),
                SynchronousConfig.parse(SynchronousConfig.Exhausted.class, values.degradedExhausted()),
                Units.nanos(values.degradedReturnDelay()));
    }
}
