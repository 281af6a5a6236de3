package lockstep.wal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/** The judge of the format: PostgreSQL 15's own {@code pg_waldump}. */
final class PgWaldump {
    private static final String PROGRAM = "/usr/lib/postgresql/15/bin/pg_waldump";

    private PgWaldump() {}

    /** Returns the records it shows from one position to another; fails if it finds an error. */
    static List<String> records(Path pgWal, int timeline, String from, String to)
            throws IOException, InterruptedException {
        Process process = new ProcessBuilder(
                        PROGRAM, "-p", pgWal.toString(), "-t", Integer.toString(timeline), "-s", from, "-e", to)
                .redirectErrorStream(true)
                .start();
        List<String> lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8)
                .lines()
                .toList();
        assertEquals(0, process.waitFor(), () -> "pg_waldump: " + (lines.isEmpty() ? "" : lines.get(lines.size() - 1)));
        return lines;
    }
}
