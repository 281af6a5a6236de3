package lockstep.launcher;

import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** {@code lockstep bench}: runs the benchmark, a program of its own, which runs servers. */
final class BenchCommand implements Command {
    private static final String PROGRAM = "lockstep.bench.Main";

    @Override
    public String name() {
        return "bench";
    }

    @Override
    public String synopsis() {
        return "[--seconds N] [--dir DIRECTORY] [--only PARTS] [--json]";
    }

    @Override
    public String summary() {
        return "measures commits against the limits of this machine";
    }

    @Override
    public String details() {
        return """
            --seconds N      how long each figure is measured (5)
            --dir DIRECTORY  where the files are, which decides which disk is measured
            --only PARTS     some of limits,commits,methods,bulk,ssh,postgres, with commas
                             between; postgres, a PostgreSQL server with Lockstep and
                             others as its synchronous standby, runs only if asked for
            --json           one JSON object on one line at the end
            """;
    }

    @Override
    public int run(List<String> arguments) throws Exception {
        String classPath = Home.path().resolve("lib/bench") + File.separator + "*";
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dlockstep.program=" + Home.script(),
                "-cp",
                classPath,
                PROGRAM));
        command.addAll(arguments);
        return new ProcessBuilder(command).inheritIO().start().waitFor();
    }
}
