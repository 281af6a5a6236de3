package lockstep.launcher;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.startlevel.BundleStartLevel;
import org.osgi.service.url.AbstractURLStreamHandlerService;
import org.osgi.service.url.URLConstants;
import org.osgi.service.url.URLStreamHandlerService;

/**
 * The bundles that the server is made of: jars in folders named by their start level.
 *
 * <p>The framework remembers bundles over a restart, and what operators did to them. So a bundle is installed and started
 * once; a stopped one stays stopped, and one that was updated by hand stays as it is until the distribution has a
 * newer jar. A bundle that is in the distribution no more is uninstalled.
 */
final class Distribution {
    /** Marks the bundles that are ours to update and remove; the symbolic name follows. */
    private static final String LOCATION = "lockstep:";

    private final Path folder;

    Distribution(Path folder) {
        this.folder = folder;
    }

    /** Makes the framework, which is not started yet, have these bundles. */
    void install(BundleContext context) throws BundleException, IOException {
        Map<String, Bundle> known = new HashMap<>();
        for (Bundle bundle : context.getBundles()) {
            if (bundle.getLocation().startsWith(LOCATION)) {
                known.put(bundle.getLocation(), bundle);
            }
        }
        for (Path level : list(folder)) {
            for (Path jar : list(level)) {
                String location = LOCATION + symbolicName(jar);
                Bundle bundle = install(context, jar, location, known.remove(location));
                bundle.adapt(BundleStartLevel.class)
                        .setStartLevel(Integer.parseInt(level.getFileName().toString()));
            }
        }
        for (Bundle gone : known.values()) {
            gone.uninstall();
        }
    }

    /**
     * Lets the framework read a bundle of the distribution again where it came from: {@code update} without a file gives it the
     * jar that is there now.
     */
    void serveLocations(BundleContext context) {
        String scheme = LOCATION.substring(0, LOCATION.length() - 1);
        context.registerService(
                URLStreamHandlerService.class,
                new AbstractURLStreamHandlerService() {
                    @Override
                    public URLConnection openConnection(URL location) throws IOException {
                        return find(location.getPath()).toUri().toURL().openConnection();
                    }
                },
                FrameworkUtil.asDictionary(Map.of(URLConstants.URL_HANDLER_PROTOCOL, scheme)));
    }

    private Path find(String symbolicName) throws IOException {
        for (Path level : list(folder)) {
            for (Path jar : list(level)) {
                if (symbolicName(jar).equals(symbolicName)) {
                    return jar;
                }
            }
        }
        throw new FileNotFoundException("there is no bundle " + symbolicName + " in " + folder
                + ": the distribution has it no more. Give \"update\" a file");
    }

    private static Bundle install(BundleContext context, Path jar, String location, Bundle known)
            throws BundleException, IOException {
        if (known != null && Files.getLastModifiedTime(jar).toMillis() <= known.getLastModified()) {
            return known;
        }
        try (InputStream content = Files.newInputStream(jar)) {
            if (known != null) {
                known.update(content);
                return known;
            }
            Bundle bundle = context.installBundle(location, content);
            if (bundle.getHeaders().get(Constants.FRAGMENT_HOST) == null) {
                bundle.start(Bundle.START_ACTIVATION_POLICY);
            }
            return bundle;
        }
    }

    private static String symbolicName(Path jar) throws IOException {
        try (JarFile file = new JarFile(jar.toFile())) {
            String name = file.getManifest().getMainAttributes().getValue(Constants.BUNDLE_SYMBOLICNAME);
            if (name == null) {
                throw new Failure(ExitStatus.FAILED, jar + " is no bundle: its manifest names none");
            }
            int parameters = name.indexOf(';');
            return (parameters < 0 ? name : name.substring(0, parameters)).strip();
        }
    }

    private static List<Path> list(Path folder) throws IOException {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.sorted().toList();
        }
    }
}
