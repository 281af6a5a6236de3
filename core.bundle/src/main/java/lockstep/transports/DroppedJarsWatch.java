package lockstep.transports;

import java.io.File;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import lockstep.io.DataDirectory;
import org.apache.felix.fileinstall.ArtifactInstaller;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Says of what is dropped into {@code DIR/bundles} if it is no bundle. FileInstall asks each installer whether it takes a new file, and
 * passes over in silence what none takes; this one takes none, but looks at all.
 */
@Component(service = ArtifactInstaller.class, immediate = true)
public final class DroppedJarsWatch implements ArtifactInstaller {
    private static final Logger log = LoggerFactory.getLogger(DroppedJarsWatch.class);

    /** What has been said of which jar. */
    private final Map<Path, String> told = new ConcurrentHashMap<>();

    /** Made by the framework. Also looks at what FileInstall has seen before. */
    @Activate
    public DroppedJarsWatch(@Reference DataDirectory directory) {
        File[] jars = directory.path().resolve(DroppedJars.FOLDER).toFile().listFiles();
        for (File jar : jars == null ? new File[0] : jars) {
            canHandle(jar);
        }
    }

    @Override
    public boolean canHandle(File artifact) {
        Path jar = artifact.toPath();
        DroppedJars.trouble(jar)
                .ifPresentOrElse(
                        why -> {
                            if (!why.equals(told.put(jar, why))) {
                                log.error("{} is not installed: {}. Put another in its place, or remove it", jar, why);
                            }
                        },
                        () -> told.remove(jar));
        return false;
    }

    @Override
    public void install(File artifact) {
        // It takes none.
    }

    @Override
    public void update(File artifact) {
        // It takes none.
    }

    @Override
    public void uninstall(File artifact) {
        // It takes none.
    }
}
