package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A base backup and an archive bring back every moment since the backup. */
class PointInTimeIT {
    private static final int CANNOT_START = 74;
    private static final int BAD_CONFIGURATION = 78;

    @TempDir
    private Path folder;

    private String endpoint;

    private ServerProcess primary() {
        endpoint = "tcp://127.0.0.1:" + Pair.freePort();
        return ServerProcess.primary(
                folder.resolve("p"),
                "--listen",
                endpoint,
                "--set",
                "wal_segment_size=1MB",
                "--set",
                "synchronous_standby_names=");
    }

    private Path backup(String name) {
        Path directory = folder.resolve(name);
        Result taken = ServerProcess.lockstep("backup", directory.toString(), "--from", endpoint);
        assertEquals(0, taken.status(), taken::toString);
        assertTrue(taken.out().matches("lockstep: the base backup is complete: [^\n]*\n"), taken::toString);
        return directory;
    }

    /** Ends the present segment, stops the primary, and copies all segments, as {@code archive_command} does. */
    private void archive(ServerProcess primary) throws IOException {
        primary.shell("wal", "switch");
        long endLsn = primary.askLsn("flush_lsn", "status");
        primary.stop();
        Path archive = Files.createDirectory(folder.resolve("archive"));
        for (Path segment : Pair.segments(primary)) {
            if (Pair.startLsn(segment.getFileName().toString()) < endLsn) {
                Files.copy(segment, archive.resolve(segment.getFileName().toString()));
            }
        }
    }

    /** Describes a server that recovers a copy of a backup. */
    private ServerProcess recovery(Path backup, String name, String... settings) throws IOException {
        Path directory = folder.resolve(name);
        Result copied = ServerProcess.run(List.of("cp", "-a", backup.toString(), directory.toString()));
        assertEquals(0, copied.status(), copied::toString);
        Files.writeString(
                directory.resolve("recovery.conf"),
                "standby_mode = off\nrestore_command = 'cp " + folder.resolve("archive") + "/%f %p'\n"
                        + String.join("\n", settings) + "\n");
        return ServerProcess.standby(directory);
    }

    private void assertRecovered(Path backup, String digest, String setting, String... more) throws IOException {
        String[] settings = new String[more.length + 1];
        settings[0] = setting;
        System.arraycopy(more, 0, settings, 1, more.length);
        try (ServerProcess server = recovery(backup, "recovered-" + setting.split(" ", 2)[0], settings)) {
            server.start();
            server.await(() -> server.ask("redo_reason", "status").startsWith("paused at recovery target"));
            assertEquals(digest, server.ask("digest", "digest"), setting);
            assertEquals("1", server.shell("get", "before").strip());
            server.stop();
        }
    }

    @Test
    void aBackupAndTheArchiveGiveTheStoreAsItWasAtAnyPoint() throws IOException {
        try (ServerProcess primary = primary().start()) {
            primary.shell("put", "before", "1");
            Path backup = backup("backup");
            Matcher first = commit(primary, primary.shell("put", "k", "first"));
            String firstDigest = primary.ask("digest", "digest");
            primary.shell("load", "--outstanding", "100", "--bytes", "5000", "--seconds", "1");
            String lsn = lsn(primary.shell("put", "k", "second"));
            String digest = primary.ask("digest", "digest");
            primary.shell("wal", "restore-point", "the second");
            primary.shell("put", "k", "third");
            primary.shell("load", "--outstanding", "100", "--bytes", "5000", "--seconds", "1");
            assertNotEquals(digest, primary.ask("digest", "digest"));
            archive(primary);
            assertRecovered(backup, digest, "recovery_target_name = 'the second'");
            assertRecovered(backup, digest, "recovery_target_lsn = '" + lsn + "'", "recovery_target_inclusive = off");
            assertRecovered(backup, firstDigest, "recovery_target_xid = " + first.group("xid"));
            assertRecovered(backup, firstDigest, "recovery_target_time = '" + first.group("time") + "'");
        }
    }

    @Test
    void recoveryEndsWithAPromotionToATimelineThatIsArchivedBesideTheOthers() throws IOException {
        try (ServerProcess primary = primary().start()) {
            primary.shell("put", "before", "1");
            Path backup = backup("backup");
            primary.shell("load", "--outstanding", "100", "--bytes", "5000", "--seconds", "1");
            primary.shell("put", "k", "second");
            String digest = primary.ask("digest", "digest");
            primary.shell("wal", "restore-point", "the second");
            primary.shell("put", "k", "third");
            primary.shell("load", "--outstanding", "100", "--bytes", "5000", "--seconds", "1");
            archive(primary);
            archiving(backup);
            String newest;
            try (ServerProcess promoted = recovery(
                    backup, "promoted", "recovery_target_name = 'the second'", "recovery_target_action = promote")) {
                promoted.start();
                awaitPrimary(promoted);
                newest = assertGoesOn(promoted, digest, 2);
            }
            try (ServerProcess again =
                    recovery(backup, "again", "recovery_target_name = 'the second'", "recovery_target_timeline = 1")) {
                again.start();
                again.await(() -> again.ask("redo_reason", "status").startsWith("paused at recovery target"));
                again.shell("redo", "resume");
                awaitPrimary(again);
                assertGoesOn(again, digest, 3);
            }
            try (ServerProcess followed = recovery(backup, "followed", "recovery_target_timeline = 2")) {
                followed.start();
                awaitPrimary(followed);
                assertEquals("4", followed.ask("timeline", "status"));
                assertEquals(newest, followed.ask("digest", "digest"));
            }
        }
    }

