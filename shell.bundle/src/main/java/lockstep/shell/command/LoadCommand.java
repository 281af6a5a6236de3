package lockstep.shell.command;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import lockstep.commit.NotPrimaryException;
import lockstep.config.Units;
import lockstep.io.DataDirectory;
import lockstep.kv.KeyValueStore;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Loads many records and measures. */
@Component(service = LoadCommand.class)
@GogoCommand(scope = "lockstep", function = "load")
public final class LoadCommand {
    private static final String USAGE =
            "load [--input FILE] [--acked FILE [--append]] [--follow DIR] [--clients N | --outstanding N] [--seconds S]"
                    + " [--patience TIME] [--bytes B] [--commit LEVEL] [--progress] [--json]";
    private static final int MAX_CLIENTS = 10_000;
    private static final int MAX_OUTSTANDING = 1_000_000;
    private static final int DEFAULT_SECONDS = 10;
    private static final int DEFAULT_BYTES = 100;
    private static final String DEFAULT_PATIENCE = "30s";
    private static final long FOREVER_NANOS = TimeUnit.DAYS.toNanos(365);

    private final LocalServer server;
    private final Path ownDirectory;

    /** Made by the framework. */
    @Activate
    public LoadCommand(@Reference LocalServer server, @Reference DataDirectory directory) {
        this.server = server;
        ownDirectory = directory.path().toAbsolutePath();
    }

    /** Loads. */
    @Descriptor("commit many records, a transaction each, and show how many commits per second and how long each took")
    public String load(
            CommandSession session,
            @Descriptor("FILE: line n becomes the value of key n, ten digits; without it, records are generated")
                    @Parameter(names = "--input", absentValue = Words.NONE)
                    String input,
            @Descriptor("FILE: made anew, gets the number of each record and a newline after its acknowledgement")
                    @Parameter(names = "--acked", absentValue = Words.NONE)
                    String acked,
            @Descriptor("the file of --acked is not made anew, but goes on at its end")
                    @Parameter(names = "--append", presentValue = "true", absentValue = "false")
                    boolean append,
            @Descriptor(
                            "DIR: when this server hands over, go on at the server of this machine that runs on DIR, and back")
                    @Parameter(names = "--follow", absentValue = Words.NONE)
                    String follow,
            @Descriptor("WORD: what a load that comes here from another server has measured there; --follow gives it")
                    @Parameter(names = "--before", absentValue = Words.NONE)
                    String before,
            @Descriptor("N: so many clients, each waiting for its commit before the next; 1 without it")
                    @Parameter(names = "--clients", absentValue = Words.NONE)
                    String clients,
            @Descriptor("N: one client with so many commits on their way")
                    @Parameter(names = "--outstanding", absentValue = Words.NONE)
                    String outstanding,
            @Descriptor("S: stop after so long; without it, 10, or at the end of the input")
                    @Parameter(names = "--seconds", absentValue = Words.NONE)
                    String seconds,
            @Descriptor(
                            "TIME: how long after its end the load waits for what it has committed, such as 5s; 30s without it")
                    @Parameter(names = "--patience", absentValue = DEFAULT_PATIENCE)
                    String patience,
            @Descriptor("B: the size of generated values; 100 without it")
                    @Parameter(names = "--bytes", absentValue = Words.NONE)
                    String bytes,
            @Descriptor("LEVEL: off, local, remote_write, on or remote_apply; without it, as synchronous_commit says")
                    @Parameter(names = "--commit", absentValue = Words.NONE)
                    String level,
            @Descriptor("a line every second, on the standard error output")
                    @Parameter(names = "--progress", presentValue = "true", absentValue = "false")
                    boolean progress,
            @Descriptor("one JSON object: commits, commits_per_second, p50_us, p99_us, p999_us,"
                            + " replicated, local_only, in_doubt, failed, …")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            String... words)
            throws IOException, InterruptedException {
        Words.none(USAGE, words);
        if (!clients.equals(Words.NONE) && !outstanding.equals(Words.NONE)) {
            throw new IllegalArgumentException("--clients and --outstanding exclude each other; usage: " + USAGE);
        }
        if (!input.equals(Words.NONE) && !bytes.equals(Words.NONE)) {
            throw new IllegalArgumentException("--bytes is for generated records, and --input brings its own");
        }
        if (!input.equals(Words.NONE) && !follow.equals(Words.NONE)) {
            throw new IllegalArgumentException(
                    "--follow is for generated records: of a file, the next line is not known there");
        }
        int clientCount = number("--clients", clients, 1, MAX_CLIENTS);
        int window = number("--outstanding", outstanding, 1, MAX_OUTSTANDING);
        int valueBytes = number("--bytes", bytes, DEFAULT_BYTES, KeyValueStore.MAX_VALUE_BYTES);
        boolean isTimed = !seconds.equals(Words.NONE) || input.equals(Words.NONE);
        long nanos = isTimed
                ? TimeUnit.SECONDS.toNanos(number("--seconds", seconds, DEFAULT_SECONDS, Integer.MAX_VALUE))
                : FOREVER_NANOS;
        Console console = Console.of(session);
        KeyValueStore store = server.store();
        try (Records records = input.equals(Words.NONE)
                        ? new GeneratedRecords(Records.lastNumber(store) + 1, valueBytes)
                        : new LineRecords(open(file(session, input)));
                OutputStream acks = acked.equals(Words.NONE)
                        ? OutputStream.nullOutputStream()
                        : new FileOutputStream(file(session, acked).toFile(), append)) {
            boolean follows = !follow.equals(Words.NONE);
            Load load = new Load(new Load.Plan(
                    store,
                    Words.level(level),
                    records,
                    acks,
                    clientCount,
                    window,
                    nanos,
                    Units.nanos(patience),
                    follows));
            LoadProgress shown = new LoadProgress(new CommitWait(server, console.err()), console, progress);
            Load.Result here = load.run(shown);
            Load.Result result = before.equals(Words.NONE) ? here : here.and(Load.Result.parse(before));
            shown.end();
            if (follows && load.failure().orElse(null) instanceof NotPrimaryException moved) {
                long left = TimeUnit.NANOSECONDS.toSeconds(nanos - here.nanos());
                console.err()
                        .println("the primary has moved" + (moved.primary().isEmpty() ? "" : " to " + moved.primary())
                                + "; the load goes on there");
                List<String> there = new ArrayList<>(List.of("load", "--seconds", Long.toString(Math.max(1, left))));
                option(there, "--before", result.text());
                option(there, "--clients", clients);
                option(there, "--outstanding", outstanding);
                option(there, "--patience", patience);
                option(there, "--bytes", bytes);
                option(there, "--commit", level);
                if (!acked.equals(Words.NONE)) {
                    there.addAll(List.of("--acked", file(session, acked).toString(), "--append"));
                }
                flag(there, "--progress", progress);
                flag(there, "--json", json);
                there.addAll(List.of("--follow", ownDirectory.toString()));
                OtherServer other = new OtherServer(file(session, follow), session.currentDir());
                try {
                    other.awaitPrimary();
                } catch (IOException e) {
                    console.out().println(report(result).present(json));
                    throw e;
                }
                return goOn(other, there, console);
            }
            return finish(load, result, patience, console, json);
        }
    }

