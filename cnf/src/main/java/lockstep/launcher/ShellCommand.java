package lockstep.launcher;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** {@code lockstep shell}. */
final class ShellCommand implements Command {
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_.,:/@%+=-]+");

    @Override
    public String name() {
        return "shell";
    }

    @Override
    public String synopsis() {
        return "DIR [COMMAND...]";
    }

    @Override
    public String summary() {
        return "a prompt of the server that runs on DIR, or one command in it";
    }

    @Override
    public String details() {
        return """
            One argument after DIR is taken as it would be typed: 'lb | grep Active'.
            Of several, the first is the command and the others are its arguments, with
            their spaces: put greeting "hello world". Without a command and without a
            terminal, commands are read from the standard input.

            The exit status is 0, or 1 if the command failed, 2 if there is no such
            command, 69 if no server runs on DIR.
            """;
    }

    @Override
    public int run(List<String> arguments) throws Exception {
        if (arguments.isEmpty()) {
            throw new UsageException("DIR is missing");
        }
        if (arguments.get(0).equals("--help")) {
            throw new UsageException("here is how it goes");
        }
        AttachClient client = new AttachClient(new DataDir(Path.of(arguments.get(0))));
        List<String> command = arguments.subList(1, arguments.size());
        if (!command.isEmpty()) {
            return client.command(line(command));
        }
        return Tty.isThere() ? client.prompt() : client.command(new String(System.in.readAllBytes(), UTF_8));
    }

    static String line(List<String> words) {
        if (words.size() == 1) {
            return words.get(0);
        }
        return words.get(0)
                + words.stream().skip(1).map(word -> " " + quote(word)).collect(Collectors.joining());
    }

    /** Gogo knows no escapes between single quotes; a single quote stands outside of them, behind a backslash. */
    private static String quote(String word) {
        return PLAIN.matcher(word).matches() ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}
