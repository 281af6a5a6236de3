package lockstep.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A primary and a standby, two processes, run through the program {@code lockstep} as a user does. */
final class Servers implements AutoCloseable {
    static final String STANDBY_NAME = "bench";

    private static final long PATIENCE_NANOS = TimeUnit.MINUTES.toNanos(2);
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

    private final String program;
    private final Path primary;
    private final Path standby;

    /**
     * Starts both in new data directories, and returns when the standby streams.
     *
     * @param program the path of {@code lockstep}
     * @param settings {@code name=value}, for both
     */
    Servers(String program, Path directory, List<String> settings) throws IOException {
        this(program, directory);
        String endpoint = "tcp://127.0.0.1:" + freePort();
        startPrimary(settings, endpoint);
        startStandby(settings, endpoint);
    }

    /** Starts none of them yet. */
    Servers(String program, Path directory) {
        this.program = program;
        primary = directory.resolve("primary");
        standby = directory.resolve("standby");
    }

    void startPrimary(List<String> settings, String listen) throws IOException {
        start(settings, "primary", primary.toString(), "--listen", listen, "--daemon");
    }

    /** Returns when it streams. */
    void startStandby(List<String> settings, String from) throws IOException {
        start(settings, "standby", standby.toString(), "--from", from, "--name", STANDBY_NAME, "--daemon");
        await(() -> primary("standbys", "--json").contains("\"streaming\""), "the standby to stream");
    }

    Path primaryDirectory() {
        return primary;
    }

    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private void start(List<String> settings, String... command) throws IOException {
        List<String> words = new ArrayList<>(List.of(command));
        for (String setting : settings) {
            words.add("--set");
            words.add(setting);
        }
        run(words);
    }

    /** Runs a command of the primary's shell, and returns what it prints. */
    String primary(String... command) {
        return shell(primary, command);
    }

    /** Runs a command of the standby's shell, and returns what it prints. */
    String standby(String... command) {
        return shell(standby, command);
    }

    /** Begins a command of the primary's shell that goes on. */
    Process begin(String command) throws IOException {
        return new ProcessBuilder(program, "shell", primary.toString(), command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    private String shell(Path directory, String... command) {
        try {
            return run(List.of("shell", directory.toString(), String.join(" ", command)));
        } catch (IOException e) {
            throw new IllegalStateException(e.getMessage(), e);
        }
    }

    private String run(List<String> words) throws IOException {
        List<String> command = new ArrayList<>(List.of(program));
        command.addAll(words);
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.onExit().join().exitValue() != 0) {
            throw new IOException(String.join(" ", command) + " failed: " + output);
        }
        return output;
    }

    /** Returns a number from a command's JSON. */
    static double number(String json, String name) {
        Matcher matcher = Pattern.compile("\"" + name + "\":\\s*(-?[0-9.]+)").matcher(json);
        if (!matcher.find()) {
            throw new IllegalStateException("no number \"" + name + "\" in " + json);
        }
        return Double.parseDouble(matcher.group(1));
    }

    /** Returns an LSN from a command's JSON. */
    static long lsn(String json, String name) {
        Matcher matcher = Pattern.compile("\"" + name + "\":\\s*\"([0-9A-F]+)/([0-9A-F]+)\"")
                .matcher(json);
        if (!matcher.find()) {
            throw new IllegalStateException("no LSN \"" + name + "\" in " + json);
        }
        return Long.parseLong(matcher.group(1), 16) << 32 | Long.parseLong(matcher.group(2), 16);
    }

    /** Looks until something is so. */
    static void await(BooleanSupplier condition, String what) {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("waited two minutes in vain for " + what);
            }
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    @Override
    public void close() throws IOException {
        run(List.of("stop", standby.toString(), "--mode", "immediate"));
        run(List.of("stop", primary.toString(), "--mode", "immediate"));
    }
}
