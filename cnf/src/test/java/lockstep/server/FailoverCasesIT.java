package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import lockstep.server.CaseTable.Case;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Plays the cases of {@code CASES.md} in which a primary {@code a} is lost and its standby {@code b} takes its place. */
final class FailoverCasesIT {
    private static final String TABLE = "When the primary is lost";
    private static final String NOT_NEEDED = "not needed";
    private static final String FOLLOWS = "follows";
    private static final String REFUSED_UNTIL_REWIND = "refused until rewind";
    private static final String REFUSED_UNTIL_REBUILT = "refused until rewind, by a base backup";
    private static final Pattern LAST_EPOCH = Pattern.compile("epochs = .*@(\\S+)");

    /** Much less than the log has grown meanwhile, and enough to be told of it. */
    private static final int STALL_AFTER_BYTES = 100_000;

    @TempDir
    private Path folder;

    private final int portOfA = Pair.freePort();
    private final int portOfB = Pair.freePort();
    private final int portOfCopy = Pair.freePort();
    private final TcpProxy network = new TcpProxy(portOfA);
    private final Map<String, Runnable> courses = new LinkedHashMap<>();
    private ServerProcess a;
    private ServerProcess b;

    /** The places of the commit that was answered REPLICATED, and of the other one. */
    private String replicated;

    private String other;

    /** Where the logs of {@code a} and {@code b} part, if that is not where the new timeline begins. */
    private String parted = "";

    FailoverCasesIT() {
        courses.put("a commit is REPLICATED, a is killed", () -> {
            other = receipt(commit("REPLICATED"));
            a.kill();
        });
        courses.put("a commit is REPLICATED while redo of b is paused, a is killed, redo goes on", () -> {
            b.shell("redo", "pause");
            other = receipt(commit("REPLICATED"));
            a.kill();
            b.shell("redo", "resume");
        });
        courses.put("b is away, a commit is LOCAL_ONLY, b returns and a is killed before b has caught up", () -> {
            degrade();
            a.shell("load", "--outstanding", "100", "--bytes", "5000", "--seconds", "1", "--commit", "local");
            other = receipt(commit("LOCAL_ONLY"));
            network.stallAfter(STALL_AFTER_BYTES);
            b.start();
            b.await(network::hasStalled);
            a.kill();
        });
        courses.put("b is away, a commit is LOCAL_ONLY, a is killed, b returns", () -> {
            degrade();
            other = receipt(commit("LOCAL_ONLY"));
            a.kill();
            b.start();
        });
        courses.put("b is away, a commit is IN_DOUBT, a is killed, b returns", () -> {
            b.stop();
            Result timedOut = a.tryShell("put", "other", "1", "--json", "--timeout", "100ms");
            assertEquals("IN_DOUBT", ServerProcess.member(timedOut.out(), "outcome"));
            other = receipt(timedOut.out());
            a.kill();
            b.start();
        });
        courses.put("a commit is REPLICATED under load, a hands over to b", this::handOverUnderLoad);
        courses.put(
                "a is killed, a copy of it goes on with b, a commit is REPLICATED, a is started and meets b, the copy is killed",
                this::goOnWithACopy);
        courses.put("a commit reaches b before it is on the disk of a, a is killed", () -> {
            assumeTrue(SlowDisk.isPossible(), "a disk is made slow with strace, which is not there");
            long before = b.askLsn("flush_lsn", "status");
            SlowDisk slow = SlowDisk.stopping("pwrite64", a);
            CompletableFuture<Result> waiting = a.begin("put", "other", "1");
            b.await(() -> b.askLsn("flush_lsn", "status") > before);
            other = replicated.replaceAll("[^/]+/[^/]+$", "") + b.ask("flush_lsn", "status");
            slow.kill(a);
            assertTrue(waiting.join().status() != 0, "nobody was told that it is safe");
        });
    }

