package lockstep.transports;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.jar.Attributes;
import java.util.jar.JarFile;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.Version;

/**
 * The jars in {@code DIR/bundles}, which FileInstall installs when they come and uninstalls when they go. This only looks at them.
 */
final class DroppedJars {
    static final String FOLDER = "bundles";

    private static final String JAR = ".jar";

    private final Path folder;

    DroppedJars(Path dataDirectory) {
        folder = dataDirectory.resolve(FOLDER);
    }

    private List<Path> list() throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(JAR)).sorted().toList();
        }
    }

    /** What a jar says of itself; {@code trouble} says why it can be no bundle, and is empty if it can. */
    private record Dropped(Path jar, String name, String version, String trouble) {
        static Dropped of(Path jar) {
            try (JarFile file = new JarFile(jar.toFile())) {
                Manifest manifest = file.getManifest();
                Attributes attributes = manifest == null ? new Attributes() : manifest.getMainAttributes();
                String name = attributes.getValue(Constants.BUNDLE_SYMBOLICNAME);
                return name == null
                        ? broken(jar, "it is no bundle: its manifest has no " + Constants.BUNDLE_SYMBOLICNAME)
                        : new Dropped(
                                jar, name.split(";", 2)[0].strip(), attributes.getValue(Constants.BUNDLE_VERSION), "");
            } catch (IOException e) {
                return broken(jar, "it is no jar: " + e.getMessage());
            }
        }

        private static Dropped broken(Path jar, String trouble) {
            return new Dropped(jar, "", "", trouble);
        }

        /** Returns whether a bundle was installed from it, or updated from it: FileInstall does that with one of the same version. */
        boolean holds(Bundle bundle) {
            return bundle.getLocation().equals(jar.toFile().toURI().normalize().toString())
                    || (name.equals(bundle.getSymbolicName()) && hasVersionOf(bundle));
        }

        private boolean hasVersionOf(Bundle bundle) {
            try {
                return Version.parseVersion(version).equals(bundle.getVersion());
            } catch (IllegalArgumentException e) {
                return false;
            }
        }
    }

    /** Returns which of them are not installed, by their names, and why. */
    Map<String, String> troubles(BundleContext context) throws IOException {
        Map<String, String> troubles = new LinkedHashMap<>();
        for (Path jar : list()) {
            Dropped dropped = Dropped.of(jar);
            if (!dropped.trouble.isEmpty()) {
                troubles.put(jar.getFileName().toString(), dropped.trouble);
            } else if (Arrays.stream(context.getBundles()).noneMatch(dropped::holds)) {
                troubles.put(jar.getFileName().toString(), "it is not installed, or not yet; the log says why");
            }
        }
        return troubles;
    }

    /** Returns why a jar can be no bundle; empty if it can. */
    static Optional<String> trouble(Path jar) {
        return Optional.of(Dropped.of(jar).trouble).filter(why -> !why.isEmpty());
    }

    /** Removes the jars that would bring a bundle back; returns which. */
    List<Path> remove(Bundle bundle) throws IOException {
        List<Path> removed = new ArrayList<>();
        for (Path jar : list()) {
            if (Dropped.of(jar).holds(bundle)) {
                Files.delete(jar);
                removed.add(jar);
            }
        }
        return removed;
    }
}
