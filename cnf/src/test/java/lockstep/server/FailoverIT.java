package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A primary {@code a} that is lost, and standbys {@code b} and {@code c}, of which {@code b} takes its place. */
final class FailoverIT {
    @TempDir
    private Path folder;

    private final int portOfA = Pair.freePort();
    private final int portOfB = Pair.freePort();
    private final TcpProxy networkOfC = new TcpProxy(portOfA);
    private ServerProcess a;
    private ServerProcess b;
    private ServerProcess c;

    @BeforeEach
    void start() {
        a = ServerProcess.primary(folder.resolve("a"), "--listen", endpoint(portOfA), "--set", "wal_segment_size=1MB")
                .start();
        b = ServerProcess.standby(
                        folder.resolve("b"),
                        endpoint(portOfA),
                        "--listen",
                        endpoint(portOfB),
                        "--set",
                        "wal_retrieve_retry_interval=100ms")
                .start();
        awaitStreaming(b);
        c = ServerProcess.standby(
                folder.resolve("c"),
                endpoint(networkOfC.port()) + "," + endpoint(portOfB),
                "--set",
                "wal_retrieve_retry_interval=100ms");
    }

    @AfterEach
    void end() {
        a.close();
        b.close();
        c.close();
        networkOfC.close();
    }

    private static String endpoint(int port) {
        return "tcp://127.0.0.1:" + port;
    }

    private static void awaitStreaming(ServerProcess standby) {
        standby.await(() -> standby.ask("receiver", "status").equals("streaming"));
    }

    private static void awaitSame(ServerProcess primary, ServerProcess standby) {
        long endLsn = primary.askLsn("flush_lsn", "status");
        standby.await(() -> standby.askLsn("replay_lsn", "status") >= endLsn);
        assertEquals(primary.shell("digest", "--json"), standby.shell("digest", "--json"));
    }

    @Test
    void aPromotedStandbyHasAllThatWasAcknowledgedUnderLoadAndTheOthersFollowIt() throws IOException {
        c.start();
        awaitStreaming(c);
        Path acked = folder.resolve("acked");
        CompletableFuture<Result> load = a.begin(
                "load",
                "--clients",
                "4",
                "--seconds",
                "60",
                "--bytes",
                "3000",
                "--commit",
                "on",
                "--acked",
                acked.toString());
        a.await(() -> isLargerThan(acked, 1000));
        // Of two that are fed at once either may have more when the primary dies, and who has less cannot be followed
        // by the other.
        networkOfC.stallAfter(0);
        a.await(networkOfC::hasStalled);
        long unknownToC = ServerProcess.lsn(a.ask("lsn", "put", "unknown to", "c", "--commit", "local"));
        b.await(() -> b.askLsn("flush_lsn", "status") >= unknownToC);
        a.kill();
        networkOfC.close();
        load.join();

        String promoted =
                ServerProcess.lockstep("promote", b.directory().toString()).out();
        assertTrue(promoted.startsWith("PROMOTED: timeline 2 begins at "), promoted);
        assertEquals("primary", b.ask("role", "status"));
        assertEquals("2", b.ask("timeline", "status"));
        Pair.assertHolds(b, acked);

        awaitStreaming(c);
        b.shell("put", "after", "the failover", "--commit", "remote_apply");
        assertEquals("the failover", c.shell("get", "after").strip());
        awaitSame(b, c);
        assertEquals("2", c.ask("timeline", "status"));
        assertEquals(
                Files.readString(b.directory().resolve("pg_wal/00000002.history")),
                Files.readString(c.directory().resolve("pg_wal/00000002.history")));
        b.shell("wal", "verify");
        c.shell("wal", "verify");
        assertTimelineBeginsInPgWaldumpsEyes(b);
        assertTimelineBeginsInPgWaldumpsEyes(c);

        b.kill();
        b = ServerProcess.primary(b.directory()).start();
        assertEquals("the failover", b.shell("get", "after").strip());
        awaitStreaming(c);
        c.close();
        ServerProcess d =
                ServerProcess.standby(folder.resolve("d"), endpoint(portOfB)).start();
        try {
            awaitStreaming(d);
            awaitSame(b, d);
        } finally {
            d.close();
        }
    }

