package lockstep.receiver;

import java.io.IOException;
import java.util.OptionalLong;
import lockstep.io.Commands;
import lockstep.io.Disk;
import lockstep.io.DiskFile;
import lockstep.wal.SegmentFiles;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The WAL archive, as {@code restore_command} reaches it. The rules are PostgreSQL's:
 *
 * <pre>
 *   the command                                           means
 *   exits with 0, and the file has the right size         restored
 *   exits with 1 to 125, or leaves no file                the archive has no such file
 *   leaves a file that is too short, in standby mode      it is just being copied into the archive: not there yet
 *   leaves a file of another size otherwise               the archive is damaged: recovery stops
 *   exits with more than 125, or is ended by a signal     the command is wrong: recovery stops
 * </pre>
 *
 * <p>For one thread; {@link #stop} comes from another.
 */
final class Archive {
    /** Where files are restored to, whatever they are called; each is read from there and removed. */
    static final String RESTORED = SegmentFiles.DIRECTORY + "/RECOVERYXLOG";

    private static final Logger log = LoggerFactory.getLogger(Archive.class);

    private final String command;
    private final boolean standbyMode;
    private final Commands commands;
    private final Disk disk;
    private volatile boolean stopped;

    Archive(String command, boolean standbyMode, Commands commands, Disk disk) {
        this.command = command;
        this.standbyMode = standbyMode;
        this.commands = commands;
        this.disk = disk;
    }

    /**
     * Copies a file from the archive to {@link #RESTORED}.
     *
     * @param oldestNeeded the segment that holds where redo would start: those before it need not be kept
     * @param lengthBytes how long it has to be, if that is known
     * @return whether it is there now
     * @throws RecoveryException if recovery must stop
     */
    boolean restore(String name, String oldestNeeded, OptionalLong lengthBytes) throws IOException {
        disk.delete(RESTORED);
        String line = expand(name, oldestNeeded);
        int status = commands.run(line);
        if (stopped) {
            return false;
        }
        if (status > Commands.LAST_OWN_STATUS) {
            throw new RecoveryException(
                    "could not restore file \"" + name + "\" from archive: restore_command ended with" + " status "
                            + status + ", which says that it could not run or was ended by a signal: " + line);
        }
        if (status != 0 || !disk.exists(RESTORED)) {
            log.debug("{} is not in the archive: restore_command ended with status {}", name, status);
            return false;
        }
        long found = lengthOfRestored();
        if (lengthBytes.isPresent() && found != lengthBytes.getAsLong()) {
            String wrong =
                    "archive file \"" + name + "\" has wrong size: " + found + " instead of " + lengthBytes.getAsLong();
            if (standbyMode && found < lengthBytes.getAsLong()) {
                log.info("{}; it is tried again", wrong);
                return false;
            }
            throw new RecoveryException(
                    wrong + ". Restore the file in the archive, or have restore_command fail for it");
        }
        log.info("restored log file \"{}\" from archive", name);
        return true;
    }

    private long lengthOfRestored() throws IOException {
        try (DiskFile file = disk.openForReading(RESTORED)) {
            return file.length();
        }
    }

    private String expand(String name, String oldestNeeded) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < command.length(); i++) {
            char c = command.charAt(i);
            char what = c == '%' && i + 1 < command.length() ? command.charAt(i + 1) : 0;
            String value = switch (what) {
                case 'f' -> name;
                case 'p' -> RESTORED;
                case 'r' -> oldestNeeded;
                case '%' -> "%";
                default -> null;
            };
            if (value == null) {
                line.append(c);
            } else {
                line.append(value);
                i++;
            }
        }
        return line.toString();
    }

    /** Returns whether nothing is restored any more, so that a file that was not restored may be in the archive. */
    boolean isStopped() {
        return stopped;
    }

    /** Ends the command that runs; nothing is restored any more. */
    void stop() {
        stopped = true;
        commands.stop();
    }
}
