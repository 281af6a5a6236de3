package lockstep.launcher;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/** {@code lockstep wal-get}. */
final class WalGetCommand implements Command {
    @Override
    public String name() {
        return "wal-get";
    }

    @Override
    public String synopsis() {
        return "DIR FILE TARGET";
    }

    @Override
    public String summary() {
        return "copies a WAL file out of an archive or of a server, as PostgreSQL's restore_command";
    }

    @Override
    public String details() {
        return """
            restore_command = '.../lockstep wal-get DIR %f %p'

            DIR is an archive that wal-put fills, or the data directory of a Lockstep server, of which
            complete segments and timeline histories are given. Exits with 0 if the file was copied, with
            1 if it is not there, and with 126 if that cannot be told, which stops a recovery.
            """;
    }

    @Override
    public int run(List<String> words) {
        try {
            List<String> arguments = new Arguments(words, Set.of(), Set.of()).all(3, synopsis());
            return new WalArchive(Path.of(arguments.get(0))).get(arguments.get(1), Path.of(arguments.get(2)))
                    ? ExitStatus.OK
                    : ExitStatus.FAILED;
        } catch (UsageException e) {
            throw new Failure(ExitStatus.STOP_RECOVERY, "wal-get: " + e.getMessage());
        } catch (IOException e) {
            throw new Failure(ExitStatus.STOP_RECOVERY, "wal-get: " + e);
        }
    }
}
