package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** PostgreSQL's own programs and servers as clients of a Lockstep server. */
final class PostgresServerIT {
    private static final Pattern END_OF_LOG = Pattern.compile("invalid record length at ([0-9A-F/]+)");
    private static final String PARTIAL = ".partial";
    private static final long PATIENCE_S = 60;

    @TempDir
    private Path folder;

    private final int port = Pair.freePort();
    private final String endpoint = "postgresql://127.0.0.1:" + port;

    private List<String> receivewal(String name, Path directory, String... options) {
        List<String> command = new ArrayList<>(List.of(
                PostgresServer.PROGRAMS + "pg_receivewal",
                "-D",
                directory.toString(),
                "-d",
                "host=127.0.0.1 port=" + port + " user=any application_name=" + name));
        command.addAll(List.of(options));
        return command;
    }

    /** Runs {@code pg_receivewal} until the server ends the stream, or the test it. */
    private Process receive(String name, Path directory, String... options) throws IOException {
        return new ProcessBuilder(receivewal(name, directory, options))
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve(name + ".log").toFile())
                .start();
    }

    private Result psql(String command) {
        return ServerProcess.run(List.of(
                PostgresServer.PROGRAMS + "psql",
                "host=127.0.0.1 port=" + port + " user=any replication=1",
                "-XAtc",
                command));
    }

    private static String row(ServerProcess server, String name) {
        return Arrays.stream(server.shell("standbys", "--json").split("(?<=\\}),", -1))
                .filter(standby -> standby.contains("\"application_name\":\"" + name + '"'))
                .findFirst()
                .orElse("");
    }

    /** The files that were received hold, up to the end of the log, what the server's do. */
    private static void assertReceived(Path directory, ServerProcess server, long endLsn) throws IOException {
        int compared = 0;
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file : files.sorted().toList()) {
                String name = file.getFileName().toString().replace(PARTIAL, "");
                if (name.length() == 24 && Files.exists(server.directory().resolve("pg_wal/" + name))) {
                    int length = (int) Math.min(Pair.SEGMENT_BYTES, endLsn - Pair.startLsn(name));
                    byte[] theirs = Files.readAllBytes(file);
                    byte[] ours = Files.readAllBytes(server.directory().resolve("pg_wal/" + name));
                    assertEquals(-1, Arrays.mismatch(ours, 0, length, theirs, 0, length), name);
                    compared++;
                }
            }
        }
        assertTrue(compared > 1, "nothing was received");
    }

    @Test
    void pgReceivewalIsASynchronousStandbyAndPgWaldumpReadsWhatItReceived() throws Exception {
        Path received = Files.createDirectory(folder.resolve("received"));
        Path compressed = Files.createDirectory(folder.resolve("compressed"));
        try (ServerProcess primary = ServerProcess.primary(
                folder.resolve("p"),
                "--listen",
                endpoint,
                "--set",
                "wal_segment_size=1MB",
                "--set",
                "wal_keep_size=1GB")) {
            primary.start();
            assertEquals(
                    0,
                    ServerProcess.run(receivewal("s1", received, "--slot", "s1", "--create-slot"))
                            .status());
            Process idle = receive("idle", compressed, "--compress=gzip:1", "--no-loop");
            primary.await(() -> row(primary, "idle").contains("\"state\":\"streaming\""));
            // It never says what it has flushed, so it does not count.
            assertEquals("async", ServerProcess.member(row(primary, "idle"), "sync_state"));
            CompletableFuture<Result> waits = primary.begin("put", "a", "1");
            primary.await(() -> primary.askNumber("waiters", "queue") >= 0
                    && primary.shell("queue", "--json").contains("\"level\":\"on\",\"waiters\":1"));
            Process standby = receive("s1", received, "--slot", "s1", "--synchronous", "--no-loop");
            assertTrue(
                    waits.join().out().contains("REPLICATED(on)"),
                    () -> waits.join().toString());
            assertEquals("sync", ServerProcess.member(row(primary, "s1"), "sync_state"));
            Result load =
                    primary.tryShell("load", "--outstanding", "100", "--bytes", "5000", "--seconds", "2", "--json");
            assertEquals("0", ServerProcess.member(load.out(), "local_only"), load::toString);
            assertTrue(Pair.segments(primary).size() > 2);

            assertTrue(
                    psql("IDENTIFY_SYSTEM").out().contains("|1|"),
                    () -> psql("IDENTIFY_SYSTEM").toString());
            assertEquals("1MB\n", psql("SHOW wal_segment_size").out());
            assertTrue(psql("READ_REPLICATION_SLOT s1").out().startsWith("physical|"));
            assertTrue(psql("TIMELINE_HISTORY 1").err().contains("could not open file"));
            assertTrue(psql("DROP_REPLICATION_SLOT s1").err().contains("is active"));

            // The server waits until they have all of it, its last checkpoint included, and lets them go in good order.
            String startLsn = ServerProcess.member(primary.shell("wal", "verify", "--json"), "start_lsn");
            primary.stop();
            assertTrue(standby.waitFor(PATIENCE_S, TimeUnit.SECONDS));
            assertTrue(idle.waitFor(PATIENCE_S, TimeUnit.SECONDS));
            completePartial(received);
            String endLsn = dumpedUpTo(received, startLsn);
            assertEquals(dumpedUpTo(primary.directory().resolve("pg_wal"), startLsn), endLsn);
            assertReceived(received, primary, ServerProcess.lsn(endLsn));
            assertUncompressedSame(compressed, primary);
        }
    }

    private static void assertUncompressedSame(Path directory, ServerProcess server) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            Path first = files.filter(file -> file.toString().endsWith(".gz"))
                    .sorted()
                    .findFirst()
                    .orElseThrow();
            try (InputStream in = new GZIPInputStream(Files.newInputStream(first))) {
                assertArrayEquals(
                        Files.readAllBytes(server.directory()
                                .resolve("pg_wal/"
                                        + first.getFileName().toString().replace(".gz", ""))),
                        in.readAllBytes());
            }
        }
    }

    /** Gives the segment that is not complete the name under which {@code pg_waldump} looks for it. */
    private static void completePartial(Path directory) throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            for (Path file :
                    files.filter(name -> name.toString().endsWith(PARTIAL)).toList()) {
                Files.move(file, Path.of(file.toString().replace(PARTIAL, "")));
            }
        }
    }

    /** Has {@code pg_waldump} read all records; returns where the next one would begin. */
    private static String dumpedUpTo(Path directory, String startLsn) {
        Result dump = ServerProcess.run(List.of(
                PostgresServer.PROGRAMS + "pg_waldump",
                "--quiet",
                "--path",
                directory.toString(),
                "--start",
                startLsn));
        Matcher end = END_OF_LOG.matcher(dump.err());
        assertTrue(end.find(), dump::toString);
        return end.group(1);
    }

    @Test
    void pgReceivewalFollowsAPromotedStandbyToItsTimeline() throws Exception {
        Path received = Files.createDirectory(folder.resolve("received"));
        try (Pair pair = new Pair(folder);
                ServerProcess relay = pair.follower("relay", pair.endpoint(), "--listen", endpoint)) {
            pair.primary().start();
            relay.start();
            relay.await(() -> psql("IDENTIFY_SYSTEM").status() == 0);
            Process client = receive("pgr", received, "--synchronous");
            pair.fillSegments(1);
            relay.await(() -> row(relay, "pgr").contains("\"state\":\"streaming\""));
            relay.shell("promote");
            relay.shell("put", "after", "promotion"); // acknowledged by pg_receivewal
            long endLsn = relay.askLsn("flush_lsn", "status");
            assertTrue(psql("TIMELINE_HISTORY 2").out().contains("promoted"));
            client.destroy();
            assertTrue(client.waitFor(PATIENCE_S, TimeUnit.SECONDS));
            assertEquals(
                    Files.readString(relay.directory().resolve("pg_wal/00000002.history")),
                    Files.readString(received.resolve("00000002.history")));
            assertReceived(received, relay, endLsn);
        }
    }

    @Test
    void aPostgresqlStandbyReplaysWhatItGotThroughLockstepAndCommitsWaitForBoth() throws Exception {
        try (PostgresServer postgres = PostgresServer.create("synchronous_standby_names = 'relay'");
                ServerProcess relay = ServerProcess.standby(
                        folder.resolve("relay"),
                        "postgresql://postgres@127.0.0.1:" + postgres.port() + "/?application_name=relay",
                        "--listen",
                        endpoint,
                        "--set",
                        "relay_ack=downstream",
                        "--set",
                        "wal_retrieve_retry_interval=100ms")) {
            postgres.sql("set synchronous_commit = local; create table t (k int primary key, v text)");
            relay.start();
            CompletableFuture<Result> waits = postgres.begin("insert into t values (0, 'waits for two')");
            relay.await(postgres::isWaitedFor);
            try (PostgresServer standby = postgres.standbyOf(port, "pgs")) {
                assertEquals(0, waits.join().status(), () -> waits.join().toString());
                postgres.sql("insert into t select n, repeat(md5(n::text), 20) from generate_series(1, 20000) n");
                postgres.sql("set synchronous_commit = remote_apply; insert into t values (-1, 'applied')");
                assertEquals("20002", standby.sql("select count(*) from t"));
                assertEquals("sync", postgres.sql("select sync_state from pg_stat_replication"));

                relay.kill();
                CompletableFuture<Result> waitsAgain = postgres.begin("insert into t values (-2, 'over a crash')");
                relay.await(postgres::isWaitedFor);
                relay.start();
                assertEquals(
                        0, waitsAgain.join().status(), () -> waitsAgain.join().toString());

                standby.stop("fast");
                CompletableFuture<Result> waitsForTwo = postgres.begin("insert into t values (-3, 'two hops')");
                relay.await(postgres::isWaitedFor);
                assertFalse(waitsForTwo.isDone());
                standby.start();
                assertEquals(
                        0, waitsForTwo.join().status(), () -> waitsForTwo.join().toString());
                postgres.sql("set synchronous_commit = remote_apply; insert into t values (-4, 'at last')");
                assertEquals("20005", standby.sql("select count(*) from t"));
                // A standby that finds a part of a page takes it for damage, and kills its own receiver.
                assertFalse(standby.log().contains("invalid magic number"), standby.log());
            }
        }
    }

    @Test
    void aPostgresqlStandbyFollowsAPromotionThroughLockstep() throws Exception {
        try (PostgresServer postgres = PostgresServer.create();
                PostgresServer heir = started(postgres);
                ServerProcess relay = ServerProcess.standby(
                        folder.resolve("relay"),
                        "postgresql://postgres@127.0.0.1:" + postgres.port() + ",127.0.0.1:" + heir.port()
                                + "/?application_name=relay&target_session_attrs=primary",
                        "--listen",
                        endpoint,
                        "--set",
                        "wal_retrieve_retry_interval=100ms")) {
            relay.start();
            try (PostgresServer leaf = postgres.standbyOf(port, "leaf")) {
                postgres.sql("insert into t select generate_series(1, 1000)");
                postgres.stop("fast");
                heir.promote();
                heir.sql("insert into t select generate_series(1001, 2000)");
                relay.await(() -> leaf.sql("select count(*) from t").equals("2000"));
                assertTrue(leaf.log().contains("on timeline 2"), leaf.log());
                assertTrue(psql("TIMELINE_HISTORY 2").out().contains("no recovery target specified"));
            }
        }
    }

    private static PostgresServer started(PostgresServer postgres) throws IOException {
        postgres.sql("create table t (k int primary key)");
        return postgres.standby();
    }
}
