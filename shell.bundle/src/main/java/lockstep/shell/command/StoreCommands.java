package lockstep.shell.command;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.PrintStream;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import lockstep.commit.CommitLevel;
import lockstep.commit.CommitReceipt;
import lockstep.commit.PendingCommit;
import lockstep.config.Units;
import lockstep.kv.Digest;
import lockstep.kv.KeyValueStore;
import lockstep.kv.Scan;
import lockstep.kv.Snapshot;
import lockstep.kv.Transaction;
import lockstep.primary.Primary;
import lockstep.transport.api.Lsn;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Reads and writes the key-value store. */
@Component(service = StoreCommands.class)
@GogoCommand(
        scope = "lockstep",
        function = {"put", "get", "del", "scan", "digest"})
public final class StoreCommands {
    private static final long AFTER_TIMEOUT_SECONDS = 10;
    private static final String DEFAULT_LIMIT = "100";

    private final LocalServer server;

    /** Made by the framework. */
    @Activate
    public StoreCommands(@Reference LocalServer server) {
        this.server = server;
    }

    /** Commits one pair. */
    @Descriptor("commit a value under a key, and wait until the commit is as safe as its level says")
    public String put(
            CommandSession session,
            @Descriptor("LEVEL: off, local, remote_write, on or remote_apply; without it, as synchronous_commit says")
                    @Parameter(names = "--commit", absentValue = Words.NONE)
                    String level,
            @Descriptor(
                            "DURATION such as 5s: wait no longer; the commit goes on, and is in doubt. While a switchover holds"
                                    + " commits, it is refused instead")
                    @Parameter(names = "--timeout", absentValue = Words.NONE)
                    String timeout,
            @Descriptor("one JSON object: lsn, level, outcome, detail, receipt, flushed_us, released_us, micros;"
                            + " and standbys, an array: name, written_us, flushed_us, applied_us")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("KEY VALUE") String... words)
            throws InterruptedException {
        Words pair = new Words("put KEY VALUE [--commit LEVEL] [--timeout DURATION] [--json]", 2, 2, words);
        return commit(session, server.store().begin().put(pair.get(0), pair.get(1)), level, timeout, json);
    }

    /** Deletes one key. */
    @Descriptor("delete a key, which need not be there, and wait for the commit")
    public String del(
            CommandSession session,
            @Descriptor("LEVEL: off, local, remote_write, on or remote_apply; without it, as synchronous_commit says")
                    @Parameter(names = "--commit", absentValue = Words.NONE)
                    String level,
            @Descriptor(
                            "DURATION such as 5s: wait no longer; the commit goes on, and is in doubt. While a switchover holds"
                                    + " commits, it is refused instead")
                    @Parameter(names = "--timeout", absentValue = Words.NONE)
                    String timeout,
            @Descriptor("one JSON object: lsn, level, outcome, detail, receipt, flushed_us, released_us, micros;"
                            + " and standbys, an array: name, written_us, flushed_us, applied_us")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("KEY") String... words)
            throws InterruptedException {
        Words key = new Words("del KEY [--commit LEVEL] [--timeout DURATION] [--json]", 1, 1, words);
        return commit(session, server.store().begin().delete(key.get(0)), level, timeout, json);
    }

