package lockstep.server;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import lockstep.launcher.InProcessShell;

/**
 * A server as an operator has it: a process of its own, started and stopped through {@code bin/lockstep} of the assembled
 * distribution, and asked as {@code lockstep shell} asks. Closing it kills what still runs, so a test that fails leaves no
 * process behind.
 */
final class ServerProcess implements AutoCloseable {
    private static final long TIMEOUT_S = Long.getLong("lockstep.test.timeout", 180);
    private static final long SOON_MS = 20;
    private static final long BETWEEN_QUESTIONS_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private static final String JAVA_OPTIONS = "LOCKSTEP_JAVA_OPTS";

    /** Most servers here live for seconds, in which the better compiler takes more time than it saves. */
    private static final String SHORT_LIFE = "-XX:TieredStopAtLevel=1";

    private final List<String> start;
    private final Map<String, String> environment = new HashMap<>(Map.of(JAVA_OPTIONS, SHORT_LIFE));
    private final Path directory;

    /** What stands before its own command line. */
    private List<String> wrapper = List.of();

    private ServerProcess(Path directory, List<String> start) {
        this.directory = directory;
        this.start = start;
    }

    /** Describes a primary; {@link #start} runs it. */
    static ServerProcess primary(Path directory, String... options) {
        return of("primary", directory, options);
    }

    /** Describes a standby; {@link #start} runs it. */
    static ServerProcess standby(Path directory, String from, String... options) {
        ServerProcess standby = of("standby", directory, options);
        standby.start.addAll(List.of("--from", from));
        return standby;
    }

    /** Describes a server whose {@code recovery.conf} says what it is; {@link #start} runs it. */
    static ServerProcess standby(Path directory) {
        return of("standby", directory);
    }

    private static ServerProcess of(String command, Path directory, String... options) {
        List<String> start = new ArrayList<>(List.of(command, directory.toString(), "--daemon"));
        start.addAll(List.of(options));
        return new ServerProcess(directory, start);
    }

    /** Gives its Java machine options, such as -Xmx128m, from its next start on. */
    ServerProcess with(String javaOptions) {
        environment.put(JAVA_OPTIONS, SHORT_LIFE + ' ' + javaOptions);
        return this;
    }

    /** Lets both compilers of its Java machine work, as they do for a user, from its next start on. */
    ServerProcess compiledInFull() {
        environment.remove(JAVA_OPTIONS);
        return this;
    }

    /** Runs it inside of something, such as a network namespace, from its next start on. */
    ServerProcess inside(List<String> command) {
        wrapper = command;
        return this;
    }

    Path directory() {
        return directory;
    }

    /** Starts it and waits until it is ready. */
    ServerProcess start() {
        Result result = tryStart();
        assertEquals(0, result.status(), result::toString);
        return this;
    }

    /** Starts it, which may fail. */
    Result tryStart() {
        List<String> command = new ArrayList<>(wrapper);
        command.addAll(command(start));
        return run(command, environment);
    }

    /** Runs a command in its shell, which shall succeed; returns what it printed. */
    String shell(String... command) {
        Result result = tryShell(command);
        assertEquals(0, result.status(), result::toString);
        return result.out();
    }

