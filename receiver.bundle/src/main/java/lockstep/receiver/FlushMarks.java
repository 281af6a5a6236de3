package lockstep.receiver;

import java.io.IOException;
import lockstep.io.Disk;
import lockstep.io.PositionFile;

/**
 * Two positions that a standby wants to know after a restart, kept in the file {@value #PATH}: up to where the primary is known
 * to have flushed, so that all that was redone may be redone again also while the primary is away; and up to where WAL was on this
 * disk, so that what is missing below can be told from WAL that never came.
 *
 * <p>Both are ends of records, lower bounds, and true for ever: no log is ever cut back below a whole record that its primary has
 * flushed. So the file is
 * written in place and never flushed. It survives a crash of the process; after one of the machine an older pair is there, or
 * none, if the write was torn, which only costs time.
 */
final class FlushMarks implements AutoCloseable {
    static final String PATH = "standby_flushed";

    private static final int SYSTEM_ID = 0;
    private static final int PRIMARY = 1;
    private static final int HERE = 2;
    private static final int COUNT = 3;

    private final PositionFile file;

    /** Reads the file, or makes one that knows nothing. */
    FlushMarks(Disk disk, long systemId) throws IOException {
        file = new PositionFile(disk, PATH, COUNT);
        if (file.get(SYSTEM_ID) != systemId) {
            file.put(SYSTEM_ID, systemId);
            file.put(PRIMARY, 0);
            file.put(HERE, 0);
        }
    }

    long primaryFlushedLsn() {
        return file.get(PRIMARY);
    }

    long flushedLsn() {
        return file.get(HERE);
    }

    /** Remembers both, if one has moved. */
    void remember(long newPrimaryFlushedLsn, long newFlushedLsn) throws IOException {
        if (newPrimaryFlushedLsn == primaryFlushedLsn() && newFlushedLsn == flushedLsn()) {
            return;
        }
        file.put(PRIMARY, newPrimaryFlushedLsn);
        file.put(HERE, newFlushedLsn);
        file.write();
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
