package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which WAL is kept for a standby that is away and for the archive, and what becomes of a standby for which it was not. */
final class RetentionIT {
    private static final String NO_WAIT = "synchronous_standby_names=";
    private static final String KEEP_NOTHING = "wal_keep_size=0";

    @TempDir
    private Path folder;

    /** Two of them, since WAL is kept back to the one before the last. */
    private static void checkpoints(ServerProcess primary) {
        for (int i = 0; i < 2; i++) {
            primary.shell("put", "checkpoint", Integer.toString(i));
            primary.shell("checkpoint");
        }
    }

    private static String first(ServerProcess server) throws IOException {
        return Pair.segments(server).get(0).getFileName().toString();
    }

    /** Starts both, where the standby has a slot from its first connection on. */
    private static ServerProcess startWithSlot(Pair pair) throws IOException {
        pair.primary().start();
        pair.primary().shell("slot", "create", Pair.NAME);
        ServerProcess standby = pair.standby();
        standby.start();
        standby.stop();
        Files.writeString(
                standby.directory().resolve("recovery.conf"), "\nprimary_slot_name = s1\n", StandardOpenOption.APPEND);
        standby.start();
        pair.awaitStreaming();
        pair.primary().await(() -> pair.primary().ask("active", "slots").equals("true"));
        return standby;
    }

    @Test
    void aStandbyThatWasAwayFindsItsWalInItsSlot() throws IOException {
        try (Pair pair = new Pair(folder, NO_WAIT, KEEP_NOTHING)) {
            ServerProcess primary = pair.primary();
            ServerProcess standby = startWithSlot(pair);
            assertEquals(Pair.NAME, standby.ask("slot_name", "receiver"));
            standby.stop();
            String kept = first(primary);
            pair.fillSegments(4);
            checkpoints(primary);
            primary.kill();
            primary.start();
            checkpoints(primary);
            assertEquals(kept, first(primary), "a slot keeps its WAL over checkpoints, a crash and a restart");
            assertEquals("false", primary.ask("active", "slots"));
            standby.start();
            pair.awaitStreaming();
            pair.assertSame();
            checkpoints(primary);
            primary.await(() -> {
                checkpoints(primary);
                return !Files.exists(primary.directory().resolve("pg_wal/" + kept));
            });
        }
    }

    @Test
    void aStandbyWhoseSlotIsLostIsToldSoAndComesBackByARebuild() throws IOException {
        try (Pair pair = new Pair(folder, NO_WAIT, KEEP_NOTHING, "max_slot_wal_keep_size=2MB")) {
            ServerProcess primary = pair.primary();
            ServerProcess standby = startWithSlot(pair);
            standby.stop();
            String neededLsn = primary.ask("restart_lsn", "slots");
            pair.fillSegments(5);
            checkpoints(primary);
            assertEquals("lost", primary.ask("wal_status", "slots"));
            assertEquals("wal_removed", primary.ask("invalidation_reason", "slots"));
            assertTrue(primary.log().contains("replication slot \"s1\" is invalidated"));

            standby.start();
            standby.await(() -> standby.ask("last_error", "receiver").contains("was invalidated"));
            String error = standby.ask("last_error", "receiver");
            assertTrue(
                    error.contains("needs WAL from " + neededLsn) && error.contains("this server has WAL from"), error);

            Result unconfirmed = standby.tryShell("rebuild");
            assertNotEquals(0, unconfirmed.status());
            assertTrue(unconfirmed.err().contains("rebuild --yes"), unconfirmed::toString);
            long pid = standby.pid();
            standby.shell("rebuild", "--yes");
            pair.awaitStreaming();
            pair.assertSame();
            assertEquals(pid, standby.pid(), "it is the same process");
            assertEquals("true", primary.ask("active", "slots"));
            assertEquals("reserved", primary.ask("wal_status", "slots"));
            standby.kill();
            standby.start();
            pair.awaitStreaming();
            pair.assertSame();
        }
    }

    @Test
    void nothingIsRemovedBeforeItIsArchivedAndWhatIsArchivedIsEqual() throws IOException {
        Path archive = Files.createDirectory(folder.resolve("archive"));
        Path open = folder.resolve("open");
        try (Pair pair = new Pair(
                folder,
                NO_WAIT,
                KEEP_NOTHING,
                "archive_mode=on",
                "archive_command=test -e " + open + " && cp %p " + archive + "/%f")) {
            ServerProcess primary = pair.primary();
            primary.start();
            String kept = first(primary);
            pair.fillSegments(4);
            checkpoints(primary);
            primary.await(() -> primary.askNumber("failed_count", "status") > 0);
            assertEquals(kept, first(primary));
            assertEquals(0, primary.askNumber("archived_count", "status"));
            assertTrue(primary.ask("archive_failure", "status").contains("status 1 for " + kept));
            primary.kill();
            primary.start();
            checkpoints(primary);
            assertEquals(kept, first(primary), "what waits for the archive is known after a crash");

            Files.createFile(open);
            primary.await(() -> primary.ask("archive_waiting", "status").equals("0")
                    && primary.askNumber("archived_count", "status") > 0);
            List<Path> archived;
            try (Stream<Path> files = Files.list(archive)) {
                archived = files.sorted().toList();
            }
            assertEquals(kept, archived.get(0).getFileName().toString());
            for (Path file : archived) {
                assertArrayEquals(
                        Files.readAllBytes(primary.directory().resolve("pg_wal/" + file.getFileName())),
                        Files.readAllBytes(file),
                        file.toString());
            }
            checkpoints(primary);
            assertFalse(Files.exists(primary.directory().resolve("pg_wal/" + kept)));
        }
    }
}