    /** Runs a command in its shell, which may fail. */
    Result tryShell(String... command) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int status = InProcessShell.run(directory, List.of(command), out, err);
        return new Result(
                "shell " + directory + ' ' + String.join(" ", command),
                status,
                out.toString(UTF_8),
                err.toString(UTF_8));
    }

    /**
     * Begins a command in its shell, in a process of its own, which a test may interrupt, also when these tests run in the
     * background: a shell has such commands, and all that they start, ignore interrupts.
     */
    Client client(String... command) {
        List<String> arguments = new ArrayList<>(List.of("shell", directory.toString()));
        arguments.addAll(List.of(command));
        List<String> interruptible = new ArrayList<>(List.of("env", "--default-signal=INT"));
        interruptible.addAll(command(arguments));
        return Client.of(interruptible, Map.of());
    }

    /** Runs a command in its shell with {@code --json}; returns the first member of that name, empty if it is null. */
    String ask(String member, String... command) {
        List<String> words = new ArrayList<>(List.of(command));
        words.add("--json");
        return member(shell(words.toArray(String[]::new)), member);
    }

    /** As {@link #ask}, for an LSN; 0 if it is not known. */
    long askLsn(String member, String... command) {
        String text = ask(member, command);
        return text.isEmpty() ? 0 : lsn(text);
    }

    /** As {@link #ask}, for a number. */
    long askNumber(String member, String... command) {
        return Long.parseLong(ask(member, command));
    }

    /** Returns the first member of a name in a JSON object; empty if it is null. */
    static String member(String json, String name) {
        Matcher matcher = Pattern.compile('"' + name + "\":(?:\"((?:[^\"\\\\]|\\\\.)*)\"|null|([^,}\\]]+))")
                .matcher(json);
        assertTrue(matcher.find(), () -> "no " + name + " in " + json);
        return matcher.group(1) != null ? matcher.group(1) : Objects.requireNonNullElse(matcher.group(2), "");
    }

    /** Returns the position that PostgreSQL writes as two hexadecimal halves. */
    static long lsn(String text) {
        String[] halves = text.split("/", 2);
        return Long.parseLong(halves[0], 16) << 32 | Long.parseLong(halves[1], 16);
    }

    /** Begins a command in its shell, and does not wait for it. */
    CompletableFuture<Result> begin(String... command) {
        return CompletableFuture.supplyAsync(() -> tryShell(command));
    }

    /** Asks again and again until the answer is yes. */
    void await(BooleanSupplier question) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_S);
        while (!question.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not within " + TIMEOUT_S + " s on " + directory);
            }
            LockSupport.parkNanos(BETWEEN_QUESTIONS_NANOS);
        }
    }

    /** Stops it in good order. */
    void stop() {
        Result result = lockstep("stop", directory.toString());
        assertEquals(0, result.status(), result::toString);
    }

    /** Kills it, as a crash would, and waits until it is gone. */
    void kill() {
        ProcessHandle server = handle();
        server.destroyForcibly();
        server.onExit().join();
    }

    /** Sends a signal, such as STOP. */
    void signal(String name) {
        run(List.of("kill", "-" + name, Long.toString(pid())));
    }

    /** Returns what it has logged so far, over all its starts. */
    String log() {
        try (Stream<Path> files = Files.list(directory.resolve("log"))) {
            StringBuilder log = new StringBuilder();
            for (Path file : files.sorted().toList()) {
                log.append(Files.readString(file));
            }
            return log.toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns the process id it told; only of a server that was started. */
    long pid() {
        try {
            return Long.parseLong(
                    Files.readString(directory.resolve("lockstep.pid")).strip());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    boolean isAlive() {
        return handle().isAlive();
    }

    private ProcessHandle handle() {
        return ProcessHandle.of(pid())
                .orElseThrow(() -> new AssertionError("the server on " + directory + " does not run"));
    }

    @Override
    public void close() {
        if (Files.exists(directory)) {
            lockstep("stop", directory.toString(), "--mode", "immediate");
        }
    }

    /** Runs {@code lockstep} with these arguments and waits for its end. */
    static Result lockstep(String... arguments) {
        return run(command(List.of(arguments)));
    }

    private static List<String> command(List<String> arguments) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("lockstep.home"), "bin/lockstep").toString()));
        command.addAll(arguments);
        return command;
    }

    /** Runs a program and waits for its end. */
    static Result run(List<String> command) {
        return run(command, Map.of());
    }

    private static Result run(List<String> command, Map<String, String> environment) {
        return Client.of(command, environment).result();
    }

    /** A program that runs. */
    record Client(String command, Process process, CompletableFuture<String> out, CompletableFuture<String> err) {
        private static Client of(List<String> command, Map<String, String> environment) {
            try {
                ProcessBuilder builder = new ProcessBuilder(command);
                builder.environment().putAll(environment);
                Process process = builder.start();
                process.getOutputStream().close();
                return new Client(
                        String.join(" ", command),
                        process,
                        CompletableFuture.supplyAsync(() -> read(process.getInputStream())),
                        CompletableFuture.supplyAsync(() -> read(process.getErrorStream())));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        /** Whether it has ended. */
        boolean isDone() {
            return !process.isAlive();
        }

        /** Whether it has ended a moment later. */
        boolean isDoneSoon() {
            try {
                return process.waitFor(SOON_MS, TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                throw new AssertionError(command, e);
            }
        }

        /** Ends it as Ctrl-C does. */
        void interrupt() {
            run(List.of("kill", "-INT", Long.toString(process.pid())));
        }

        /** Waits for its end. */
        Result result() {
            try {
                if (!process.waitFor(TIMEOUT_S, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                    throw new AssertionError(command + " did not end within " + TIMEOUT_S + " s");
                }
                return new Result(
                        command,
                        process.exitValue(),
                        out.get(TIMEOUT_S, TimeUnit.SECONDS),
                        err.get(TIMEOUT_S, TimeUnit.SECONDS));
            } catch (InterruptedException | ExecutionException | TimeoutException e) {
                throw new AssertionError(command, e);
            }
        }
    }

    private static String read(InputStream stream) {
        try (stream) {
            return new String(stream.readAllBytes(), UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** What a command line came to. */
    record Result(String command, int status, String out, String err) {}
}
