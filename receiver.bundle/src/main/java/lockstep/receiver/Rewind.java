package lockstep.receiver;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import lockstep.io.Disk;
import lockstep.transport.api.Lsn;
import lockstep.wal.SegmentFiles;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An operator's word that this server may give up WAL that is not part of its primary's log: the file {@value #SIGNAL}, which is
 * there from before the start until the server has agreed with a primary.
 *
 * <p><b>When WAL alone can be cut off.</b> Data on the disk cannot go back. So it must not hold anything past the fork; nothing
 * is redone therefore before the primary has said where that is, and what a crash or a kill had left to redo is still in the WAL
 * alone. Where the data is past the fork, because a checkpoint was taken behind it, only a base backup helps.
 *
 * <p>What is cut off is kept in {@code diverged/}, for people.
 */
final class Rewind {
    static final String SIGNAL = "rewind.signal";

    private static final String NO_BACKUP = "no-backup";
    private static final String DIRECTORY = "diverged";
    private static final Logger log = LoggerFactory.getLogger(Rewind.class);

    private final Disk disk;
    private final Runnable rebuild;

    /**
     * Looks whether there is one.
     *
     * @param rebuild has this server take a base backup in place of all it has
     */
    Rewind(Disk disk, Runnable rebuild) {
        this.disk = disk;
        this.rebuild = rebuild;
    }

    static boolean isRequested(Disk disk) {
        return disk.exists(SIGNAL);
    }

    boolean isRequested() {
        return isRequested(disk);
    }

    /** Keeps what is going to be cut off. */
    void keepAside(SegmentFiles files, long lsn, long endLsn) throws IOException {
        int segments = files.keepAside(lsn, endLsn, DIRECTORY);
        log.warn(
                "the WAL is rewound from {} to {}; what is cut off stays in {}/, {} segments",
                Lsn.text(endLsn),
                Lsn.text(lsn),
                DIRECTORY,
                segments);
    }

    /** Falls back to a base backup, unless the operator did not want that. */
    void impossible(long forkLsn, long heldLsn) throws IOException {
        String why = "the data on the disk holds the log up to " + Lsn.text(heldLsn) + ", past the fork at "
                + Lsn.text(forkLsn) + ", and cannot go back";
        if (new String(disk.readAll(SIGNAL), StandardCharsets.US_ASCII).strip().equals(NO_BACKUP)) {
            log.error("this server cannot be rewound: {}. It needs a base backup", why);
        } else {
            log.warn("this server cannot be rewound, and takes a base backup: {}", why);
            rebuild.run();
        }
    }

    /** The server has agreed with a primary. */
    void done() throws IOException {
        if (isRequested()) {
            disk.delete(SIGNAL);
        }
    }
}
