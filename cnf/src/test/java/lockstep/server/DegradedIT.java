package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a primary does while standbys are away, with real processes. */
final class DegradedIT {
    private static final String SECOND = "s2";

    @TempDir
    private static Path folder;

    private static Pair pair;
    private static ServerProcess primary;
    private static ServerProcess second;

    @BeforeAll
    static void start() {
        pair = new Pair(folder, "standby_timeout=500ms", "degraded_return_delay=100ms").start();
        primary = pair.primary();
        second = pair.another(SECOND, SECOND).start();
        pair.awaitStreaming(SECOND);
    }

    @AfterAll
    static void end() {
        second.close();
        pair.close();
    }

    @BeforeEach
    void allAreThereAndCommitsWouldWait() {
        primary.shell("set", "standby_unavailable", "hang");
        primary.shell("set", "min_copies", "1");
        primary.shell("set", "synchronous_standby_names", "*");
        awaitMode("normal");
    }

    private static void awaitMode(String mode) {
        primary.await(() -> primary.ask("mode", "status").equals(mode));
    }

    private static void assertReturns(CompletableFuture<Result> commit) {
        Result result = commit.join();
        assertEquals(0, result.status(), result::toString);
    }

    @Test
    void anyOneOfTwoIsEnoughAndTheirStatesSaySo() throws IOException {
        primary.shell("set", "synchronous_standby_names", "ANY 1 (s1, s2)");
        assertEquals("quorum", ServerProcess.member(pair.row(Pair.NAME), "sync_state"));
        assertEquals("quorum", ServerProcess.member(pair.row(SECOND), "sync_state"));
        second.kill();
        primary.shell("put", "any", "one", "--commit", "on");
        second.start();
        pair.awaitStreaming(SECOND);
        pair.assertSame(second);
    }

    @Test
    void namesThatAreChangedCountForThoseThatWait() {
        primary.shell("set", "synchronous_standby_names", "FIRST 3 (s1, s2, nobody)");
        CompletableFuture<Result> waiting = primary.begin("put", "names", "changed", "--commit", "on");
        primary.await(() -> pair.waiters("on") == 1);
        String explained = primary.shell("queue", "explain");
        assertTrue(explained.contains("nobody"), explained);
        assertFalse(waiting.isDone());
        primary.shell("set", "synchronous_standby_names", "FIRST 2 (s1, s2)");
        assertReturns(waiting);
        assertEquals("2", ServerProcess.member(pair.row(SECOND), "sync_priority"));
        Result refused = primary.tryShell("set", "synchronous_standby_names", "FIRST (s1)");
        assertEquals(1, refused.status());
        assertTrue(refused.err().contains("syntax error at \"(\" (character 7)"), refused::toString);
    }

    @Test
    void afterTheTimeTheServerDegradesAndWhenTheStandbyIsBackItReturns() throws IOException {
        primary.shell("set", "synchronous_standby_names", "s1");
        primary.shell("set", "standby_unavailable", "wait");
        pair.standby().kill();
        CompletableFuture<Result> waiting = primary.begin("put", "degraded", "commit", "--commit", "on");
        assertReturns(waiting);
        awaitMode("degraded");
        assertTrue(primary.shell("degraded", "log").contains("standby_unavailable=wait"));
        pair.standby().start();
        awaitMode("normal");
        pair.assertSame();
        String periods = primary.shell("degraded", "log", "--json");
        pair.standby()
                .await(() -> pair.standby().shell("degraded", "log", "--json").equals(periods));
        assertTrue(primary.shell("wal", "dump").contains("NOOP lockstep degraded"));
        Pair.assertLogReadable(primary);
    }

    @Test
    void aStandbyThatLeavesInGoodOrderIsNotWaitedFor() {
        primary.shell("set", "standby_timeout", "1h");
        primary.shell("set", "synchronous_standby_names", "s1");
        primary.shell("set", "standby_unavailable", "wait");
        pair.standby().stop();
        awaitMode("degraded");
        primary.shell("put", "left", "in good order", "--commit", "on");
        pair.standby().start();
        awaitMode("normal");
        primary.shell("set", "standby_timeout", "500ms");
    }

    @Test
    void degradedModeKeepsMinCopies() {
        primary.shell("set", "synchronous_standby_names", "FIRST 2 (s1, s2)");
        primary.shell("set", "min_copies", "2");
        primary.shell("set", "standby_unavailable", "degrade");
        second.kill();
        awaitMode("degraded");
        primary.shell("put", "two", "copies", "--commit", "on");
        pair.standby().kill();
        CompletableFuture<Result> waiting = primary.begin("put", "one", "copy", "--commit", "on");
        primary.await(() -> pair.waiters("on") == 1);
        assertFalse(waiting.isDone());
        pair.standby().start();
        assertReturns(waiting);
        second.start();
        awaitMode("normal");
    }
}
