package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A primary and a standby that do their work, side by side. One pair serves all tests; each leaves it streaming. */
@TestMethodOrder(MethodOrderer.Random.class)
final class ReplicationIT {
    @TempDir
    private static Path folder;

    private static Pair pair;
    private static ServerProcess primary;
    private static ServerProcess standby;

    @BeforeAll
    static void startFromEmpty() {
        pair = new Pair(folder).start();
        primary = pair.primary();
        standby = pair.standby();
    }

    @AfterAll
    static void end() {
        pair.close();
    }

    @ParameterizedTest
    @ValueSource(strings = {"off", "local", "remote_write", "on", "remote_apply"})
    void aCommitOfEachLevelIsAcknowledgedAndReadableOnTheStandbyAfterItsLsn(String level) {
        String lsn = primary.ask("lsn", "put", "level " + level, level, "--commit", level);
        assertEquals(level + "\n", standby.shell("get", "level " + level, "--after", lsn));
    }

    @Test
    void theStandbyRefusesToWrite() {
        Result refused = standby.tryShell("put", "a", "b");
        assertEquals(1, refused.status());
        assertTrue(refused.err().contains("this server is a standby"), refused::toString);
        assertEquals(1, standby.tryShell("get", "a").status());
    }

    @Test
    void whileTheStandbyIsAwayLocalCommitsReturnAndOthersWaitForIt() throws IOException {
        standby.stop();
        primary.shell("put", "away", "local", "--commit", "local");
        CompletableFuture<Result> waiting = primary.begin("put", "away", "on", "--commit", "on");
        primary.await(() -> pair.waiters("on") == 1);
        assertFalse(waiting.isDone());
        standby.start();
        Result released = waiting.join();
        assertEquals(0, released.status(), released::toString);
        assertEquals(0, pair.waiters("on"));
        pair.awaitStreaming();
        pair.assertSame();
    }

    @Test
    void whileRedoIsPausedOnlyItsResultIsWaitedFor() throws IOException {
        standby.shell("redo", "pause");
        primary.shell("put", "paused", "on", "--commit", "on");
        CompletableFuture<Result> waiting = primary.begin("put", "paused", "remote_apply", "--commit", "remote_apply");
        primary.await(() -> pair.waiters("remote_apply") == 1);
        long flushedLsn = primary.askLsn("flush_lsn", "status");
        primary.await(() -> ServerProcess.lsn(ServerProcess.member(pair.row(Pair.NAME), "flush_lsn")) >= flushedLsn);
        String lag = ServerProcess.member(pair.row(Pair.NAME), "replay_lag");
        primary.await(
                () -> ServerProcess.member(pair.row(Pair.NAME), "replay_lag").compareTo(lag) > 0);
        assertEquals("paused", standby.ask("redo", "status"));
        assertFalse(waiting.isDone());
        standby.shell("redo", "resume");
        Result released = waiting.join();
        assertEquals(0, released.status(), released::toString);
        pair.assertSame();
    }

    @Test
    void redoThatKeepsUpReadsNoFile() {
        long fromFiles = standby.askNumber("wal_reads_from_files", "status");
        long fromMemory = standby.askNumber("wal_reads_from_memory", "status");
        primary.shell("load", "--clients", "4", "--seconds", "2");
        assertEquals(fromFiles, standby.askNumber("wal_reads_from_files", "status"));
        assertNotEquals(fromMemory, standby.askNumber("wal_reads_from_memory", "status"));
    }

    @Test
    void bothLogsAreEqualAndPgWaldumpReadsThemFromStartToEnd() throws IOException {
        pair.fillSegments(3);
        pair.assertSame();
        Pair.assertLogReadable(primary);
        Pair.assertLogReadable(standby);
    }

    @Test
    void aSecondStandbyOfTheSameNameIsRefused() {
        try (ServerProcess twin = pair.another("twin", Pair.NAME)) {
            Result refused = twin.tryStart();
            assertEquals(1, refused.status(), refused::toString);
            assertTrue(refused.err().contains("is not ready, and goes on trying: the primary at "), refused::toString);
            assertBothSay(twin, "a standby named \"s1\" is connected");
        }
        pair.awaitStreaming();
    }

    @Test
    void aStandbyOfAnotherSystemIsRefused() {
        Path elsewhere = folder.resolve("elsewhere");
        try (Pair other = new Pair(elsewhere).start()) {
            other.standby().stop();
            ServerProcess lost = pair.another("elsewhere/" + Pair.NAME, "lost");
            lost.start();
            assertBothSay(lost, "\"lost\" belongs to system " + other.primary().ask("system_identifier", "status"));
        }
    }

    private static void assertBothSay(ServerProcess refused, String reason) {
        refused.await(() -> refused.shell("receiver").contains(reason));
        assertTrue(refused.shell("receiver").contains("refuses"));
        assertTrue(primary.log().contains(reason));
    }
}
