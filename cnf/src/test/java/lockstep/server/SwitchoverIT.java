package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A primary {@code a} and its standby {@code b}, which exchange roles while commits run. */
final class SwitchoverIT {
    private static final String RETRY = "wal_retrieve_retry_interval=100ms";

    @TempDir
    private Path folder;

    private final String endpointOfA = Pair.endpoint(Pair.freePort());
    private final String endpointOfB = Pair.endpoint(Pair.freePort());
    private final String endpointOfC = Pair.endpoint(Pair.freePort());
    private ServerProcess a;
    private ServerProcess b;
    private ServerProcess c;

    @BeforeEach
    void start() {
        a = ServerProcess.primary(
                        folder.resolve("a"),
                        "--listen",
                        endpointOfA,
                        "--set",
                        "wal_segment_size=1MB",
                        "--set",
                        RETRY,
                        "--set",
                        "standby_timeout=10ms")
                .start();
        b = standby("b", endpointOfB, endpointOfA).start();
        awaitStreaming(b);
        c = standby("c", endpointOfC, endpointOfA + "," + endpointOfB);
    }

    private ServerProcess standby(String name, String listen, String from) {
        return ServerProcess.standby(folder.resolve(name), from, "--listen", listen, "--set", RETRY);
    }

    @AfterEach
    void end() {
        a.close();
        b.close();
        c.close();
    }

    private static void awaitStreaming(ServerProcess standby) {
        standby.await(() -> standby.ask("role", "status").equals("standby")
                && standby.ask("receiver", "status").equals("streaming"));
    }

    private static void awaitPrimary(ServerProcess server) {
        server.await(() -> server.ask("role", "status").equals("primary")
                && server.ask("state", "status").equals("running"));
    }

    private static Result switchOver(ServerProcess from, String to, String... options) {
        String[] words = new String[3 + options.length];
        words[0] = "switchover";
        words[1] = from.directory().toString();
        words[2] = to;
        System.arraycopy(options, 0, words, 3, options.length);
        return ServerProcess.lockstep(words);
    }

    private CompletableFuture<Result> load(ServerProcess primary, Path acked, String seconds) {
        CompletableFuture<Result> load = primary.begin(
                "load", "--clients", "4", "--seconds", seconds, "--commit", "on", "--acked", acked.toString());
        primary.await(() -> isLargerThan(acked, 500));
        return load;
    }

