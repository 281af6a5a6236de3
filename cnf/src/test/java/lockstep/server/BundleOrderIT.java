package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The order of the house: who may import packages of whom, read from the manifests of the assembled bundles. */
final class BundleOrderIT {
    private static final String API = "transport.vendor-api";
    private static final String CORE = "core.bundle";
    private static final String RECEIVER = "receiver.bundle";
    private static final String KV = "kv.bundle";

    /**
     * The bundles that each may import from. A vendor's transport is written against the contract and nothing else; the house's own
     * let peers in by the core's rules, keep files in the data directory, and answer what PostgreSQL's clients ask of a server.
     */
    private static final Map<String, Set<String>> ALLOWED = Map.ofEntries(
            Map.entry(API, Set.of()),
            Map.entry(CORE, Set.of(API)),
            Map.entry(RECEIVER, Set.of(API, CORE)),
            Map.entry(KV, Set.of(API, CORE)),
            Map.entry("transport.tcp", Set.of(API, CORE)),
            Map.entry("transport.ssh", Set.of(API, CORE)),
            Map.entry("transport.postgres", Set.of(API, CORE)),
            Map.entry("shell.bundle", Set.of(API, CORE, RECEIVER, KV)));

    @Test
    void eachBundleImportsOnlyFromThoseBeforeIt() throws IOException {
        Map<String, Attributes> bundles = ownBundles();
        assertEquals(ALLOWED.keySet(), keysWithoutPlainTransports(bundles));
        Map<String, String> exporters = new TreeMap<>();
        bundles.forEach((bundle, manifest) ->
                packages(manifest, "Export-Package").forEach(name -> exporters.put(name, bundle)));
        List<String> broken = new ArrayList<>();
        bundles.forEach((bundle, manifest) -> {
            Set<String> allowed = ALLOWED.getOrDefault(bundle, Set.of(API));
            for (String imported : packages(manifest, "Import-Package")) {
                String exporter = exporters.get(imported);
                if (imported.startsWith("lockstep.") && !bundle.equals(exporter)) {
                    assertNotNull(exporter, () -> bundle + " imports " + imported + ", which nobody exports");
                    if (!allowed.contains(exporter)) {
                        broken.add(bundle + " imports " + imported + " from " + exporter);
                    }
                }
            }
        });
        assertEquals(List.of(), broken);
    }

    private static Set<String> keysWithoutPlainTransports(Map<String, Attributes> bundles) {
        Set<String> names = new TreeSet<>(bundles.keySet());
        names.removeIf(bundle -> bundle.startsWith("transport.") && !ALLOWED.containsKey(bundle));
        return names;
    }

    private static Map<String, Attributes> ownBundles() throws IOException {
        List<Path> jars;
        try (Stream<Path> tree = Files.walk(Path.of(System.getProperty("lockstep.home"), "bundles"))) {
            jars = tree.filter(path -> path.toString().endsWith(".jar")).toList();
        }
        Map<String, Attributes> bundles = new TreeMap<>();
        for (Path jar : jars) {
            try (JarFile file = new JarFile(jar.toFile())) {
                Attributes manifest = file.getManifest().getMainAttributes();
                if ("Lockstep".equals(manifest.getValue("Bundle-Vendor"))) {
                    bundles.put(manifest.getValue("Bundle-SymbolicName"), manifest);
                }
            }
        }
        return bundles;
    }

    /** Returns the package names of a header; its quoted parts, which hold commas of their own, name none. */
    private static Set<String> packages(Attributes manifest, String header) {
        Set<String> names = new TreeSet<>();
        String value = manifest.getValue(header);
        if (value != null) {
            for (String clause : value.replaceAll("\"[^\"]*\"", "").split(",", -1)) {
                names.add(clause.replaceAll(";.*", "").strip());
            }
        }
        return names;
    }
}
