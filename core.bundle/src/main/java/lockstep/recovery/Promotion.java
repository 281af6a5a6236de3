package lockstep.recovery;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import lockstep.io.Disk;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The steps by which a standby's data directory becomes a primary's. Two files say what a server is, {@code recovery.conf}
 * its role and {@code control} its timeline, and no file system changes two files in one step; a primary on the old timeline
 * must never come of it, nor a standby on a new one that nobody else has. A note stands between them:
 *
 * <pre>
 *   step                                                        after a crash the server is
 *   the note names the new timeline                             a standby on the old timeline; the note is removed
 *   the new timeline is made, last the control file names it    a primary on the new timeline
 *   recovery.conf becomes recovery.done                         a primary on the new timeline; the note is removed
 *   the note is removed                                         a primary on the new timeline
 * </pre>
 */
public final class Promotion {
    private static final String NOTE = "promotion";
    private static final String STANDBY_FILE = "recovery.conf";
    /** What {@code recovery.conf} is called once its server is a primary. */
    public static final String DONE_FILE = "recovery.done";

    private static final Logger log = LoggerFactory.getLogger(Promotion.class);

    private Promotion() {}

    /** Takes the first step. */
    public static void begin(Disk disk, int timeline) throws IOException {
        disk.writeAtomically(
                NOTE, ByteBuffer.wrap(Integer.toUnsignedString(timeline).getBytes(StandardCharsets.US_ASCII)));
    }

    /**
     * Takes the last steps of a promotion that has been decided, or forgets one that has not. Called before anybody looks which
     * role the server has; does nothing where there is no note.
     */
    public static void finish(Disk disk) throws IOException {
        if (!disk.exists(NOTE)) {
            return;
        }
        String text = new String(disk.readAll(NOTE), StandardCharsets.US_ASCII).strip();
        boolean decided = ControlFile.exists(disk)
                && text.equals(Integer.toUnsignedString(ControlFile.read(disk).timeline()));
        if (decided && disk.exists(STANDBY_FILE)) {
            disk.rename(STANDBY_FILE, DONE_FILE);
            log.info("this server is the primary of timeline {}: {} is now {}", text, STANDBY_FILE, DONE_FILE);
        }
        disk.delete(NOTE);
    }
}
