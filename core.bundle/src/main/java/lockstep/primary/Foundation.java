package lockstep.primary;

import java.io.IOException;
import lockstep.commit.DegradedLog;
import lockstep.commit.ReleaseMarks;
import lockstep.io.Clock;
import lockstep.io.Disk;
import lockstep.io.Panic;
import lockstep.io.Workers;
import lockstep.recovery.ControlFile;
import lockstep.recovery.ControlStore;
import lockstep.recovery.LogCourse;
import lockstep.retention.ReplicationSlots;
import lockstep.rmgr.ResourceManagers;
import lockstep.wal.SegmentFiles;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalLayout;

/**
 * What a primary stands on from its opening to its end, whatever its state: the machine, its data directory, and who owns the data.
 *
 * @param isNew whether the data directory was made just now: a new system begins in its first epoch, and opens none
 * @param control the control file
 * @param files the segments of the log
 * @param periods when commits were acknowledged by fewer than were asked for
 * @param marks up to where commits were released
 */
record Foundation(
        Disk disk,
        Clock clock,
        Workers workers,
        Panic panic,
        ResourceManagers managers,
        boolean isNew,
        ControlStore control,
        WalIdentity identity,
        SegmentFiles files,
        DegradedLog periods,
        ReplicationSlots slots,
        ReleaseMarks marks) {

    /** Opens a data directory, making a new system if it has none. */
    static Foundation open(
            PrimaryConfig config, Disk disk, Clock clock, Workers workers, Panic panic, ResourceManagers managers)
            throws IOException {
        boolean isNew = !ControlFile.exists(disk);
        ControlFile file = isNew
                ? NewSystem.create(disk, new WalLayout(config.segmentBytes()), clock, workers, panic)
                : ControlFile.read(disk);
        WalIdentity identity = file.identity(disk);
        return new Foundation(
                disk,
                clock,
                workers,
                panic,
                managers,
                isNew,
                new ControlStore(disk, file),
                identity,
                new SegmentFiles(disk, identity),
                new DegradedLog(disk),
                ReplicationSlots.open(
                        disk, clock, config.checkpoints().retention().maxSlots()),
                new ReleaseMarks(disk, file.systemId(), file.epochs()::endIfThere));
    }

    /** Returns the course that the log has taken up to now. */
    LogCourse course() {
        return new LogCourse(identity.history(), control.get().epochs());
    }
}
