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

    /** Returns which of them are not installed, by their names, and why. */
    Map<String, String> troubles(BundleContext context) throws IOException {
        Map<String, String> troubles = new LinkedHashMap<>();
        for (Path jar : list()) {
            Optional<String> trouble = trouble(jar)
                    .or(() -> isInstalled(jar, context)
                            ? Optional.empty()
                            : Optional.of("it is not installed, or not yet; the log says why"));
            trouble.ifPresent(why -> troubles.put(jar.getFileName().toString(), why));
        }
        return troubles;
    }

    private static boolean isInstalled(Path jar, BundleContext context) {
        return Arrays.stream(context.getBundles()).anyMatch(bundle -> holds(jar, bundle));
    }

    /** Returns why a jar can be no bundle; empty if it can. */
    static Optional<String> trouble(Path jar) {
        try {
            return attributes(jar).getValue(Constants.BUNDLE_SYMBOLICNAME) == null
                    ? Optional.of("it is no bundle: its manifest has no " + Constants.BUNDLE_SYMBOLICNAME)
                    : Optional.empty();
        } catch (IOException e) {
            return Optional.of("it is no jar: " + e.getMessage());
        }
    }

    private static Attributes attributes(Path jar) throws IOException {
        try (JarFile file = new JarFile(jar.toFile())) {
            Manifest manifest = file.getManifest();
            return manifest == null ? new Attributes() : manifest.getMainAttributes();
        }
    }

    /** Returns whether a bundle was installed from a jar, or updated from it: FileInstall does that with one of the same version. */
    private static boolean holds(Path jar, Bundle bundle) {
        if (bundle.getLocation().equals(jar.toFile().toURI().normalize().toString())) {
            return true;
        }
        try {
            Attributes attributes = attributes(jar);
            String name = attributes.getValue(Constants.BUNDLE_SYMBOLICNAME);
            return name != null
                    && name.split(";", 2)[0].strip().equals(bundle.getSymbolicName())
                    && Version.parseVersion(attributes.getValue(Constants.BUNDLE_VERSION))
                            .equals(bundle.getVersion());
        } catch (IOException | IllegalArgumentException e) {
            return false;
        }
    }

    /** Removes the jars that would bring a bundle back; returns which. */
    List<Path> remove(Bundle bundle) throws IOException {
        List<Path> removed = new ArrayList<>();
        for (Path jar : list()) {
            if (holds(jar, bundle)) {
                Files.delete(jar);
                removed.add(jar);
            }
        }
        return removed;
    }
}
