package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** A primary, its standby s1, and a standby of that. Each test leaves them streaming. */
@TestMethodOrder(MethodOrderer.Random.class)
final class CascadeIT {
    private static final String LEAF = "s2";

    @TempDir
    private static Path folder;

    private static Pair pair;
    private static String relaysEndpoint;
    private static ServerProcess primary;
    private static ServerProcess relay;
    private static ServerProcess leaf;

    @BeforeAll
    static void startFromEmpty() {
        pair = new Pair(folder);
        primary = pair.primary();
        relaysEndpoint = Pair.endpoint(Pair.freePort());
        relay = pair.follower(Pair.NAME, pair.endpoint(), "--listen", relaysEndpoint);
        leaf = pair.follower(LEAF, relaysEndpoint);
        primary.start();
        relay.start();
        leaf.start();
        awaitTree();
    }

    @AfterAll
    static void end() {
        leaf.close();
        pair.close();
    }

    /** Returns what a server shows of the leaf; empty if it does not show it. */
    private static String node(ServerProcess server) {
        return Arrays.stream(server.shell("standbys", "--tree", "--json").split("(?<=\\}),", -1))
                .filter(node -> node.contains("\"application_name\":\"" + LEAF + '"'))
                .findFirst()
                .orElse("");
    }

    private static String member(String name) {
        return ServerProcess.member(node(primary), name);
    }

    /** Waits until the primary sees the leaf behind the relay, with nothing to catch up. */
    private static void awaitTree() {
        primary.await(() -> node(primary).contains("\"upstream\":\"" + Pair.NAME + '"')
                && member("state").equals("streaming")
                && member("replay_lag_bytes").equals("0"));
    }

    @Test
    void aRelayThatIsKilledUnderLoadIsFollowedAgainAndNothingIsMissing() throws IOException {
        Path acked = folder.resolve("acked");
        long startLsn = primary.askLsn("flush_lsn", "status");
        CompletableFuture<Result> load = primary.begin(
                "load", "--clients", "4", "--seconds", "3", "--bytes", "500", "--acked", acked.toString());
        leaf.await(() -> leaf.askLsn("flush_lsn", "status") > startLsn);
        relay.kill();
        relay.start();
        assertEquals(0, load.join().status());
        awaitTree();
        pair.assertSame();
        pair.assertSame(leaf);
        Pair.assertHolds(leaf, acked);
        Pair.assertLogReadable(leaf);
    }

    @Test
    void lagOfTheLeafIsSeenAtTheTopAndGrowsWhileItsRedoIsPaused() {
        assertEquals("0", member("replay_lag_us"));
        assertEquals("2", member("depth"));
        leaf.shell("redo", "pause");
        primary.shell("put", "while", "paused");
        long endLsn = primary.askLsn("flush_lsn", "status");
        primary.await(() -> ServerProcess.lsn(member("flush_lsn")) >= endLsn);
        assertEquals("0", member("flush_lag_us"));
        assertNotEquals("0", member("replay_lag_bytes"));
        assertGrows("replay_lag_us");
        leaf.shell("redo", "resume");
        awaitTree();
        assertEquals("0", member("replay_lag_us"));
    }

    @Test
    void lagOfALeafFromWhichNobodyHearsGrowsAtTheTop() {
        leaf.signal("STOP");
        primary.shell("put", "while", "stopped");
        assertNotEquals("0", member("flush_lag_bytes"));
        assertGrows("flush_lag_us");
        leaf.signal("CONT");
        awaitTree();
    }

    private static void assertGrows(String lag) {
        long before = Long.parseLong(member(lag));
        primary.await(() -> Long.parseLong(member(lag)) > before + 1_000_000);
    }

    @Test
    void aLeafWhoseRelayIsDeadFollowsThePrimary() throws IOException {
        try (ServerProcess both = pair.follower("s3", relaysEndpoint + "," + pair.endpoint())) {
            both.start();
            relay.await(() -> relay.shell("standbys", "--json").contains("\"application_name\":\"s3\""));
            relay.kill();
            primary.shell("put", "without", "relay");
            pair.awaitStreaming("s3");
            pair.assertSame(both);
        }
        relay.start();
        awaitTree();
    }

    @Test
    void theRelayShowsItsLeafAndNoCommitWaitsForIt() {
        assertEquals(LEAF, relay.ask("application_name", "standbys"));
        assertEquals("async", relay.ask("sync_state", "standbys"));
        assertTrue(relay.shell("status").contains(relaysEndpoint + "  listening"));
    }
}
