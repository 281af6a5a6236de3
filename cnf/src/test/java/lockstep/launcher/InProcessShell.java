package lockstep.launcher;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;

/** {@code lockstep shell DIR COMMAND...} without a process of its own: tests ask servers thousands of times. */
public final class InProcessShell {
    private InProcessShell() {}

    /** Runs a command in the shell of a server; returns what would be the exit status. */
    public static int run(Path directory, List<String> command, OutputStream out, OutputStream err) {
        PrintStream words = new PrintStream(err, true, UTF_8);
        try {
            return new AttachClient(new DataDir(directory)).command(ShellCommand.line(command), out, err);
        } catch (Failure e) {
            words.println("lockstep: " + e.getMessage());
            return e.status();
        } catch (IOException e) {
            words.println("lockstep: " + e);
            return ExitStatus.FAILED;
        }
    }
}
