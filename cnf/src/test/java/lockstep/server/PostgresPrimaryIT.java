package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A standby that receives the WAL of a real PostgreSQL server, its synchronous standby. */
final class PostgresPrimaryIT {
    private static final Pattern STATISTICS =
            Pattern.compile("(\\w+) +([1-9]\\d*) \\( *[\\d.]+\\) +(\\d+) \\( *[\\d.]+\\) +(\\d+) \\(.*");

    @TempDir
    private Path folder;

    private PostgresServer postgres;
    private ServerProcess archive;

    @BeforeEach
    void start() throws IOException {
        postgres = PostgresServer.create();
        postgres.sql("create table t (k int primary key, v text)");
        setUp("y");
    }

    @AfterEach
    void stop() throws IOException {
        if (archive != null) {
            archive.close();
        }
        postgres.close();
    }

    /** Has {@code pg-setup} make a role, a slot and all commits wait for the archive. */
    private Result setUp(String answer, String... more) {
        Result result = ServerProcess.run(List.of(
                "/bin/sh",
                "-c",
                "echo " + answer + " | " + Path.of(System.getProperty("lockstep.home"), "bin/lockstep")
                        + " pg-setup postgresql://postgres@127.0.0.1:" + postgres.port() + "/postgres --apply "
                        + String.join(" ", more)));
        assertEquals(0, result.status(), result::toString);
        return result;
    }

    private ServerProcess archive(String from, String... more) {
        List<String> options = new ArrayList<>(List.of("--set", "wal_retrieve_retry_interval=100ms"));
        options.addAll(List.of(more));
        archive = ServerProcess.standby(folder.resolve("s1"), from, options.toArray(String[]::new));
        return archive.start();
    }

    private static String at(int port) {
        return "postgresql://lockstep@127.0.0.1:" + port + "/?application_name=s1";
    }

    private String insert(int from, int to) {
        return "insert into t select n, repeat(md5(n::text), 20) from generate_series(" + from + ", " + to + ") n";
    }

    @Test
    void pgSetupLeavesAFileThatTheServerCanRead() {
        postgres.sql("copy (select '# this line has no end') to program 'tr -d \"\\n\" >> "
                + postgres.sql("select current_setting('hba_file')") + "'");
        setUp("y", "--address", "10.9.9.9");
        assertEquals("", postgres.sql("select line_number, error from pg_hba_file_rules where error is not null"));
        assertEquals(
                "255.255.255.255",
                postgres.sql("select netmask from pg_hba_file_rules where address = '10.9.9.9' and type = 'host'"));
    }

    @Test
    void commitsWaitForTheArchiveWhichHasThePrimarysBytes() throws IOException {
        postgres.sql("set synchronous_commit = local; " + insert(1, 20_000));
        try (TcpProxy network = new TcpProxy(postgres.port())) {
            assertTrue(setUp("n").out().contains("has all that the standby"), "pg-setup has set it up");
            // From elsewhere it would be asked for a password.
            Result plan = ServerProcess.lockstep(
                    "pg-setup", "postgresql://postgres@127.0.0.1:" + postgres.port() + "/", "--address", "10.9.9.9/32");
            assertTrue(plan.out().contains("\n\\password lockstep\n"), plan::toString);
            assertTrue(
                    plan.out().contains("127.0.0.1:" + postgres.port() + ":replication:lockstep:PASSWORD\n"),
                    plan::toString);
            archive(at(network.port()), "--slot", "s1", "--set", "wal_keep_size=0");
            archive.await(() -> archive.ask("status", "receiver").equals("streaming"));
            postgres.sql(insert(20_001, 40_000));
            String oldest = names(pgWal(), "00000001").get(0);
            assertEquals("sync", postgres.sql("select sync_state from pg_stat_replication"));

            // A bit that is flipped on the way is noticed, and the range comes again.
            network.flipABit();
            postgres.sql(insert(40_001, 60_000));
            assertTrue(archive.askNumber("corruptions", "receiver") > 0);

            archive.kill();
            CompletableFuture<Result> waits = postgres.begin(insert(60_001, 60_010));
            archive.await(postgres::isWaitedFor);
            assertFalse(waits.isDone());
            archive.start();
            assertEquals(0, waits.join().status(), () -> waits.join().toString());

            // What a crash of the primary leaves is what the archive goes on with.
            postgres.stop("immediate");
            postgres.start();
            postgres.sql(insert(60_011, 61_000));
            postgres.stop("fast");
            archive.await(() -> archive.ask("status", "receiver").equals("waiting"));
            assertSame(postgres.pgWal(), "00000001");
            assertSameStatistics();
            // Restartpoints were taken, and nothing was removed.
            assertTrue(archive.log().contains("restartpoint at "));
            assertEquals(oldest, names(pgWal(), "00000001").get(0));
        }
        Result promoted = archive.tryShell("promote");
        assertTrue(promoted.err().contains("PostgreSQL"), promoted::toString);
        Result read = archive.tryShell("get", "greeting");
        assertTrue(read.err().contains("only PostgreSQL can redo"), read::toString);
    }