    private String commit(CommandSession session, Transaction transaction, String level, String timeout, boolean json)
            throws InterruptedException {
        Optional<CommitLevel> asked = Words.level(level);
        long timeoutNanos = timeout.equals(Words.NONE) ? Long.MAX_VALUE : Units.nanos(timeout);
        Console console = Console.of(session);
        CommitWait wait = new CommitWait(server, console.err());
        long started = System.nanoTime();
        transaction.within(timeoutNanos);
        PendingCommit commit = asked.isPresent() ? transaction.commit(asked.get()) : transaction.commit();
        boolean inTime = wait.await(commit, timeoutNanos - (System.nanoTime() - started));
        long micros = TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - started);
        String shown =
                json ? receipt(commit, micros).json() : "COMMIT " + Lsn.text(commit.lsn()) + ' ' + commit.outcome();
        if (inTime) {
            return shown;
        }
        if (json) {
            console.out().println(shown);
        }
        throw new IllegalStateException(wait.inDoubt(commit));
    }

    private Fields receipt(PendingCommit commit, long micros) {
        Fields fields = new Fields()
                .lsn("lsn", commit.lsn())
                .text("level", commit.level().parameterValue());
        Optional<CommitReceipt> found =
                server.findPrimary().flatMap(Primary::commits).map(commits -> commits.receipt(commit));
        found.ifPresent(receipt -> fields.text("outcome", receipt.outcome().kind())
                .text("detail", receipt.outcome().detail())
                .text("receipt", receipt.position().toString())
                .micros("flushed_us", receipt.flushedMicros())
                .micros("released_us", receipt.releasedMicros()));
        fields.micros("micros", micros);
        found.ifPresent(receipt -> fields.rows(
                "standbys",
                receipt.standbys().stream().map(StoreCommands::acknowledged).toList()));
        return fields;
    }

    private static Fields acknowledged(CommitReceipt.Acknowledged standby) {
        return new Fields()
                .text("name", standby.name())
                .micros("written_us", standby.writtenMicros())
                .micros("flushed_us", standby.flushedMicros())
                .micros("applied_us", standby.appliedMicros());
    }

    /** Reads one value. */
    @Descriptor("show the value of a key; an error if there is none")
    public String get(
            @Descriptor("LSN: first wait until this server holds the commits up to there, for at most 10 s")
                    @Parameter(names = "--after", absentValue = Words.NONE)
                    String after,
            @Descriptor("one JSON object: key, value, lsn")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("KEY") String... words)
            throws InterruptedException {
        String name = new Words("get KEY [--after LSN] [--json]", 1, 1, words).get(0);
        byte[] key = name.getBytes(UTF_8);
        KeyValueStore store = server.store();
        Optional<Long> lsn = Words.lsn(after);
        if (lsn.isPresent() && !store.awaitLsn(lsn.get(), TimeUnit.SECONDS.toNanos(AFTER_TIMEOUT_SECONDS))) {
            try (Snapshot snapshot = store.snapshot()) {
                throw new IllegalStateException("this server holds the commits up to " + Lsn.text(snapshot.lsn())
                        + ", and " + after + " has not come within " + AFTER_TIMEOUT_SECONDS + " s");
            }
        }
        try (Snapshot snapshot = store.snapshot()) {
            byte[] value = snapshot.get(key)
                    .orElseThrow(() -> new IllegalArgumentException("there is no key \"" + name + '"'));
            return json
                    ? new Fields()
                            .bytes("key", key)
                            .bytes("value", value)
                            .lsn("lsn", snapshot.lsn())
                            .json()
                    : new String(value, UTF_8);
        }
    }

    /** Lists pairs. */
    @Descriptor("list keys and values in the order of the keys, with a tab between")
    public void scan(
            CommandSession session,
            @Descriptor("N: how many at most; 100 without it")
                    @Parameter(names = "--limit", absentValue = DEFAULT_LIMIT)
                    String limit,
            @Descriptor("one JSON object: lsn, pairs (each key, value), more")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("[PREFIX] with which the keys begin") String... words)
            throws InterruptedException {
        String prefix = new Words("scan [PREFIX] [--limit N] [--json]", 0, 1, words)
                .find(0)
                .orElse("");
        int most = Words.number("--limit", limit, 1, Integer.MAX_VALUE);
        Console console = Console.of(session);
        try (Snapshot snapshot = server.store().snapshot()) {
            Scan scan = snapshot.scanPrefix(prefix, most + 1L);
            if (json) {
                printJson(console.out(), scan, most, snapshot.lsn());
            } else if (printLines(console.out(), scan, most)) {
                console.err().println("there are more than these " + most + "; --limit shows more");
            }
        }
    }

    private static boolean printLines(PrintStream out, Scan scan, int most) throws InterruptedException {
        int shown = 0;
        while (shown < most && next(scan)) {
            out.println(pair(scan).line());
            shown++;
        }
        return shown == most && next(scan);
    }

    private static void printJson(PrintStream out, Scan scan, int most, long lsn) throws InterruptedException {
        String head = new Fields().lsn("lsn", lsn).json();
        out.print(head.substring(0, head.length() - 1) + ",\"pairs\":[");
        int shown = 0;
        while (shown < most && next(scan)) {
            out.print((shown == 0 ? "" : ",") + pair(scan).json());
            shown++;
        }
        out.println("],\"more\":" + (shown == most && next(scan)) + '}');
    }

    private static boolean next(Scan scan) throws InterruptedException {
        if (Thread.interrupted()) {
            throw new InterruptedException("interrupted: there may be more");
        }
        return scan.next();
    }

    private static Fields pair(Scan scan) {
        return new Fields().bytes("key", scan.key()).bytes("value", scan.value());
    }

    /** Hashes the store. */
    @Descriptor("hash all keys and values; two servers show the same hash at the same LSN")
    public String digest(
            @Descriptor("one JSON object: digest, lsn")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            String... words) {
        Words.none("digest [--json]", words);
        Digest digest = server.store().digest();
        return new Fields()
                .text("digest", digest.sha256())
                .lsn("lsn", digest.lsn())
                .present(json);
    }
}
