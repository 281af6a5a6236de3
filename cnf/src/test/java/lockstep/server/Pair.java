package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.stream.Stream;
import lockstep.server.ServerProcess.Result;

/** A primary and its standby {@value #NAME}, in a folder of a test and on a port that nobody else uses. */
final class Pair implements AutoCloseable {
    static final String NAME = "s1";

    /** What one segment holds in most tests; small, so that there are many. */
    static final int SEGMENT_BYTES = 1 << 20;

    private static final String RETRY = "wal_retrieve_retry_interval=100ms";
    private static final String PG_WALDUMP = "/usr/lib/postgresql/15/bin/pg_waldump";
    private static final String ALL = Integer.toString(Integer.MAX_VALUE);
    private static final int SEGMENT_DIGITS = 24;
    private static final int HALF_DIGITS = 8;

    private final Path folder;
    private final String endpoint;
    private final ServerProcess primary;
    private final ServerProcess standby;

    /** Describes both; {@link #start} runs them. */
    Pair(Path folder, String... primarySettings) {
        this(folder, freePort(), primarySettings);
    }

    private Pair(Path folder, int port, String... primarySettings) {
        this(folder, port, port, folder.resolve(NAME), primarySettings);
    }

    /** Describes both, where the standby reaches the primary by a way of its own and may live anywhere. */
    Pair(Path folder, int port, int standbysPort, Path standbyDirectory, String... primarySettings) {
        this.folder = folder;
        endpoint = endpoint(port);
        List<String> options = new ArrayList<>(List.of("--listen", endpoint, "--set", "wal_segment_size=1MB"));
        for (String setting : primarySettings) {
            options.addAll(List.of("--set", setting));
        }
        primary = ServerProcess.primary(folder.resolve("p"), options.toArray(String[]::new));
        standby = standby(standbyDirectory, NAME, endpoint(standbysPort));
    }

    /** Describes both, over any transport. */
    Pair(Path folder, String listen, String from, List<String> standbySettings) {
        this.folder = folder;
        endpoint = from;
        primary = ServerProcess.primary(folder.resolve("p"), "--listen", listen, "--set", "wal_segment_size=1MB");
        standby = standby(folder.resolve(NAME), NAME, from, standbySettings.toArray(String[]::new));
    }

    private static ServerProcess standby(Path directory, String name, String from, String... settings) {
        List<String> options = new ArrayList<>(List.of("--name", name, "--set", RETRY));
        for (String setting : settings) {
            options.addAll(List.of("--set", setting));
        }
        return ServerProcess.standby(directory, from, options.toArray(String[]::new));
    }

    static String endpoint(int port) {
        return "tcp://127.0.0.1:" + port;
    }