    @Test
    void theArchiveFollowsAServerThatIsPromoted() throws IOException {
        postgres.sql("set synchronous_commit = local; " + insert(1, 5_000));
        try (PostgresServer other = postgres.standby()) {
            archive(
                    "host=127.0.0.1,127.0.0.1 port=" + postgres.port() + "," + other.port()
                            + " user=postgres password='un used' application_name=s1 target_session_attrs=primary",
                    "--slot",
                    "archive",
                    "--create-slot");
            postgres.sql(insert(5_001, 6_000));
            assertEquals("127.0.0.1", archive.ask("sender_host", "receiver"));
            assertEquals(postgres.port(), archive.askNumber("sender_port", "receiver"));
            postgres.stop("fast");
            other.promote();
            other.sql(insert(6_001, 12_000));
            other.stop("fast");
            archive.await(() -> archive.ask("status", "receiver").equals("waiting"));
            assertEquals(2, archive.askNumber("received_tli", "receiver"));
            assertEquals(
                    Files.readString(other.pgWal().resolve("00000002.history")),
                    Files.readString(pgWal().resolve("00000002.history")));
            assertSame(other.pgWal(), "00000002");
            // All of both timelines is one log.
            assertTrue(archive.shell("wal", "verify").contains("is good"));
            assertFalse(archive.log().contains("un used"));
            assertFalse(archive.shell("receiver").contains("un used"));
            assertFalse(archive.shell("show", "primary_conninfo").contains("un used"));
        }
    }

    @Test
    void whatAPromotedServerNeverHadIsGivenUpOnlyByAnOperator() throws IOException {
        try (PostgresServer other = postgres.standby()) {
            other.stop("fast");
            archive(at(postgres.port()), "--slot", "s1", "--create-slot");
            postgres.sql(insert(1, 20_000));
            postgres.stop("immediate");
            other.start();
            other.promote();
            archive.stop();
            archive(at(other.port()));
            archive.await(() -> archive.ask("last_error", "receiver").contains("rewind"));
            long hadLsn = archive.askLsn("flushed_lsn", "receiver");
            archive.stop();
            Result rewound = ServerProcess.lockstep(
                    "rewind", archive.directory().toString(), "--from", at(other.port()), "--daemon");
            assertEquals(0, rewound.status(), rewound::toString);
            other.sql(insert(1, 10_000));
            assertEquals(2, archive.askNumber("received_tli", "receiver"));
            // The slot has been made there as well.
            assertEquals("t", other.sql("select active from pg_replication_slots where slot_name = 's1'"));
            String last =
                    names(archive.directory().resolve("diverged"), "00000001").get(0);
            assertTrue(Pair.startLsn(last) < hadLsn, last);
            other.stop("fast");
            archive.await(() -> archive.ask("status", "receiver").equals("waiting"));
            assertSame(other.pgWal(), "00000002");
        }
    }

    private Path pgWal() {
        return archive.directory().resolve("pg_wal");
    }

    /** Up to the end of the archive's WAL, each of its segments has the bytes of that of the server. */
    private void assertSame(Path theirs, String timeline) throws IOException {
        long endLsn = archive.askLsn("flushed_lsn", "receiver");
        int compared = 0;
        for (String name : names(pgWal(), timeline)) {
            long startLsn = Pair.startLsn(name);
            if (startLsn < endLsn) {
                long bytes = Math.min(Pair.SEGMENT_BYTES, endLsn - startLsn);
                assertEquals(-1, mismatch(theirs.resolve(name), pgWal().resolve(name), bytes), name);
                compared++;
            }
        }
        assertTrue(compared > 2, () -> "only " + names(pgWal(), timeline));
    }

    private static long mismatch(Path one, Path other, long bytes) throws IOException {
        try (FileChannel a = FileChannel.open(one);
                FileChannel b = FileChannel.open(other)) {
            return a.map(FileChannel.MapMode.READ_ONLY, 0, bytes)
                    .mismatch(b.map(FileChannel.MapMode.READ_ONLY, 0, bytes));
        }
    }

    private static List<String> names(Path directory, String timeline) {
        try (Stream<Path> files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.length() == 24 && name.startsWith(timeline))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String lsn(long lsn) {
        return Long.toHexString(lsn >>> 32) + "/" + Long.toHexString(lsn & 0xFFFF_FFFFL);
    }

    /** {@code wal stats} counts what {@code pg_waldump --stats} counts. */
    private void assertSameStatistics() {
        String from = lsn(Pair.startLsn(names(pgWal(), "00000001").get(0)));
        String to = lsn(archive.askLsn("flushed_lsn", "receiver"));
        Result read = ServerProcess.run(List.of(
                PostgresServer.PROGRAMS + "pg_waldump", "--stats", "-p", pgWal().toString(), "-s", from, "-e", to));
        assertEquals(0, read.status(), read::toString);
        List<String> expected = read.out()
                .lines()
                .map(STATISTICS::matcher)
                .filter(Matcher::matches)
                .map(line -> "\"type\":\"" + line.group(1) + "\",\"n\":" + line.group(2) + ",\"record_size\":"
                        + line.group(3) + ",\"fpi_size\":" + line.group(4))
                .toList();
        assertTrue(expected.size() > 4, read.out());
        String ours = archive.shell("wal", "stats", from, to, "--json");
        expected.forEach(line -> assertTrue(ours.contains(line), () -> line + " is not in " + ours));
        assertEquals(expected.size(), Arrays.stream(ours.split("\"type\"", -1)).count() - 1);
    }
}
