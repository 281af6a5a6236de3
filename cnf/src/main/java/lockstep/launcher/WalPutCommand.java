package lockstep.launcher;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/** {@code lockstep wal-put}. */
final class WalPutCommand implements Command {
    @Override
    public String name() {
        return "wal-put";
    }

    @Override
    public String synopsis() {
        return "DIR FILE";
    }

    @Override
    public String summary() {
        return "copies a WAL file into an archive, as PostgreSQL's archive_command";
    }

    @Override
    public String details() {
        return """
            archive_command = '.../lockstep wal-put DIR %p'

            Exits with 0 when the file is on the disk in DIR. A file that is there already is never
            replaced: with the same content that is success, with other content it fails.
            """;
    }

    @Override
    public int run(List<String> words) throws IOException {
        List<String> arguments = new Arguments(words, Set.of(), Set.of()).all(2, synopsis());
        try {
            new WalArchive(Path.of(arguments.get(0))).put(Path.of(arguments.get(1)));
            return ExitStatus.OK;
        } catch (Failure e) {
            // PostgreSQL's archiver tries again after any status up to 125.
            throw new Failure(ExitStatus.FAILED, e.getMessage());
        }
    }
}
