package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A transport that is not right harms nobody but its own sessions. */
final class IsolationIT {
    @TempDir
    private Path folder;

    @Test
    void aTransportThatThrowsHangsOrFloodsLosesItsSessionsAndCommitsGoOnOverAnother() throws IOException {
        Path jar = bundle();
        String defect = "defect://127.0.0.1:" + Pair.freePort();
        String tcp = Pair.endpoint(Pair.freePort());
        try (Pair pair = new Pair(folder, defect + "," + tcp, tcp + "," + defect, List.of()).start()) {
            pair.primary().shell("transport", "install", jar.toString());
            pair.standby().shell("transport", "install", jar.toString());
            Path mode = pair.primary().directory().resolve("defect");
            for (Map.Entry<String, String> each : Map.of(
                            "throw", "a defect that a test wants",
                            "hang", "send has not come back",
                            "flood", "it floods")
                    .entrySet()) {
                pair.primary().shell("transport", "use", Pair.NAME, "defect");
                Path acked = folder.resolve(each.getKey());
                CompletableFuture<Result> load =
                        pair.primary().begin("load", "--clients", "4", "--seconds", "4", "--acked", acked.toString());
                pair.primary().await(() -> size(acked) > 0 || load.isDone());
                Files.writeString(mode, each.getKey());
                pair.primary().await(() -> {
                    String links = pair.primary().shell("transports", "links", "--json");
                    return links.contains("\"scheme\":\"tcp\"") && !links.contains("\"scheme\":\"defect\"");
                });
                Result result = load.join();
                assertEquals(0, result.status(), result::toString);
                String transports = pair.primary().shell("transports", "--json");
                assertTrue(transports.contains(each.getValue()), transports);
                Files.delete(mode);
                pair.awaitStreaming();
                Pair.assertHolds(pair.standby(), acked);
            }
            pair.assertSame();
        }
    }

    @Test
    void aTransportThatHangsInListenConnectOrCloseHoldsNeitherCommitsNorTheServer() throws IOException {
        Path jar = bundle();
        String defect = "defect://127.0.0.1:" + Pair.freePort();
        String tcp = Pair.endpoint(Pair.freePort());
        try (Pair pair = new Pair(folder, tcp + "," + defect, tcp + "," + defect, List.of()).start()) {
            ServerProcess primary = pair.primary();
            ServerProcess standby = pair.standby();
            primary.shell("transport", "install", jar.toString());
            standby.shell("transport", "install", jar.toString());
            Path primarysMode = primary.directory().resolve("defect");
            Path standbysMode = standby.directory().resolve("defect");
            Path acked = folder.resolve("acked");
            CompletableFuture<Result> load =
                    primary.begin("load", "--clients", "4", "--seconds", "18", "--acked", acked.toString(), "--json");

            primary.shell("transport", "use", Pair.NAME, "defect");
            Files.writeString(primarysMode, "hang-close");
            Files.writeString(standbysMode, "hang-close");
            primary.shell("transport", "use", Pair.NAME, "tcp");
            awaitCommits(primary, acked, load);
            primary.await(() -> !primary.shell("transports", "links", "--json").contains("\"scheme\":\"defect\""));

            Files.writeString(standbysMode, "hang-connect");
            CompletableFuture<Result> move = primary.begin("transport", "use", Pair.NAME, "defect");
            Files.writeString(primarysMode, "hang-listen");
            primary.shell("transport", "stop", "defect");
            primary.shell("transport", "start", "defect");
            String transports = primary.shell("transports", "--json");
            assertTrue(transports.contains("listen on " + defect + " has not come back"), transports);
            awaitCommits(primary, acked, load);
            assertTrue(move.join().err().contains("connect to " + defect + " has not come back"), move::toString);
            awaitCommits(primary, acked, load);

            Result result = load.join();
            assertEquals(0, result.status(), result::toString);
            assertEquals("0", ServerProcess.member(result.out(), "failed"), result::toString);
            Pair.assertHolds(standby, acked);
            // They stop in good order while there is a call that has not come back.
            standby.stop();
            primary.stop();
        }
    }

    /** Waits for commits that are released from now on. */
    private static void awaitCommits(ServerProcess primary, Path acked, CompletableFuture<Result> load) {
        long before = size(acked);
        primary.await(() -> {
            assertFalse(load.isDone(), "the load has ended too early to tell");
            return size(acked) > before;
        });
    }

    private static long size(Path file) {
        try {
            return Files.exists(file) ? Files.size(file) : 0;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Makes a bundle of the classes that are here for it. */
    private Path bundle() throws IOException {
        Manifest manifest = new Manifest();
        Map.of(
                        "Manifest-Version", "1.0",
                        "Bundle-ManifestVersion", "2",
                        "Bundle-SymbolicName", "transport.defect",
                        "Bundle-Version", "1.0.0",
                        "Bundle-Activator", "lockstep.defect.Activator",
                        "Import-Package", "lockstep.transport.api,org.osgi.framework")
                .forEach((name, value) -> manifest.getMainAttributes().put(new Attributes.Name(name), value));
        Path classes = Path.of(System.getProperty("lockstep.home")).resolveSibling("test-classes");
        Path jar = folder.resolve("transport.defect.jar");
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream entries = new JarOutputStream(file, manifest);
                Stream<Path> content = Files.list(classes.resolve("lockstep/defect"))) {
            for (Path each : content.toList()) {
                entries.putNextEntry(new ZipEntry(classes.relativize(each).toString()));
                Files.copy(each, entries);
                entries.closeEntry();
            }
        }
        return jar;
    }
}
