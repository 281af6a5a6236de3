package lockstep.launcher;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/** {@code lockstep promote}. */
final class PromoteCommand implements Command {
    private static final String FORCE = "--force";

    @Override
    public String name() {
        return "promote";
    }

    @Override
    public String synopsis() {
        return "DIR [--force]";
    }

    @Override
    public String summary() {
        return "makes the standby that runs on DIR a primary, on a new timeline";
    }

    @Override
    public String details() {
        return """
            --force   also if commits that were acknowledged are known not to be there

            Returns when the server takes commits, and says how long that took.
            """;
    }

    @Override
    public int run(List<String> words) throws Exception {
        Arguments arguments = new Arguments(words, Set.of(FORCE), Set.of());
        AttachClient client = new AttachClient(new DataDir(Path.of(arguments.only("DIR"))));
        return client.command(arguments.has(FORCE) ? "promote --force" : "promote");
    }
}
