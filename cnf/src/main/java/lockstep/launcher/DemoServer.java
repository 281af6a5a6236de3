package lockstep.launcher;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A server of the demonstration: a process of its own, started and asked as a user does. */
final class DemoServer {
    private final String role;
    private final Path path;
    private final List<String> options;
    private final AttachClient client;

    DemoServer(String role, Path path, List<String> options) {
        this.role = role;
        this.path = path;
        this.options = options;
        client = new AttachClient(new DataDir(path));
    }

    Path path() {
        return path;
    }

    void start() throws IOException, InterruptedException {
        List<String> words = new ArrayList<>(List.of(role, path.toString(), "--daemon"));
        words.addAll(options);
        lockstep(words);
    }

    /** Ends it: {@code fast}, or as a crash does: {@code immediate}. */
    void stop(String mode) throws IOException, InterruptedException {
        lockstep(List.of("stop", path.toString(), "--mode", mode));
    }

    private static void lockstep(List<String> words) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(Home.script().toString()));
        command.addAll(words);
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new Failure(ExitStatus.FAILED, "\"lockstep " + String.join(" ", words) + "\" failed: " + output);
        }
    }

    /** Runs a command in its shell, and returns what it printed. */
    String ask(String command) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        if (client.command(command, out, err) != ExitStatus.OK) {
            throw new Failure(
                    ExitStatus.FAILED, "\"" + command + "\" on " + path + ": " + err.toString(StandardCharsets.UTF_8));
        }
        return out.toString(StandardCharsets.UTF_8);
    }

    /** Runs a command in its shell whose output is too much to keep. */
    void ask(String command, OutputStream out, OutputStream err) throws IOException {
        if (client.command(command, out, err) != ExitStatus.OK) {
            throw new Failure(ExitStatus.FAILED, "\"" + command + "\" on " + path + " failed");
        }
    }

    /** Returns a member of a JSON object; empty if it has none of that name, or null. */
    static String member(String json, String name) {
        Matcher matcher = Pattern.compile("\"" + name + "\":\\s*(?:\"([^\"]*)\"|([-0-9.]+|true|false))")
                .matcher(json);
        if (!matcher.find()) {
            return "";
        }
        return matcher.group(1) != null ? matcher.group(1) : matcher.group(2);
    }
}
