package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A standby whose disk is full: a small file system of its own, which only root can mount. */
final class DiskFullIT {
    @TempDir
    private Path folder;

    private Path disk;

    @BeforeEach
    void mount() throws IOException {
        String user = ServerProcess.run(List.of("id", "-u")).out().strip();
        assumeTrue(user.equals("0"), "only root can mount a small disk");
        disk = Files.createDirectory(folder.resolve("disk"));
        Result mounted =
                ServerProcess.run(List.of("mount", "-t", "tmpfs", "-o", "size=64m", "lockstep-test", disk.toString()));
        assertEquals(
                0, mounted.status(), () -> "a tmpfs is needed to fill it; root may not mount one here: " + mounted);
    }

    @AfterEach
    void unmount() {
        if (disk != null) {
            // Lazily: a server that was killed may hold its directory for a moment after its lock.
            Result unmounted = ServerProcess.run(List.of("umount", "--lazy", disk.toString()));
            assertEquals(0, unmounted.status(), unmounted::toString);
        }
    }

    @Test
    void theStandbyStopsAcknowledgingSaysWhyAndGoesOnWhenThereIsRoom() throws IOException {
        int port = Pair.freePort();
        try (Pair pair = new Pair(folder, port, port, disk.resolve("s1")).start()) {
            long pid = pair.standby().pid();
            Path filler = disk.resolve("filler");
            fill(filler);
            while (!pair.row(Pair.NAME).contains("\"reason\":\"DISK_FULL: ")) {
                pair.primary().shell("load", "--outstanding", "10", "--seconds", "1", "--commit", "local");
            }
            CompletableFuture<Result> waiting = pair.primary().begin("put", "full", "disk", "--commit", "on");
            pair.primary().await(() -> pair.waiters("on") == 1);
            assertEquals("true", pair.standby().ask("disk_full", "receiver"));
            assertFalse(waiting.isDone());

            Files.delete(filler);
            Result released = waiting.join();
            assertEquals(0, released.status(), released::toString);
            pair.primary().await(() -> pair.row(Pair.NAME).contains("\"reason\":\"\""));
            assertEquals("false", pair.standby().ask("disk_full", "receiver"));
            assertEquals(pid, pair.standby().pid());
            pair.assertSame();
            Pair.assertLogReadable(pair.standby());
        }
    }

    private static void fill(Path file) throws IOException {
        byte[] page = new byte[4096];
        try (OutputStream out = Files.newOutputStream(file)) {
            while (true) {
                out.write(page);
            }
        } catch (IOException e) {
            assertEquals("No space left on device", e.getMessage());
        }
    }
}
