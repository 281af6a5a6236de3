package lockstep.server;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Bytes that lie: on the port, on the way between the two, and in the files of either. */
final class DamageIT {
    private static final int PATIENCE_MS = 30_000;
    private static final int FLOOD_BYTES = 4 << 20;
    private static final Pattern CORRUPTED = Pattern.compile("corrupted in segment ([0-9A-F]{24}) at ([0-9A-F/]+)");

    /** So little that damage can be told from a torn end without much WAL behind it. */
    private static final String SMALL_BUFFERS = "wal_buffers=256kB";

    @TempDir
    private Path folder;

    @Test
    void foreignBytesOnThePortAreRefusedAndReplicationGoesOn() throws IOException {
        int port = Pair.freePort();
        try (Pair pair = new Pair(folder, port, port, folder.resolve("s1")).start()) {
            CompletableFuture<Result> load =
                    pair.primary().begin("load", "--clients", "2", "--seconds", "3", "--commit", "on", "--json");
            Random random = new Random(1);
            byte[] flood = new byte[FLOOD_BYTES];
            random.nextBytes(flood);
            assertRefused(port, flood);
            assertRefused(port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(US_ASCII));
            byte[] greeting = ByteBuffer.allocate(12)
                    .put("LOCKSTEP".getBytes(US_ASCII))
                    .putInt(1)
                    .array();
            System.arraycopy(greeting, 0, flood, 0, greeting.length);
            assertRefused(port, flood);
            Result loaded = load.join();
            assertEquals(0, loaded.status(), loaded::toString);
            assertEquals("0", ServerProcess.member(loaded.out(), "failed"));
            assertEquals(1, pair.standby().askNumber("sessions", "receiver"));
            assertTrue(pair.primary().log().contains("expected a Lockstep server, found \"GET / HTTP/1.1\""));
            pair.assertSame();
        }
    }

