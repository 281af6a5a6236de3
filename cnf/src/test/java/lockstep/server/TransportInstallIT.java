package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where transports come from, and how they stay or go. */
final class TransportInstallIT {
    private static final Path UNIX =
            Path.of(System.getProperty("lockstep.home")).resolve("examples/transport.unix.jar");

    @TempDir
    private Path folder;

    @Test
    void aTransportComesFromAMavenRepositoryOrDirBundlesAndGoesForGood() throws IOException {
        try (ServerProcess server = ServerProcess.primary(folder.resolve("p"))) {
            server.start();

            Path repository = folder.resolve("repository");
            Path artifact = repository.resolve("org/acme/transport.acme");
            String coordinates = "org.acme:transport.acme:1.10.0";
            Path newest = deploy(artifact, "1.10.0");
            Files.writeString(deploy(artifact, "1.9.0"), "an older one, which nobody takes");
            Files.writeString(deploy(artifact, "1.10.0-SNAPSHOT"), "what was before it");
            for (String place :
                    new String[] {artifact.toString(), newest.getParent().toString(), coordinates}) {
                server.shell("transport", "install", place, "--repository", repository.toString());
                assertEquals("active", state(server, "unix"), place);
                server.shell("transport", "uninstall", "unix");
            }
            Result missing = server.tryShell(
                    "transport", "install", "org.acme:other:1.0", "--repository", repository.toString());
            assertNotEquals(0, missing.status());
            assertTrue(missing.err().contains("expected a jar, a folder of a Maven repository"), missing::toString);

            Path bundles = server.directory().resolve("bundles");
            Path dropped = Files.copy(UNIX, bundles.resolve("unix.jar"));
            server.await(() -> state(server, "unix").equals("active"));
            Path broken = Files.writeString(bundles.resolve("broken.jar"), "no jar");
            server.await(() -> row(server, "\"bundle\":\"broken.jar\"").contains("it is no jar"));
            server.await(() -> server.log().contains(broken + " is not installed: it is no jar"));
            Files.delete(broken);
            assertEquals("", row(server, "\"bundle\":\"broken.jar\""));

            server.shell("transport", "stop", "unix");
            server.stop();
            server.start();
            assertEquals("stopped", state(server, "unix"));
            server.shell("transport", "start", "unix");
            assertEquals("active", state(server, "unix"));

            String told = server.shell("transport", "uninstall", "unix");
            assertTrue(told.contains(dropped + " is removed"), told);
            assertFalse(Files.exists(dropped));
            assertEquals("", row(server, "\"scheme\":\"unix\""));

            told = server.shell("transport", "uninstall", "tcp");
            assertTrue(told.contains("comes back when the server starts again"), told);
            server.stop();
            server.start();
            assertEquals("active", state(server, "tcp"));
            assertEquals("", row(server, "\"scheme\":\"unix\""));
        }
    }

    private static Path deploy(Path artifact, String version) throws IOException {
        Path directory = Files.createDirectories(artifact.resolve(version));
        return Files.copy(UNIX, directory.resolve(artifact.getFileName() + "-" + version + ".jar"));
    }

    /** Returns the row of {@code transports} that has a text; empty if there is none. */
    private static String row(ServerProcess server, String text) {
        for (String row : server.shell("transports", "--json").split("(?=\\{\"scheme\")", -1)) {
            if (row.contains(text)) {
                return row;
            }
        }
        return "";
    }

    private static String state(ServerProcess server, String scheme) {
        String row = row(server, "\"scheme\":\"" + scheme + '"');
        return row.isEmpty() ? "" : ServerProcess.member(row, "state");
    }
}
