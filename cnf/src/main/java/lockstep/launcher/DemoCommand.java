package lockstep.launcher;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** {@code lockstep demo}. */
final class DemoCommand implements Command {
    private static final String INPUT = "--input";
    private static final String SECONDS = "--seconds";
    private static final String CLIENTS = "--clients";
    private static final String JSON = "--json";
    private static final int DEFAULT_SECONDS = 10;
    private static final int DEFAULT_CLIENTS = 8;

    @Override
    public String name() {
        return "demo";
    }

    @Override
    public String synopsis() {
        return "[--input FILE] [--seconds N] [--clients N] [--json]";
    }

    @Override
    public String summary() {
        return "a primary and a standby, a load, a killed standby, and the proof that nothing was lost";
    }

    @Override
    public String details() {
        return """
            --input FILE   each line of the file is one committed transaction; without it,
                           records are generated
            --seconds N    for how long records are generated (10)
            --clients N    how many clients commit at the same time (8)
            --json         one JSON object on one line at the end, and nothing else

            Both servers are processes of their own in a temporary directory, which is
            removed when all is well. The exit status is 0 only if both stores and both
            logs are equal and no acknowledged commit is missing.
            """;
    }

    @Override
    public int run(List<String> words) throws Exception {
        Arguments arguments = new Arguments(words, Set.of(JSON), Set.of(INPUT, SECONDS, CLIENTS));
        arguments.none();
        Optional<Path> input = arguments.value(INPUT).map(file -> Path.of(file).toAbsolutePath());
        if (input.isPresent() && !Files.isReadable(input.get())) {
            throw new Failure(ExitStatus.FAILED, "there is no readable file " + input.get());
        }
        Demo demo = new Demo(
                input,
                number(arguments, SECONDS).orElse(DEFAULT_SECONDS),
                number(arguments, CLIENTS).orElse(DEFAULT_CLIENTS),
                arguments.has(JSON));
        return demo.run() ? ExitStatus.OK : ExitStatus.FAILED;
    }

    private static Optional<Integer> number(Arguments arguments, String option) {
        return arguments.value(option).map(text -> {
            try {
                int number = Integer.parseInt(text);
                if (number > 0) {
                    return number;
                }
            } catch (NumberFormatException e) {
                // falls through to the one message
            }
            throw new UsageException(option + " " + text + ": a number above 0 is expected");
        });
    }
}
