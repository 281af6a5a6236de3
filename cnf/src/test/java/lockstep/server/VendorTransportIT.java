package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Transports that are not part of the distribution are installed in running servers, and carry their WAL. */
final class VendorTransportIT {
    private static final Path HOME = Path.of(System.getProperty("lockstep.home"));

    @TempDir
    private Path folder;

    @Test
    void aNewTransportBuildsPassesTheKitAndCarriesAStandby() throws IOException {
        Path project = folder.resolve("acme");
        Result written = ServerProcess.lockstep("new-transport", "acme", project.toString());
        assertEquals(0, written.status(), written::toString);
        Path repository = localRepository();
        Result built = ServerProcess.run(List.of(
                "mvn",
                "--batch-mode",
                "--offline",
                "--file",
                project.toString(),
                "-Dmaven.repo.local=" + repository,
                "package"));
        unlink(repository);
        assertEquals(0, built.status(), built::toString);
        assertTrue(built.out().contains("Failures: 0, Errors: 0, Skipped: 0"), built::toString);
        assertCarriesAStandby(
                project.resolve("target/transport.acme-1.0.0-SNAPSHOT.jar"), "acme://127.0.0.1:" + Pair.freePort());
    }

    @Test
    void theExampleOverUnixSocketsCarriesAStandby() throws IOException {
        assertCarriesAStandby(example("transport.unix"), "unix://" + folder.resolve("sock"));
    }

    @Test
    void theExampleThroughASharedFolderCarriesAStandby() throws IOException {
        assertCarriesAStandby(example("transport.folder"), "folder://" + folder.resolve("shared"));
    }

    private static Path example(String name) {
        return HOME.resolve("examples/" + name + ".jar");
    }

    /**
     * Makes a repository in which Maven finds all it has fetched already, but nothing of ours: that comes from the
     * distribution, and shall not stay behind for other builds to find.
     */
    private Path localRepository() throws IOException {
        Path own = Files.createDirectory(folder.resolve("m2"));
        try (Stream<Path> fetched = Files.list(Path.of(System.getProperty("maven.repo.local")))) {
            for (Path entry : fetched.toList()) {
                if (!entry.endsWith("lockstep")) {
                    Files.createSymbolicLink(own.resolve(entry.getFileName()), entry);
                }
            }
        }
        return own;
    }

    private static void unlink(Path repository) throws IOException {
        try (Stream<Path> entries = Files.list(repository)) {
            for (Path entry : entries.filter(Files::isSymbolicLink).toList()) {
                Files.delete(entry);
            }
        }
    }

    private void assertCarriesAStandby(Path jar, String endpoint) throws IOException {
        try (ServerProcess primary = ServerProcess.primary(folder.resolve("p"), "--listen", endpoint);
                ServerProcess standby = ServerProcess.standby(folder.resolve("s"), endpoint, "--name", "s1")) {
            primary.start();
            install(primary, jar);
            Result early = standby.tryStart();
            assertTrue(early.err().contains("goes on trying: cannot reach " + endpoint), early::toString);
            Files.copy(jar, standby.directory().resolve("bundles/" + jar.getFileName()));
            String lsn = primary.ask("lsn", "put", "greeting", "hello");
            assertEquals("hello\n", standby.shell("get", "greeting", "--after", lsn));
            assertEquals(endpoint, standby.ask("conninfo", "receiver"));
        }
    }

    private static void install(ServerProcess server, Path jar) {
        String told = server.shell("install", jar.toUri().toString());
        server.shell("start", told.split(" ", 2)[0]);
    }
}
