package lockstep.launcher;

import java.io.BufferedReader;
import java.io.Console;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import lockstep.security.PasswordFile;

/** {@code lockstep passwd}. */
final class PasswdCommand implements Command {
    private static final String REMOVE = "--remove";
    private static final int WORDS = 2;

    @Override
    public String name() {
        return "passwd";
    }

    @Override
    public String synopsis() {
        return "DIR NAME [--remove]";
    }

    @Override
    public String summary() {
        return "sets the password with which the standby NAME is let in by the server on DIR";
    }

    @Override
    public String details() {
        return """
            --remove   takes it away

            Asks for the password, or reads a line of the standard input. What is stored,
            in DIR/passwords, can check the password and not be used in its place. It
            counts at once, where access.conf says scram-sha-256.
            """;
    }

    @Override
    public int run(List<String> words) throws Exception {
        Arguments arguments = new Arguments(words, Set.of(REMOVE), Set.of());
        List<String> given = arguments.all(WORDS, "DIR and NAME");
        Path directory = Path.of(given.get(0));
        String name = given.get(1);
        if (!Files.isDirectory(directory)) {
            throw new Failure(ExitStatus.FAILED, "there is no directory " + directory);
        }
        char[] password = arguments.has(REMOVE) ? null : ask(name);
        try {
            boolean had = PasswordFile.set(directory.resolve(PasswordFile.FILE), name, password);
            if (password == null && !had) {
                throw new Failure(ExitStatus.FAILED, "\"" + name + "\" has no password there");
            }
            System.out.println("the password of \"" + name + "\" is " + (password == null ? "removed" : "set"));
            return ExitStatus.OK;
        } catch (IOException e) {
            throw new Failure(ExitStatus.FAILED, e.getMessage());
        } finally {
            if (password != null) {
                Arrays.fill(password, '\0');
            }
        }
    }

    private static char[] ask(String name) throws IOException {
        char[] password;
        if (Tty.isThere()) {
            Console console = System.console();
            password = console.readPassword("Password of %s: ", name);
            if (!Arrays.equals(password, console.readPassword("Again: "))) {
                throw new Failure(ExitStatus.FAILED, "the two are not the same");
            }
        } else {
            String line = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).readLine();
            password = line == null ? new char[0] : line.toCharArray();
        }
        if (password == null || password.length == 0) {
            throw new Failure(ExitStatus.FAILED, "no password was given");
        }
        return password;
    }
}
