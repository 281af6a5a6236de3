package lockstep.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.util.Set;

/** {@code lockstep primary}. */
final class PrimaryCommand extends ServerCommand {
    @Override
    public String name() {
        return "primary";
    }

    @Override
    public String synopsis() {
        return "DIR [--listen URI]... [--set NAME=VALUE]... [--daemon]";
    }

    @Override
    public String summary() {
        return "runs a primary on the data directory DIR, which it makes if need be";
    }

    @Override
    public String details() {
        return OPTIONS;
    }

    @Override
    Set<String> moreOptions() {
        return Set.of();
    }

    @Override
    void check(DataDir directory, Arguments arguments) {}

    @Override
    void prepare(DataDir directory, Arguments arguments) throws IOException {
        if (Files.exists(directory.recoveryConf())) {
            throw new Failure(
                    ExitStatus.FAILED,
                    directory.path()
                            + " belongs to a standby, as its recovery.conf says: start it with \"lockstep standby "
                            + directory.path() + "\"");
        }
        directory.initialize();
    }
}