    private static boolean isLargerThan(Path file, long bytes) {
        try {
            return Files.exists(file) && Files.size(file) > bytes;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static void assertSame(ServerProcess primary, ServerProcess standby) {
        long endLsn = primary.askLsn("flush_lsn", "status");
        standby.await(() -> standby.askLsn("replay_lsn", "status") >= endLsn);
        assertEquals(primary.shell("digest", "--json"), standby.shell("digest", "--json"));
    }

    @Test
    void rolesAreExchangedBackAndForthUnderLoadAndNoAcknowledgedCommitIsMissing() throws IOException {
        c.start();
        awaitStreaming(c);
        int timeline = 1;
        for (int round = 0; round < 2; round++) {
            exchange(a, b, "b", endpointOfB, ++timeline);
            exchange(b, a, "a", endpointOfA, ++timeline);
        }
        assertTrue(a.log().lines().noneMatch(line -> line.contains(" ERROR ")), a.log());

        long pid = b.pid();
        b.stop();
        b = ServerProcess.standby(b.directory()).start();
        assertNotEquals(pid, b.pid());
        awaitStreaming(b);
        assertSame(a, b);
    }

    private void exchange(ServerProcess from, ServerProcess to, String name, String endpoint, int timeline)
            throws IOException {
        Path acked = folder.resolve("acked" + timeline);
        long pid = from.pid();
        CompletableFuture<Result> load = load(from, acked, "60");

        Result done = switchOver(from, name);
        assertEquals(0, done.status(), done::toString);
        assertTrue(
                done.out()
                        .matches("SWITCHED OVER: " + name + " is the primary on timeline " + timeline
                                + " from [0-9A-F]+/[0-9A-F]+; pause \\d+ ms\\s*"),
                done::toString);

        Result ended = load.join();
        assertTrue(
                ended.err().contains("this server is not the primary any more: \"" + name + "\" is, at " + endpoint),
                ended::toString);
        assertEquals(pid, from.pid(), "it has not been restarted");
        awaitPrimary(to);
        awaitStreaming(from);
        Pair.assertHolds(to, acked);
        to.shell("put", "after", Integer.toString(timeline), "--commit", "remote_apply");
        assertSame(to, from);
        awaitStreaming(c);
        assertSame(to, c);
        assertEquals(Integer.toString(timeline), c.ask("timeline", "status"));

        Result put = from.tryShell("put", "x", "1");
        assertNotEquals(0, put.status());
        assertTrue(put.err().contains("write to its primary, at " + endpoint), put::toString);
    }

    @Test
    void aLoadThatIsToldToFollowGoesOnAtTheNewPrimaryAndBackAndMissesNothing() throws IOException {
        Path acked = folder.resolve("acked");
        CompletableFuture<Result> load = a.begin(
                "load",
                "--clients",
                "2",
                "--seconds",
                "5",
                "--acked",
                acked.toString(),
                "--follow",
                b.directory().toString());
        a.await(() -> isLargerThan(acked, 500));
        assertEquals(0, switchOver(a, "b").status());
        long atB = acked.toFile().length();
        b.await(() -> isLargerThan(acked, atB + 500));
        assertEquals(0, switchOver(b, "a").status());

        Result ended = load.join();
        assertEquals(0, ended.status(), ended::toString);
        assertEquals(
                1,
                ended.out()
                        .lines()
                        .filter(line -> line.startsWith("replicated "))
                        .count(),
                ended::toString);
        assertTrue(ended.out().matches("(?s).*\\bfailed +0\\b.*"), ended::toString);
        assertTrue(
                ended.out()
                        .matches(
                                "(?s).*\\bcommits +" + Files.readAllLines(acked).size() + "\\b.*"),
                ended::toString);
        Pair.assertHolds(a, acked);
        assertSame(a, b);
    }

    @Test
    void whatCannotBeDoneIsRefusedWithReasonAndCureAndThePrimaryGoesOn() {
        assertRefused(switchOver(b, "a"), "this server is a standby: switchover is called on a primary");
        assertRefused(switchOver(a, "x"), "there is no standby \"x\" here; connected are: b");
        ServerProcess leaf = standby("c", endpointOfC, endpointOfB).start();
        awaitStreaming(leaf);
        a.await(() -> a.shell("standbys", "--tree", "--json").contains("\"c\""));
        assertRefused(switchOver(a, "c"), "is a standby of a standby. Switch over to the one that it follows");
        assertRefused(switchOver(a, "b", "--endpoint", Pair.endpoint(Pair.freePort())), "connection refused");
        b.shell("set", "listen_addresses", "");
        awaitStreaming(b);
        a.await(() -> a.ask("streaming_standbys", "status").equals("1"));
        assertRefused(switchOver(a, "b"), "it listens nowhere");

        a.shell("set", "standby_unavailable", "degrade");
        b.kill();
        a.await(() -> a.ask("mode", "status").equals("degraded"));
        assertRefused(switchOver(a, "b"), "this server is in degraded mode");
        a.shell("put", "one", "1");
    }

    private static void assertRefused(Result switchover, String reason) {
        assertEquals(1, switchover.status(), switchover::toString);
        assertTrue(switchover.err().contains(reason), switchover::toString);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({"before it is told to take over,a,switchover to", "when it is told to,b,-> promoting: switchover"})
    void aStandbyThatIsKilledMidwayLeavesOnePrimaryWithAllThatWasAcknowledged(
            String moment, String whose, String logged) throws IOException {
        Path acked = folder.resolve("acked");
        CompletableFuture<Result> load = load(a, acked, "5");
        CompletableFuture<Result> exchange = CompletableFuture.supplyAsync(() -> switchOver(a, "b", "--timeout", "2s"));
        ServerProcess teller = whose.equals("a") ? a : b;
        while (!teller.log().contains(logged)) {
            assertTrue(b.isAlive(), moment);
        }
        b.kill();
        // Whatever has become of it, the server that was killed comes back as what its files make it.
        b = Files.exists(b.directory().resolve("recovery.conf"))
                ? ServerProcess.standby(b.directory())
                : ServerProcess.primary(b.directory());
        b.start();

        boolean exchanged = b.ask("role", "status").equals("primary");
        ServerProcess primary = exchanged ? b : a;
        ServerProcess other = exchanged ? a : b;
        awaitStreaming(other);
        awaitPrimary(primary);
        Result result = exchange.join();
        assertTrue(exchanged || result.status() != 0, result::toString);
        load.join();
        Pair.assertHolds(primary, acked);
        primary.shell("put", "after", "1", "--commit", "remote_apply");
        assertSame(primary, other);
    }
}
