package lockstep.launcher;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** {@code lockstep backup}. */
final class BackupCommand implements Command {
    private static final String FROM = "--from";
    private static final String CONTROL = "control";
    private static final String HEADER = """
            # This directory is a base backup. "lockstep standby" starts it, and as it is, it becomes a standby of the
            # primary it was taken from. To recover it from an archive instead, set
            #   standby_mode = off
            #   restore_command = 'cp /archive/%f %p'
            # and, to end before the end of the archive, one of recovery_target_time, recovery_target_name,
            # recovery_target_lsn and recovery_target_xid.

            """;

    @Override
    public String name() {
        return "backup";
    }

    @Override
    public String synopsis() {
        return "DIR --from URI";
    }

    @Override
    public String summary() {
        return "takes a base backup of a primary into the directory DIR, which is new or empty";
    }

    @Override
    public String details() {
        return """
            --from URI   where the primary listens

            The primary goes on working. What it writes meanwhile and later comes from
            its archive, or from itself, when "lockstep standby DIR" starts the backup.
            """;
    }

    @Override
    public int run(List<String> words) throws Exception {
        Arguments arguments = new Arguments(words, Set.of(), Set.of(FROM));
        DataDir directory = new DataDir(Path.of(arguments.only("DIR")));
        String from = arguments
                .value(FROM)
                .orElseThrow(() -> new UsageException("--from URI is missing: where does the primary listen?"));
        ServerCommand.checkUri(FROM, from);
        directory.create();
        try (DataDir.Lock lock = directory.lock()) {
            if (Files.exists(directory.path().resolve(CONTROL))
                    || (directory.isInitialized() && !Files.exists(directory.recoveryConf()))) {
                throw new Failure(
                        ExitStatus.FAILED,
                        directory.path() + " holds the data of a server: choose an empty directory for the backup");
            }
            ConfFile recovery = new ConfFile(directory.recoveryConf());
            if (!Files.exists(directory.recoveryConf())) {
                recovery.header(HEADER);
                recovery.set("standby_mode", "on");
                recovery.set("application_name", directory.path().getFileName().toString());
            }
            recovery.set("primary_conninfo", from);
            recovery.save();
            directory.initialize();
            lock.tell(ProcessHandle.current().pid());
            return new Server(directory, Map.of("lockstep.backup", "only")).run();
        }
    }
}
