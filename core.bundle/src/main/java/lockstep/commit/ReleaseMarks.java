package lockstep.commit;

import java.io.IOException;
import java.util.function.IntToLongFunction;
import lockstep.io.Disk;
import lockstep.io.PositionFile;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Up to where commits were released, kept across a crash in the file {@value #PATH}.
 *
 * <p><b>Idea.</b> The log has every commit with the level it asked for. With it, what had been released at each level tells after a
 * crash which commits had been shown and which were still waiting: the commit queue is made again as it was. What was flushed and
 * not released is <i>in doubt</i>, and stays invisible until the policy is met.
 *
 * <p><b>Too low is safe.</b> The marks are written before the commits they speak of become visible, so a crash of the process takes
 * nothing back that was seen. They are brought to the disk about once a second, so after a crash of the machine they may be older,
 * or missing: then commits that had been released are in doubt as well, as long as it takes a standby to say that it has them.
 * They are in the log, and none is lost. A commit at {@code local} needs no mark: its level is reached once it is on the disk,
 * where it is.
 *
 * <p><b>Epochs.</b> A position is only good in the log it was taken in. When the log has been cut back since, because this server
 * became a standby of another, the position counts up to where its epoch ended.
 *
 * <p>Written by the thread that releases.
 */
public final class ReleaseMarks implements AutoCloseable {
    /** Its path, relative to the data directory. */
    public static final String PATH = "released";

    private static final Logger log = LoggerFactory.getLogger(ReleaseMarks.class);

    private static final int SYSTEM_ID = 0;
    private static final int EPOCH = 1;
    private static final int SETTLED = 2;
    private static final int REMOTE_WRITE = 3;
    private static final int ON = 4;
    private static final int REMOTE_APPLY = 5;
    private static final int COUNT = 6;

    private final PositionFile file;
    private boolean failed;
    private volatile boolean unsynced;

    /**
     * Reads the file, or makes one that knows nothing.
     *
     * @param epochEnd where an epoch of the log as it is now ended; 0 if the log has no such epoch
     */
    public ReleaseMarks(Disk disk, long systemId, IntToLongFunction epochEnd) throws IOException {
        file = new PositionFile(disk, PATH, COUNT);
        int epoch = (int) file.get(EPOCH);
        long limitLsn = file.get(SYSTEM_ID) == systemId ? epochEnd.applyAsLong(epoch) : 0;
        for (int i = SETTLED; i < COUNT; i++) {
            file.put(i, Math.min(file.get(i), limitLsn));
        }
        file.put(SYSTEM_ID, systemId);
    }

    /**
     * Speaks of this epoch from now on. Two servers that went their own ways may have opened epochs of the same number, so nothing
     * is believed that was said of WAL behind the end of the log.
     *
     * @param endLsn where the log ends
     */
    public void beginEpoch(int number, long endLsn) {
        file.put(EPOCH, number);
        for (int i = SETTLED; i < COUNT; i++) {
            file.put(i, Math.min(file.get(i), endLsn));
        }
    }

    /** Returns the position before which all commits, of whatever level, had been released. */
    public long settledLsn() {
        long released = Math.min(file.get(REMOTE_WRITE), Math.min(file.get(ON), file.get(REMOTE_APPLY)));
        return Math.max(file.get(SETTLED), released);
    }

    /** Returns up to where commits of a level had been released; what the disk has of those up to {@code local} is released. */
    public long releasedLsn(CommitLevel level) {
        return level.compareTo(CommitLevel.LOCAL) <= 0 ? 0 : file.get(index(level));
    }

    private static int index(CommitLevel level) {
        return switch (level) {
            case REMOTE_WRITE -> REMOTE_WRITE;
            case REMOTE_APPLY -> REMOTE_APPLY;
            default -> ON;
        };
    }

    void setReleased(CommitLevel level, long lsn) {
        if (level.compareTo(CommitLevel.LOCAL) > 0) {
            file.put(index(level), lsn);
        }
    }

    /** Says that all commits before a position are released; {@link #write} brings it to the file. */
    public void setSettled(long lsn) {
        file.put(SETTLED, Math.max(lsn, file.get(SETTLED)));
    }

    /** Writes the marks. If that fails, they stay as low as they are, which is safe. */
    public void write() {
        try {
            file.write();
            unsynced = true;
            failed = false;
        } catch (IOException e) {
            if (!failed) {
                log.warn(
                        "could not write the file {}: {}. After a crash more commits than needed will be in doubt",
                        PATH,
                        e.getMessage());
            }
            failed = true;
        }
    }

    /** Brings the marks to the disk if they have changed; from any thread. */
    public void sync() {
        if (!unsynced) {
            return;
        }
        unsynced = false;
        try {
            file.sync();
        } catch (IOException e) {
            log.warn(
                    "could not flush the file {}: {}. After a loss of power more commits than needed will be in doubt",
                    PATH,
                    e.getMessage());
        }
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
