package lockstep.primary;

import java.io.IOException;
import java.nio.ByteBuffer;
import lockstep.io.Clock;
import lockstep.io.Disk;
import lockstep.io.Panic;
import lockstep.io.SyncMethod;
import lockstep.io.Workers;
import lockstep.recovery.ControlFile;
import lockstep.recovery.Epochs;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Term;
import lockstep.wal.CheckpointRecord;
import lockstep.wal.Placement;
import lockstep.wal.RecordGroup;
import lockstep.wal.SegmentFiles;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalConfig;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalLayout;
import lockstep.wal.XlogInfo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes the log of a new system in an empty data directory: a first segment that begins with a checkpoint, as initdb does. */
final class NewSystem {
    private static final Logger log = LoggerFactory.getLogger(NewSystem.class);
    private static final int TIMELINE = TimelineHistory.FIRST;
    /** An odd number with no pattern in its bits. */
    private static final long SCATTER = 0x9E3779B97F4A7C15L;

    private static final int FIRST_XID = 3;
    private static final int SMALLEST_BUFFERS = 4 * WalLayout.PAGE_BYTES;

    private NewSystem() {}

    static ControlFile create(Disk disk, WalLayout layout, Clock clock, Workers workers, Panic panic)
            throws IOException {
        long systemId = systemId(clock);
        WalIdentity identity = new WalIdentity(systemId, TimelineHistory.of(TIMELINE), layout);
        SegmentFiles files = new SegmentFiles(disk, identity);
        long startLsn = layout.segmentStart(1);
        long checkpointLsn = layout.recordStart(startLsn);
        WalConfig config = new WalConfig(identity, SMALLEST_BUFFERS, SyncMethod.FDATASYNC, false);
        long endLsn;
        try (Wal wal = new Wal(config, disk, files, workers, panic, startLsn)) {
            wal.startInserting(0);
            RecordGroup group = new RecordGroup();
            ByteBuffer data = group.add(0, XlogInfo.RMGR, XlogInfo.CHECKPOINT_SHUTDOWN, CheckpointRecord.BYTES);
            CheckpointRecord.of(checkpointLsn, TIMELINE, TIMELINE, FIRST_XID, clock.micros(), 0)
                    .encode(data);
            endLsn = wal.insert(group, Placement.NONE);
        }
        ControlFile control = new ControlFile(
                systemId,
                layout.segmentBytes(),
                TIMELINE,
                ControlFile.State.SHUT_DOWN,
                checkpointLsn,
                checkpointLsn,
                checkpointLsn,
                FIRST_XID,
                endLsn,
                endLsn,
                Epochs.first(startLsn),
                Term.NONE);
        control.write(disk);
        log.info("new system {}, WAL from {}", Long.toUnsignedString(systemId), Lsn.text(checkpointLsn));
        return control;
    }

    /** Seconds in the upper half, as in PostgreSQL, so that ids rise; the fine ticks of the clock in the lower, so that they differ. */
    private static long systemId(Clock clock) {
        long seconds = Clock.EPOCH.getEpochSecond() + clock.micros() / 1_000_000;
        return seconds << 32 | Integer.toUnsignedLong(Long.hashCode(clock.nanos() * SCATTER));
    }
}