    private static void option(List<String> command, String name, String value) {
        if (!value.equals(Words.NONE)) {
            command.addAll(List.of(name, value));
        }
    }

    private static void flag(List<String> command, String name, boolean given) {
        if (given) {
            command.add(name);
        }
    }

    private static String goOn(OtherServer other, List<String> command, Console console)
            throws IOException, InterruptedException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        int status = other.run(command, new PrintStream(out, true, UTF_8), console.err());
        if (status != 0) {
            console.out().print(out.toString(UTF_8));
            throw new IllegalStateException("the load ended early at the server that it followed");
        }
        return out.toString(UTF_8).stripTrailing();
    }

    private static int number(String option, String text, int whenAbsent, int most) {
        return text.equals(Words.NONE) ? whenAbsent : Words.number(option, text, 1, most);
    }

    /** Returns the file that the client means, who may be in another directory than this server. */
    private static Path file(CommandSession session, String name) {
        return session.currentDir().resolve(name);
    }

    private static InputStream open(Path file) throws IOException {
        try {
            return Files.newInputStream(file);
        } catch (NoSuchFileException e) {
            throw new IOException("there is no file " + file, e);
        }
    }

    private static String finish(Load load, Load.Result result, String patience, Console console, boolean json)
            throws InterruptedException {
        if (load.wasInterrupted()) {
            // Gogo forgets what a command throws that it has interrupted.
            console.err()
                    .println("interrupted after " + Text.count(result.commits(), "commit") + "; "
                            + Text.count(result.inDoubt(), "more commit")
                            + " in the WAL of this server had not been acknowledged and may become visible later:"
                            + " IN DOUBT");
            throw new InterruptedException();
        }
        String report = report(result).present(json);
        Optional<Exception> failure = load.failure();
        if (failure.isEmpty() && result.inDoubt() == 0) {
            return report;
        }
        console.out().println(report);
        if (failure.isEmpty()) {
            throw new IllegalStateException(Text.count(result.inDoubt(), "commit")
                    + " in the WAL of this server had not been acknowledged " + patience
                    + " after the end of the load and may become visible later: IN DOUBT");
        }
        String message = failure.get().getMessage();
        throw new IllegalStateException(
                "the load ended early: " + (message == null ? failure.get() : message), failure.get());
    }

    private static Fields report(Load.Result result) {
        return new Fields()
                .count("commits", result.commits())
                .decimal("commits_per_second", result.commitsPerSecond(), "")
                .decimal("p50_us", result.micros(Load.MEDIAN), "us")
                .decimal("p99_us", result.micros(Load.P99), "us")
                .decimal("p999_us", result.micros(Load.P999), "us")
                .count("replicated", result.commits() - result.localOnly())
                .count("local_only", result.localOnly())
                .count("in_doubt", result.inDoubt())
                .count("failed", result.failed())
                .decimal("seconds", result.seconds(), "s")
                .decimal("bytes_per_commit", result.bytesPerCommit(), "bytes");
    }
}
