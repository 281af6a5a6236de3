package lockstep.primary;

import java.io.IOException;
import java.nio.ByteBuffer;
import lockstep.recovery.EpochNote;
import lockstep.transport.api.Lsn;
import lockstep.wal.EndOfRecoveryRecord;
import lockstep.wal.Placement;
import lockstep.wal.RecordGroup;
import lockstep.wal.RestorePointRecord;
import lockstep.wal.Wal;
import lockstep.wal.WalIdentity;
import lockstep.wal.XlogInfo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The records that a primary inserts of itself, not for a commit or a checkpoint. Thread-safe, as the log is. */
final class OwnRecords {
    private static final Logger log = LoggerFactory.getLogger(OwnRecords.class);

    private final Foundation base;
    private final Wal wal;

    OwnRecords(Foundation base, Wal wal) {
        this.base = base;
        this.wal = wal;
    }

    /** Writes the first record of a timeline. The checkpoint that lets redo start on it comes later: commits need not wait for it. */
    void beginTimeline() {
        WalIdentity identity = base.identity();
        RecordGroup group = new RecordGroup();
        ByteBuffer data = group.add(0, XlogInfo.RMGR, XlogInfo.END_OF_RECOVERY, EndOfRecoveryRecord.BYTES);
        long startLsn = identity.history().startLsn();
        new EndOfRecoveryRecord(
                        base.clock().micros(),
                        identity.timeline(),
                        identity.history().timelineBefore(startLsn))
                .encode(data);
        wal.insert(group, Placement.NONE);
        log.info("timeline {} begins at {}", identity.timeline(), Lsn.text(startLsn));
    }

    /** Leaves a note of the epoch in the log itself. */
    void noteEpoch() {
        RecordGroup group = new RecordGroup();
        EpochNote.add(group, base.control().get().epochs());
        wal.insert(group, Placement.NONE);
    }

    /** Gives the present end of the log a name. Returns where its record ends, when that is on the disk. */
    long restorePoint(String name) throws IOException {
        RecordGroup group = new RecordGroup();
        new RestorePointRecord(base.clock().micros(), name)
                .encode(group.add(0, XlogInfo.RMGR, XlogInfo.RESTORE_POINT, RestorePointRecord.BYTES));
        long endLsn = wal.insert(group, Placement.NONE);
        wal.awaitFlushed(endLsn);
        log.info("restore point \"{}\" at {}", name, Lsn.text(endLsn));
        return endLsn;
    }
}