    static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new AssertionError("no port is free", e);
        }
    }

    ServerProcess primary() {
        return primary;
    }

    ServerProcess standby() {
        return standby;
    }

    /** Describes one more standby of the primary. */
    ServerProcess another(String directory, String name) {
        return standby(folder.resolve(directory), name, endpoint);
    }

    /** Describes a standby that follows these endpoints, with options of its own. */
    ServerProcess follower(String name, String from, String... options) {
        List<String> all = new ArrayList<>(List.of("--name", name, "--set", RETRY));
        all.addAll(List.of(options));
        return ServerProcess.standby(folder.resolve(name), from, all.toArray(String[]::new));
    }

    /** Returns where the primary listens. */
    String endpoint() {
        return endpoint;
    }

    /** Starts both, and waits until the standby streams. */
    Pair start() {
        primary.start();
        standby.start();
        awaitStreaming();
        return this;
    }

    void awaitStreaming() {
        awaitStreaming(NAME);
    }

    /** Waits until a standby streams, and the primary has heard from it. */
    void awaitStreaming(String name) {
        primary.await(() -> {
            String row = row(name);
            return row.contains("\"state\":\"streaming\"")
                    && !ServerProcess.member(row, "flush_lsn").isEmpty();
        });
    }

    /** Returns what {@code standbys} shows of one, as a JSON object; empty if it is not connected. */
    String row(String name) {
        return primary.shell("standbys", "--json")
                .replaceFirst("^\\{\"standbys\":\\[", "")
                .lines()
                .flatMap(rows -> Arrays.stream(rows.split("(?<=\\}),", -1)))
                .filter(row -> row.contains("\"application_name\":\"" + name + '"'))
                .findFirst()
                .orElse("");
    }

    /** Returns how many commits of a level wait. */
    long waiters(String level) {
        String levels = primary.shell("queue", "--json");
        return Long.parseLong(
                ServerProcess.member(levels.substring(levels.indexOf("\"level\":\"" + level + '"')), "waiters"));
    }

    /** Has the primary write until there is a number of segment files more. */
    void fillSegments(int count) throws IOException {
        int wanted = segments(primary).size() + count;
        while (segments(primary).size() < wanted) {
            primary.shell("load", "--outstanding", "100", "--bytes", "5000", "--seconds", "1");
        }
    }

    /** Waits until the standby has all that the primary has, and checks that stores and logs are the same. */
    void assertSame() throws IOException {
        assertSame(standby);
    }

    /** As {@link #assertSame()}, with any standby; nobody may write meanwhile. */
    void assertSame(ServerProcess other) throws IOException {
        long endLsn = primary.askLsn("flush_lsn", "status");
        other.await(
                () -> other.askLsn("flush_lsn", "status") >= endLsn && other.askLsn("replay_lsn", "status") >= endLsn);
        String expected = primary.shell("digest", "--json");
        assertEquals(expected, other.shell("digest", "--json"));
        assertSameLogs(other, endLsn);
    }

    /** Compares the files of both logs up to a position: what both still have is the same. */
    private void assertSameLogs(ServerProcess other, long endLsn) throws IOException {
        long compared = 0;
        for (Path segment : segments(other)) {
            String name = segment.getFileName().toString();
            Path twin = primary.directory().resolve("pg_wal/" + name);
            long startLsn = startLsn(name);
            if (startLsn < endLsn) {
                int length = (int) Math.min(SEGMENT_BYTES, endLsn - startLsn);
                byte[] theirs = bytesIfKept(segment);
                byte[] ours = bytesIfKept(twin);
                if (theirs.length > 0 && ours.length > 0) {
                    int at = Arrays.mismatch(ours, 0, length, theirs, 0, length);
                    assertEquals(-1, at, () -> "the logs differ in segment " + name + " at offset " + at);
                    compared += length;
                }
            }
        }
        assertTrue(compared > 0, "no segment was compared");
    }

    /** Returns what a segment file holds; nothing if its server has meanwhile removed it, or recycled it while we read. */
    private static byte[] bytesIfKept(Path segment) throws IOException {
        try {
            byte[] bytes = Files.readAllBytes(segment);
            return Files.exists(segment) ? bytes : new byte[0];
        } catch (NoSuchFileException e) {
            return new byte[0];
        }
    }

    /** Returns the segment files of a server, in the order of the log. */
    static List<Path> segments(ServerProcess server) throws IOException {
        try (Stream<Path> files = Files.list(server.directory().resolve("pg_wal"))) {
            return files.filter(file -> file.getFileName().toString().matches("[0-9A-F]{" + SEGMENT_DIGITS + "}"))
                    .sorted()
                    .toList();
        }
    }

    static long startLsn(String segment) {
        return (Long.parseLong(segment.substring(HALF_DIGITS, 2 * HALF_DIGITS), 16) << 32)
                + Long.parseLong(segment.substring(2 * HALF_DIGITS), 16) * SEGMENT_BYTES;
    }

    /** Checks that every record whose number stands in a file that {@code load --acked} wrote is on a server. */
    static void assertHolds(ServerProcess server, Path acked) throws IOException {
        BitSet present = new BitSet();
        server.shell("scan", "0", "--limit", ALL)
                .lines()
                .forEach(line -> present.set(Integer.parseInt(line.substring(0, line.indexOf('\t')))));
        BitSet missing = new BitSet();
        wholeLines(acked).forEach(number -> missing.set(Integer.parseInt(number)));
        missing.andNot(present);
        assertTrue(missing.isEmpty(), () -> "acknowledged, and not on " + server.directory() + ": " + missing);
    }

    /** Returns the lines of a file that may have been cut off in the middle of its last one. */
    private static List<String> wholeLines(Path file) throws IOException {
        String text = Files.exists(file) ? Files.readString(file) : "";
        List<String> lines = new ArrayList<>(List.of(text.split("\n", -1)));
        lines.remove(lines.size() - 1);
        return lines;
    }

    /** Has the server's own check and {@code pg_waldump} read its log from the first segment to the end. */
    static void assertLogReadable(ServerProcess server) {
        String verified = server.shell("wal", "verify", "--json");
        Result dump = ServerProcess.run(List.of(
                PG_WALDUMP,
                "--quiet",
                "--path",
                server.directory().resolve("pg_wal").toString(),
                "--start",
                ServerProcess.member(verified, "start_lsn"),
                "--end",
                ServerProcess.member(verified, "end_lsn")));
        assertEquals(0, dump.status(), dump::toString);
        assertEquals("", dump.err(), dump::toString);
    }

    @Override
    public void close() {
        primary.close();
        standby.close();
    }
}
