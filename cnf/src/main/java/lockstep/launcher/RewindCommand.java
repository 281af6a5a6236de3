package lockstep.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.util.Set;

/** {@code lockstep rewind}: a standby on a directory whose log has left that of its primary. */
final class RewindCommand extends StandbyCommand {
    private static final String NO_BACKUP = "--no-backup";

    @Override
    public String name() {
        return "rewind";
    }

    @Override
    String background() {
        return "standby";
    }

    @Override
    public String synopsis() {
        return "DIR --from URI [--no-backup] [--name NAME] [--listen URI]... [--set NAME=VALUE]... [--daemon]";
    }

    @Override
    public String summary() {
        return "runs a standby on DIR, and gives up what its log has and the primary's has not";
    }

    @Override
    public String details() {
        return """
            For a primary that comes back after another server has been promoted, and for
            a standby that had received more than the one that was promoted. The WAL past
            the fork is cut off and kept in DIR/diverged. If a checkpoint has brought data
            from past the fork to the disk, the standby takes a base backup instead.

            --no-backup        do not take a base backup: stay as it is, and say why
            """ + super.details();
    }

    @Override
    Set<String> moreFlags() {
        return Set.of(NO_BACKUP);
    }

    @Override
    void prepare(DataDir directory, Arguments arguments) throws IOException {
        if (!directory.isInitialized()) {
            throw new Failure(
                    ExitStatus.FAILED, directory.path() + " is no data directory: there is nothing to rewind");
        }
        super.prepare(directory, arguments);
        Files.writeString(directory.rewindSignal(), arguments.has(NO_BACKUP) ? "no-backup\n" : "");
    }
}