    /** Sends bytes, and waits until the server has ended the connection. */
    private static void assertRefused(int port, byte[] bytes) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(PATIENCE_MS);
            OutputStream out = socket.getOutputStream();
            out.write(bytes);
            byte[] answer = socket.getInputStream().readAllBytes();
            assertTrue(answer.length < 1000, () -> answer.length + " bytes were answered");
        } catch (SocketException e) {
            // Reset: the server has not even read all of it.
        }
    }

    @Test
    void damageInAnOlderSegmentOfTheStandbyIsNamedAndNothingIsAppliedPastIt() throws IOException {
        try (Pair pair = new Pair(folder).start()) {
            pair.fillSegments(4);
            pair.primary().shell("put", "last", "one");
            pair.assertSame();
            ServerProcess standby = pair.standby();
            standby.stop();
            long flippedLsn = flipAByteInTheMiddleOf(Pair.segments(standby).get(2));
            standby.start();
            standby.await(() -> standby.ask("state", "status").equals("damaged"));
            assertNames(standby.ask("reason", "status"), flippedLsn);
            standby.await(() -> standby.askLsn("replay_lsn", "status") > flippedLsn - Pair.SEGMENT_BYTES);
            assertTrue(standby.askLsn("replay_lsn", "status") <= flippedLsn);
            assertTrue(standby.askLsn("lsn", "digest") <= flippedLsn);
            assertEquals(1, standby.tryShell("get", "last").status());
            assertEquals("stopped", standby.ask("status", "receiver"));
            assertEquals("", pair.row(Pair.NAME));
        }
    }

    @Test
    void damageInTheLogOfThePrimaryKeepsItFromStarting() throws IOException {
        try (Pair pair = new Pair(folder, SMALL_BUFFERS).start()) {
            pair.fillSegments(4);
            ServerProcess primary = pair.primary();
            primary.kill();
            long flippedLsn = flipAByteInTheMiddleOf(Pair.segments(primary).get(1));
            Result refused = primary.tryStart();
            assertNotEquals(0, refused.status());
            assertNames(refused.err(), flippedLsn);
        }
    }

    private static void assertNames(String message, long flippedLsn) {
        Matcher named = CORRUPTED.matcher(message);
        assertTrue(named.find(), message);
        assertTrue(Pair.startLsn(named.group(1)) <= flippedLsn, message);
        long recordLsn = ServerProcess.lsn(named.group(2));
        assertTrue(recordLsn <= flippedLsn && flippedLsn - recordLsn < 10_000, message);
    }

    /** Returns the position of the byte. */
    private static long flipAByteInTheMiddleOf(Path segment) throws IOException {
        int offset = Pair.SEGMENT_BYTES / 2 + 1000;
        try (RandomAccessFile file = new RandomAccessFile(segment.toFile(), "rw")) {
            file.seek(offset);
            int value = file.read();
            file.seek(offset);
            file.write(value ^ 0x10);
        }
        return Pair.startLsn(segment.getFileName().toString()) + offset;
    }

    @Test
    void aBitFlippedInFlightIsCaughtAndTheWalAskedForAgain() throws IOException {
        int port = Pair.freePort();
        try (TcpProxy proxy = new TcpProxy(port);
                Pair pair = new Pair(folder, port, proxy.port(), folder.resolve("s1")).start()) {
            Path acked = folder.resolve("acked");
            CompletableFuture<Result> load = pair.primary()
                    .begin(
                            "load",
                            "--clients",
                            "2",
                            "--seconds",
                            "8",
                            "--bytes",
                            "5000",
                            "--commit",
                            "on",
                            "--acked",
                            acked.toString(),
                            "--json");
            for (int flips = 1; flips <= 3; flips++) {
                long sessions = pair.standby().askNumber("sessions", "receiver");
                proxy.flipABit();
                pair.standby().await(() -> pair.standby().askNumber("sessions", "receiver") > sessions);
            }
            Result loaded = load.join();
            assertEquals(0, loaded.status(), loaded::toString);
            assertEquals("0", ServerProcess.member(loaded.out(), "failed"));
            assertTrue(pair.standby().log().contains("damaged on the way"));
            pair.assertSame();
            Pair.assertHolds(pair.standby(), acked);
            Pair.assertLogReadable(pair.standby());
        }
    }

    @Test
    void whatATornWriteLeftBehindTheEndIsNoWalOnEitherSide() throws IOException {
        try (Pair pair = new Pair(folder).start()) {
            pair.primary().shell("load", "--clients", "2", "--seconds", "1");
            pair.assertSame();
            long endLsn = pair.primary().askLsn("flush_lsn", "status");
            pair.primary().kill();
            pair.standby().kill();
            scribbleBehind(pair.primary(), endLsn, 1);
            scribbleBehind(pair.standby(), endLsn, 2);
            pair.primary().start();
            pair.standby().start();
            pair.awaitStreaming();
            pair.primary().shell("put", "after", "all");
            assertTrue(
                    pair.primary().shell("scan", "0", "--limit", "1", "--json").contains("0000000001"));
            pair.assertSame();
            Pair.assertLogReadable(pair.primary());
            Pair.assertLogReadable(pair.standby());
        }
    }

    private static void scribbleBehind(ServerProcess server, long endLsn, long seed) throws IOException {
        Path segment = Pair.segments(server).stream()
                .filter(file -> Pair.startLsn(file.getFileName().toString()) <= endLsn)
                .reduce((first, second) -> second)
                .orElseThrow();
        long offset = endLsn - Pair.startLsn(segment.getFileName().toString());
        byte[] garbage = new byte[(int) Math.min(10_000, Pair.SEGMENT_BYTES - offset)];
        new Random(seed).nextBytes(garbage);
        try (RandomAccessFile file = new RandomAccessFile(segment.toFile(), "rw")) {
            file.seek(offset);
            file.write(garbage);
        }
    }
}
