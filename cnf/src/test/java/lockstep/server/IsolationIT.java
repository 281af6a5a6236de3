package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
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
                pair.primary().await(() -> hasContent(acked) || load.isDone());
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

    private static boolean hasContent(Path file) {
        try {
            return Files.exists(file) && Files.size(file) > 0;
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
