package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A standby that stands still while its primary and another standby go on. */
final class SlowStandbyIT {
    private static final int LINES = 200;
    private static final int LINE_BYTES = 100_000;
    private static final int ROUNDS = 16;
    private static final int WARM_ROUNDS = 4;

    /** Much less than what the standby misses. */
    private static final String LITTLE_MEMORY = "-Xmx128m";

    @TempDir
    private Path folder;

    @Test
    void neitherMemoryNorCommitsNorOtherStandbysSufferAndItCatchesUpFromFiles() throws IOException {
        Path input = folder.resolve("input");
        Files.write(input, Collections.nCopies(LINES, "x".repeat(LINE_BYTES)));
        Pair pair = new Pair(folder);
        pair.primary().with(LITTLE_MEMORY);
        ServerProcess fast = pair.another("fast", "fast");
        ServerProcess slow = pair.standby();
        try (fast;
                pair) {
            pair.start();
            fast.start();
            pair.awaitStreaming("fast");

            slow.signal("STOP");
            load(pair.primary(), input, WARM_ROUNDS);
            long residentBytes = residentBytes(pair.primary());
            load(pair.primary(), input, ROUNDS - WARM_ROUNDS);
            long missedBytes = (long) LINES * LINE_BYTES * (ROUNDS - WARM_ROUNDS);
            long grownBytes = residentBytes(pair.primary()) - residentBytes;
            assertTrue(grownBytes < missedBytes / 2, () -> "the primary has grown by " + grownBytes + " bytes");
            pair.assertSame(fast);
            assertEquals(1, fast.askNumber("sessions", "receiver"));
            assertEquals("behind", ServerProcess.member(pair.row(Pair.NAME), "feed"));

            long fromFiles = pair.primary().askNumber("wal_reads_from_files", "status");
            slow.signal("CONT");
            pair.assertSame();
            pair.primary()
                    .await(() ->
                            ServerProcess.member(pair.row(Pair.NAME), "feed").equals("live"));
            assertTrue(pair.primary().askNumber("wal_reads_from_files", "status") > fromFiles);
            assertEquals(1, slow.askNumber("sessions", "receiver"));
        }
    }

    /** Loads the same keys again and again, so that the store itself stays small. */
    private static void load(ServerProcess primary, Path input, int rounds) {
        for (int i = 0; i < rounds; i++) {
            primary.shell("load", "--input", input.toString(), "--outstanding", "4", "--commit", "local");
        }
    }

    private static long residentBytes(ServerProcess server) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + server.pid() + "/status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
                .findFirst()
                .orElseThrow();
    }
}
