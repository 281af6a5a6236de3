package lockstep.receiver;

import java.io.IOException;
import java.util.function.LongSupplier;
import lockstep.io.Disk;
import lockstep.io.PositionFile;

/**
 * The end of a record, up to where WAL was on this disk and on the primary's, kept in the file {@value #PATH}. After a restart all
 * that was redone may so be redone again also while the primary is away, and what is missing below it can be told from WAL that
 * never came.
 *
 * <p>It is a lower bound, and true for ever unless the log is cut back by an operator's rewind: no log is ever cut back below a
 * whole record that its primary has flushed. So the file is written in place and never flushed. It survives a crash of the
 * process; after one of the machine an older position is there, or none, if the write was torn, which only costs time.
 *
 * <p><b>Lock.</b> {@code this}, for the clock and a rewind are of two threads. What is settled is asked for within it, so whoever
 * asked before the log was cut back has also written before.
 */
final class SettledMark implements AutoCloseable {
    static final String PATH = "standby_settled";

    private static final int SYSTEM_ID = 0;
    private static final int SETTLED = 1;
    private static final int COUNT = 2;

    private final PositionFile file;

    /** Reads the file, or makes one that knows nothing. */
    SettledMark(Disk disk, long systemId) throws IOException {
        file = new PositionFile(disk, PATH, COUNT);
        if (file.get(SYSTEM_ID) != systemId) {
            file.put(SYSTEM_ID, systemId);
            file.put(SETTLED, 0);
        }
    }

    /** Returns the position; 0 if nothing is known. */
    synchronized long lsn() {
        return file.get(SETTLED);
    }

    /** Remembers what is settled now. */
    synchronized void remember(LongSupplier settledLsn) throws IOException {
        put(settledLsn.getAsLong());
    }

    /** Claims nothing past a position any more; {@link #remember} must already be told no more than that. */
    synchronized void cutBack(long lsn) throws IOException {
        put(Math.min(lsn, lsn()));
    }

    private void put(long lsn) throws IOException {
        if (lsn != lsn()) {
            file.put(SETTLED, lsn);
            file.write();
        }
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
