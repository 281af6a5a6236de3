package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where a standby that crashed takes up its work. */
final class RestartIT {
    @TempDir
    private Path folder;

    @Test
    void redoBeginsAtTheLastRestartpointAndStreamingAtTheNextByte() throws IOException {
        try (Pair pair = new Pair(folder).start()) {
            pair.primary().shell("load", "--seconds", "1");
            String redoLsn = pair.primary().ask("redo_lsn", "checkpoint");
            pair.standby().await(() -> pair.standby().ask("redo_lsn", "status").equals(redoLsn));
            pair.primary().shell("load", "--seconds", "1");
            pair.assertSame();
            String endLsn = pair.standby().ask("flush_lsn", "status");
            pair.standby().kill();
            pair.primary().shell("load", "--seconds", "1", "--commit", "local");

            pair.standby().start();
            pair.awaitStreaming();
            assertTrue(pair.standby().log().contains("redo from " + redoLsn + ", WAL ends at " + endLsn));
            assertEquals(endLsn, pair.standby().ask("receive_start_lsn", "receiver"));
            assertTrue(pair.primary().log().contains("startup -> catchup: from " + endLsn));
            pair.assertSame();
        }
    }
}