    private static void assertTimelineBeginsInPgWaldumpsEyes(ServerProcess server) throws IOException {
        String start = Files.readString(server.directory().resolve("pg_wal/00000002.history"))
                .split("\t", -1)[1];
        long startLsn = ServerProcess.lsn(start);
        String segment = String.format("%08X%08X%08X", 2, startLsn >>> 32, (startLsn & 0xFFFF_FFFFL) >> 20);
        Result dump = ServerProcess.run(List.of(
                "/usr/lib/postgresql/15/bin/pg_waldump",
                "--path",
                server.directory().resolve("pg_wal").toString(),
                "--limit=1",
                "--start=" + start,
                segment));
        assertTrue(dump.out().contains("END_OF_RECOVERY tli 2; prev tli 1"), dump::toString);
    }

    private static boolean isLargerThan(Path file, long bytes) {
        try {
            return Files.exists(file) && Files.size(file) > bytes;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void anOldPrimaryWhoseDataIsPastTheForkTakesABaseBackupAndSaysSo() {
        a.shell("put", "one", "1");
        b.kill();
        a.shell("put", "lost", "1", "--commit", "local");
        a.shell("checkpoint");
        a.kill();
        b.start();
        b.shell("promote");
        b.shell("put", "two", "2", "--commit", "local");

        asStandby("rewind", "--no-backup");
        a.await(() -> a.log().contains("It needs a base backup"));
        a.stop();

        asStandby("rewind");
        awaitStreaming(a);
        awaitSame(b, a);
        assertTrue(a.log().contains("takes a base backup"), a.log());
    }

    @Test
    void aPrimaryThatHasBeenReplacedTakesNoCommitsAsSoonAsItHearsOfItAndAlsoAfterARestart() {
        b.shell("promote");
        b.shell("put", "new", "1", "--commit", "local");
        a.shell("put", "old", "1", "--commit", "local");

        // It knows the new primary, and tries the old one first.
        c = ServerProcess.standby(folder.resolve("c"), endpoint(portOfB), "--set", "wal_retrieve_retry_interval=100ms")
                .start();
        awaitStreaming(c);
        c.stop();
        c = ServerProcess.standby(folder.resolve("c"), endpoint(portOfA) + "," + endpoint(portOfB))
                .start();
        awaitStreaming(c);
        assertFenced(a.tryShell("put", "more", "1", "--commit", "local"));
        a.kill();
        a.start();
        assertFenced(a.tryShell("put", "more", "1", "--commit", "local"));
        assertTrue(a.ask("reason", "status").contains("fenced by term 2/"));
    }

    private static void assertFenced(Result put) {
        assertNotEquals(0, put.status(), put::toString);
        assertTrue(put.err().contains("fenced by term 2/"), put::toString);
    }

    @Test
    void aTriggerFilePromotes() throws IOException {
        b.stop();
        Path conf = b.directory().resolve("recovery.conf");
        Files.writeString(conf, Files.readString(conf) + "trigger_file = 'promote'\n");
        b.start();
        a.kill();
        Files.writeString(b.directory().resolve("promote"), "");
        b.await(() -> b.ask("role", "status").equals("primary")
                && b.ask("state", "status").equals("running"));
        b.shell("put", "one", "1", "--commit", "local");
        assertFalse(Files.exists(b.directory().resolve("promote")));
        assertTrue(Files.exists(b.directory().resolve("recovery.done")));
    }

    @Test
    void aStandbyWhoseRedoIsPausedIsNotPromotedAndGoesOn() {
        b.shell("redo", "pause");
        Result refused = b.tryShell("promote");
        assertNotEquals(0, refused.status());
        assertTrue(refused.err().contains("redo is paused"), refused::toString);
        b.shell("redo", "resume");
        a.shell("put", "one", "1", "--commit", "remote_apply");
        assertEquals("1", b.ask("timeline", "status"));
    }

    /** Starts the old primary as a standby of the new one. */
    private void asStandby(String command, String... options) {
        List<String> words =
                new ArrayList<>(List.of(command, a.directory().toString(), "--from", endpoint(portOfB), "--daemon"));
        words.addAll(List.of(options));
        Result started = ServerProcess.lockstep(words.toArray(String[]::new));
        assertEquals(0, started.status(), started::toString);
    }
}