    /** Has servers that are made of a backup archive what they write, and never overwrite what is there. */
    private void archiving(Path backup) throws IOException {
        Path archive = folder.resolve("archive");
        Files.writeString(
                backup.resolve("lockstep.conf"),
                "archive_mode = on\narchive_command = 'test ! -e " + archive + "/%f && cp %p " + archive + "/%f'\n"
                        + "synchronous_standby_names = ''\n",
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }

    private static void awaitPrimary(ServerProcess server) {
        server.await(() -> server.ask("role", "status").equals("primary")
                && server.ask("state", "status").equals("running"));
    }

    /** Returns the digest after some more commits, all of which are in the archive. */
    private String assertGoesOn(ServerProcess server, String digest, int timeline) throws IOException {
        assertEquals(digest, server.ask("digest", "digest"));
        assertEquals(Integer.toString(timeline), server.ask("timeline", "status"));
        assertTrue(Files.exists(server.directory().resolve("recovery.done")));
        assertFalse(Files.exists(server.directory().resolve("recovery.conf")));
        server.shell("put", "k", "on timeline " + timeline);
        server.shell("wal", "verify");
        String changed = server.ask("digest", "digest");
        Path wal = server.directory().resolve("pg_wal");
        String history = String.format("%08X.history", timeline);
        String start = Files.readString(wal.resolve(history)).split("\t", -1)[1];
        long startLsn = ServerProcess.lsn(start);
        String segment = String.format("%08X%08X%08X", timeline, startLsn >>> 32, (startLsn & 0xFFFF_FFFFL) >> 20);
        Result dump = ServerProcess.run(List.of(
                "/usr/lib/postgresql/15/bin/pg_waldump", "--path", wal.toString(), "--start=" + start, segment));
        assertTrue(dump.out().contains("END_OF_RECOVERY tli " + timeline + "; prev tli 1"), dump::toString);
        assertTrue(dump.out().contains("COMMIT"), dump::toString);
        server.shell("wal", "switch");
        Path archived = folder.resolve("archive").resolve(segment);
        server.await(() -> server.ask("archive_waiting", "status").equals("0") && Files.exists(archived));
        assertEquals("0", server.ask("failed_count", "status"));
        assertTrue(Files.exists(folder.resolve("archive").resolve(history)));
        server.kill();
        try (ServerProcess restarted = ServerProcess.primary(server.directory()).start()) {
            assertEquals(changed, restarted.ask("digest", "digest"));
        }
        return changed;
    }

    private static String lsn(String committed) {
        return committed.split(" ", -1)[1];
    }

    /** Finds the commit record that ends at the position that a commit has told. */
    private static Matcher commit(ServerProcess primary, String committed) {
        String dump = primary.shell("wal", "dump", "--json");
        Matcher record = Pattern.compile("\"end_lsn\":\"" + lsn(committed)
                        + "\"[^}]*\"xid\":(?<xid>[0-9]+)[^}]*\"description\":\"COMMIT (?<time>[^\"]+)\"")
                .matcher(dump);
        assertTrue(record.find(), dump);
        return record;
    }

    @Test
    void whatIsWrongWithARecoveryIsSaidAndEndsTheServer() throws IOException {
        try (ServerProcess primary = primary().start()) {
            primary.shell("put", "before", "1");
            Path backup = backup("backup");
            primary.shell("load", "--outstanding", "100", "--bytes", "5000", "--seconds", "1");
            primary.shell("put", "last", "1");
            archive(primary);
            assertRefused(
                    recovery(backup, "twice", "recovery_target_xid = 7", "recovery_target_name = x"),
                    BAD_CONFIGURATION,
                    "recovery.conf:4: recovery_target_name: recovery has at most one target, and recovery.conf:3");
            assertRefused(
                    recovery(backup, "no-time", "recovery_target_time = tomorrow"),
                    BAD_CONFIGURATION,
                    "recovery.conf:3: recovery_target_time = tomorrow: \"tomorrow\" is no time");
            try (ServerProcess server = recovery(backup, "never", "recovery_target_name = never")) {
                assertEnds(server, "recovery ended before configured recovery target was reached");
            }
            Path fatal = recovery(backup, "fatal").directory();
            Files.writeString(
                    fatal.resolve("recovery.conf"),
                    "restore_command = 'no-such-program %f'\n",
                    StandardOpenOption.APPEND);
            try (ServerProcess server = ServerProcess.standby(fatal)) {
                assertEnds(server, "restore_command ended with status 127");
            }
        }
    }

    private static void assertRefused(ServerProcess server, int status, String reason) {
        Result refused = server.tryStart();
        assertEquals(status, refused.status(), refused::toString);
        assertTrue(refused.err().contains(reason), refused::toString);
    }

    /** Starts a server that may be ready for a moment, and ends with a reason. */
    private static void assertEnds(ServerProcess server, String reason) {
        Result started = server.tryStart();
        assertTrue(started.status() == 0 || started.status() == CANNOT_START, started::toString);
        server.await(() -> server.tryShell("status").status() != 0);
        assertTrue(server.log().contains(reason), server::log);
    }
}