    private void handOverUnderLoad() {
        Path acked = folder.resolve("acked");
        CompletableFuture<Result> load =
                a.begin("load", "--clients", "2", "--seconds", "60", "--commit", "on", "--acked", acked.toString());
        a.await(() -> acked.toFile().length() > 0);
        other = receipt(commit("REPLICATED"));
        Result done = ServerProcess.lockstep("switchover", a.directory().toString(), "b");
        assertEquals(0, done.status(), done::toString);
        load.join();
        try {
            Pair.assertHolds(b, acked);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void goOnWithACopy() {
        a.kill();
        Path copied = folder.resolve("copy");
        Result copying = ServerProcess.run(List.of("cp", "-a", a.directory().toString(), copied.toString()));
        assertEquals(0, copying.status(), copying::toString);
        try (ServerProcess copy = ServerProcess.primary(copied, "--listen", Pair.endpoint(portOfCopy))
                .start()) {
            parted = lastEpochBegan(copied);
            b.shell("set", "primary_conninfo", Pair.endpoint(portOfCopy));
            String told = copy.shell("put", "other", "1", "--json");
            assertEquals("REPLICATED", ServerProcess.member(told, "outcome"));
            other = receipt(told);

            a.start();
            CompletableFuture<Result> waiting = a.begin("put", "waiting", "1", "--json");
            a.await(() -> a.askNumber("waiting_commits", "status") > 0);
            b.shell("set", "primary_conninfo", Pair.endpoint(network.port()));
            a.await(() -> !a.ask("reason", "status").isEmpty());
            assertEquals("IN_DOUBT", ServerProcess.member(waiting.join().out(), "outcome"));
            assertFenced(copy);
            a.kill();
            a.start();
            assertFenced(copy);
            copy.kill();
        }
        a.kill();
    }

    /** The old primary knows both terms, says so, and takes no commit, not even one that waits for nobody. */
    private void assertFenced(ServerProcess by) {
        String why = a.ask("reason", "status");
        assertTrue(why.contains("is fenced by term " + by.ask("term", "status") + ':'), why);
        assertTrue(why.contains("this server, of term 1/"), why);
        Result refused = a.tryShell("put", "more", "1", "--commit", "local");
        assertTrue(refused.status() != 0 && refused.err().contains(why), refused::toString);
    }

    private static String lastEpochBegan(Path directory) {
        try {
            Matcher epochs = LAST_EPOCH.matcher(Files.readString(directory.resolve("control")));
            assertTrue(epochs.find());
            return epochs.group(1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void degrade() {
        a.shell("set", "standby_unavailable", "degrade");
        b.stop();
        a.await(() -> a.ask("mode", "status").equals("degraded"));
    }

    /** Makes the other commit; returns what the client was told. */
    private String commit(String outcome) {
        String told = a.shell("put", "other", "1", "--json");
        assertEquals(outcome, ServerProcess.member(told, "outcome"));
        return told;
    }

    private static String receipt(String told) {
        return ServerProcess.member(told, "receipt");
    }

    private void start() {
        a = ServerProcess.primary(
                        folder.resolve("a"), "--listen", Pair.endpoint(portOfA), "--set", "wal_segment_size=1MB")
                .start();
        b = ServerProcess.standby(
                        folder.resolve("b"),
                        Pair.endpoint(network.port()),
                        "--listen",
                        Pair.endpoint(portOfB),
                        "--set",
                        "wal_retrieve_retry_interval=100ms")
                .start();
        awaitStreaming(b);
        replicated = receipt(a.shell("put", "replicated", "1", "--json"));
    }

    @AfterEach
    void end() {
        if (a != null) {
            a.close();
            b.close();
        }
        network.close();
    }

    private static void awaitStreaming(ServerProcess standby) {
        standby.await(() -> standby.ask("receiver", "status").equals("streaming"));
    }

    static List<Case> cases() {
        return CaseTable.below(TABLE);
    }

    @Test
    void everyCourseOfTheseTestsStandsInTheTableAndTheOtherWayRound() {
        assertEquals(
                courses.keySet(),
                cases().stream().map(row -> row.get("until then")).collect(Collectors.toSet()));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void whatTheTableSaysIsSo(Case row) throws IOException {
        start();
        courses.get(row.get("until then")).run();

        String promotion = promote();
        assertEquals(row.get("promotion"), promotion);
        assertEquals(row.get("REPLICATED"), status(b, replicated));
        assertEquals(row.get("the other"), status(b, other));
        assertEquals("1\n", b.shell("get", "replicated"));
        assertEquals(
                status(b, other).equals("COMMITTED"), b.tryShell("get", "other").status() == 0);
        b.shell("put", "after", "1", "--commit", "local");

        assertEquals(row.get("a returns"), promotion.equals(NOT_NEEDED) ? goOn() : comeBack());
        long endLsn = b.askLsn("flush_lsn", "status");
        a.await(() -> a.askLsn("replay_lsn", "status") >= endLsn);
        assertEquals(b.shell("digest", "--json"), a.shell("digest", "--json"));
        assertEquals(row.get("REPLICATED"), status(a, replicated));
        assertEquals(row.get("the other"), status(a, other));
        assertEquals("REPLICATED", b.ask("outcome", "put", "both", "again", "--commit", "on"));
    }

    private static String status(ServerProcess server, String receipt) {
        return server.ask("status", "commit", "status", receipt);
    }

    private String promote() {
        if (b.ask("role", "status").equals("primary")) {
            return NOT_NEEDED;
        }
        Result promoted = b.tryShell("promote");
        if (promoted.status() == 0) {
            return "accepted";
        }
        assertTrue(
                promoted.err().contains("commits were acknowledged that are not here: WAL from ")
                        && promoted.err().contains("--force"),
                promoted::toString);
        b.shell("promote", "--force");
        return "refused";
    }

    /** The old primary has become a standby without a restart. */
    private String goOn() {
        awaitStreaming(a);
        return FOLLOWS;
    }

    /** Starts the old primary as a standby of the new one; if that refuses it, rewinds it. */
    private String comeBack() {
        asStandby("standby");
        a.await(() -> a.ask("receiver", "status").equals("streaming")
                || !a.ask("last_error", "status").isEmpty());
        if (a.ask("receiver", "status").equals("streaming")) {
            return FOLLOWS;
        }
        String refused = a.ask("last_error", "status");
        assertTrue(refused.contains("lockstep rewind") && refused.contains(parting()), refused);
        assertTrue(a.tryShell("get", "after").status() != 0);
        a.stop();
        asStandby("rewind");
        awaitStreaming(a);
        if (a.log().contains("takes a base backup")) {
            return REFUSED_UNTIL_REBUILT;
        }
        assertTrue(a.log().contains("the WAL is rewound from ") && a.log().contains(" to " + parting()), a.log());
        assertTrue(Files.isDirectory(a.directory().resolve("diverged")), "what is cut off is kept");
        return REFUSED_UNTIL_REWIND;
    }

    private void asStandby(String command) {
        Result started =
                ServerProcess.lockstep(command, a.directory().toString(), "--from", Pair.endpoint(portOfB), "--daemon");
        assertEquals(0, started.status(), started::toString);
    }

    private String parting() {
        if (!parted.isEmpty()) {
            return parted;
        }
        try {
            return Files.readString(b.directory().resolve("pg_wal/00000002.history"))
                    .split("\t", -1)[1];
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
