package lockstep.server;

import java.nio.file.Path;
import lockstep.io.DataDirectory;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;

/** The data directory that the launcher was given, made and locked. */
@Component(immediate = true)
public final class LauncherDirectory implements DataDirectory {
    private static final String PROPERTY = "lockstep.data";

    private final Path path;

    /** Reads the framework property. */
    @Activate
    public LauncherDirectory(BundleContext context) {
        String data = context.getProperty(PROPERTY);
        if (data == null) {
            throw new IllegalStateException(
                    "the framework property " + PROPERTY + " is missing: it names the data directory");
        }
        path = Path.of(data).toAbsolutePath();
    }

    @Override
    public Path path() {
        return path;
    }
}
