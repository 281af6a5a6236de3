package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A standby that reaches its primary over SSH. */
final class SshIT {
    @TempDir
    private Path folder;

    @Test
    void aStandbyBehindAnSshServerResumesWhenThatIsKilledUnderLoad() throws IOException {
        Path socket = folder.resolve("wal.sock");
        try (Sshd sshd = new Sshd(folder);
                Pair pair = new Pair(folder, "ssh://" + socket, sshd.to(socket), sshd.settings()).start()) {
            Path acked = folder.resolve("acked");
            CompletableFuture<Result> load = pair.primary()
                    .begin("load", "--clients", "4", "--seconds", "5", "--commit", "on", "--acked", acked.toString());
            for (int kills = 1; kills <= 2; kills++) {
                long before = size(acked);
                pair.primary().await(() -> size(acked) > before || load.isDone());
                sshd.kill();
                sshd.start();
                pair.awaitStreaming();
            }
            Result result = load.join();
            assertEquals(0, result.status(), result::toString);
            pair.assertSame();
            Pair.assertHolds(pair.standby(), acked);
        }
    }

    @Test
    void aStandbyReachesThePrimarysEmbeddedServer() throws IOException {
        int port = Pair.freePort();
        String endpoint = "ssh://127.0.0.1:" + port;
        try (Sshd keys = new Sshd(folder);
                Pair pair = new Pair(folder, endpoint, endpoint, keys.settings())) {
            pair.primary().start();
            Path ssh = pair.primary().directory().resolve("ssh");
            keys.trust("127.0.0.1", port, ssh.resolve("host_key.pub"));
            Files.copy(keys.publicKey(), ssh.resolve("authorized_keys"));
            pair.standby().start();
            pair.awaitStreaming();
            assertTrue(pair.primary().shell("put", "greeting", "hello").startsWith("COMMIT"));
            pair.assertSame();
        }
    }

    @Test
    void aStandbyMovesToSshAndBackUnderLoadAndNoCommitNotices() throws IOException {
        Path socket = folder.resolve("wal.sock");
        String tcp = Pair.endpoint(Pair.freePort());
        try (Sshd sshd = new Sshd(folder);
                Pair pair = new Pair(folder, tcp + ",ssh://" + socket, tcp + "," + sshd.to(socket), sshd.settings())
                        .start()) {
            // To commits there is a standby all the time: they would go on without one at once, and it would be
            // counted.
            pair.primary().shell("set", "standby_unavailable", "degrade");
            String transitions = pair.primary().ask("mode_transitions", "status");
            Path acked = folder.resolve("acked");
            CompletableFuture<Result> load = pair.primary()
                    .begin("load", "--clients", "4", "--seconds", "6", "--acked", acked.toString(), "--json");
            for (String scheme : List.of("ssh", "tcp", "ssh", "tcp")) {
                long before = size(acked);
                pair.primary().await(() -> size(acked) > before || load.isDone());
                String moved = pair.primary().shell("transport", "use", Pair.NAME, scheme);
                assertTrue(moved.contains("has moved"), moved);
                assertTrue(pair.primary().shell("transports", "links", "--json").contains("\"scheme\":\"" + scheme));
            }
            Result result = load.join();
            assertEquals(0, result.status(), result::toString);
            assertEquals("0", ServerProcess.member(result.out(), "failed"), result::toString);
            assertEquals(transitions, pair.primary().ask("mode_transitions", "status"));
            pair.assertSame();
            Pair.assertHolds(pair.standby(), acked);
        }
    }

    private static long size(Path file) {
        try {
            return Files.exists(file) ? Files.size(file) : 0;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
