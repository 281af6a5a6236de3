package lockstep.server;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.ObjIntConsumer;
import lockstep.io.Shutdown;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks the launcher, who started the framework, to stop it. The launcher shares no class with the bundles but the JDK's,
 * so its service is a plain function, known by a property.
 */
@Component
public final class LauncherShutdown implements Shutdown {
    private static final Logger log = LoggerFactory.getLogger(LauncherShutdown.class);

    private final ObjIntConsumer<String> launcher;
    private final AtomicBoolean begun = new AtomicBoolean();

    /** Made by the framework. */
    @Activate
    public LauncherShutdown(@Reference(target = "(lockstep.launcher=shutdown)") ObjIntConsumer<String> launcher) {
        this.launcher = launcher;
    }

    @Override
    public void shutdown(int status, String reason) {
        if (!begun.compareAndSet(false, true)) {
            return;
        }
        log.info("The server ends with exit status {}: {}", status, reason);
        launcher.accept(reason, status);
    }
}
