package lockstep.launcher;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.function.ObjIntConsumer;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkEvent;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.launch.FrameworkFactory;

/**
 * A server in this process: a framework with the bundles of the distribution.
 *
 * <p>It ends in one of three ways, and always in good order: the framework is stopped from within, the user leaves the
 * prompt, or a signal asks. The first two come back from {@link #run}; a signal starts the shutdown hook, which stops the
 * framework and ends the process itself, because {@code run} cannot be waited for there.
 */
final class Server {
    /** How long the bundles have to stop before the process ends all the same. */
    private static final long STOP_TIMEOUT_MS = 30_000;

    /** Above all start levels in use. */
    private static final String BEGINNING_START_LEVEL = "50";

    private final DataDir directory;
    private final Map<String, String> moreProperties;
    private final boolean withPrompt;
    private volatile int status = ExitStatus.OK;

    Server(DataDir directory) {
        this.directory = directory;
        moreProperties = Map.of();
        withPrompt = true;
    }

    /** One without a prompt, and with more framework properties. */
    Server(DataDir directory, Map<String, String> moreProperties) {
        this.directory = directory;
        this.moreProperties = moreProperties;
        withPrompt = false;
    }

    /** Runs until the server has ended; returns its exit status. */
    int run() throws BundleException, IOException, InterruptedException {
        boolean onTerminal = Tty.isThere();
        systemProperties();
        // The providers that JLine and others look for through the context class loader are in bundles, not here. With
        // none they look in their own. The threads of the framework inherit it.
        Thread.currentThread().setContextClassLoader(null);
        Framework framework = ServiceLoader.load(FrameworkFactory.class, Server.class.getClassLoader())
                .findFirst()
                .orElseThrow(() -> new Failure(ExitStatus.FAILED, "no framework in " + Home.path() + "/lib"))
                .newFramework(frameworkProperties());
        framework.init();
        register(framework);
        Distribution distribution = new Distribution(Home.bundles());
        distribution.serveLocations(framework.getBundleContext());
        distribution.install(framework.getBundleContext());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> halt(framework), "lockstep-shutdown"));
        framework.start();
        if (withPrompt && onTerminal && status == ExitStatus.OK) {
            prompt(framework);
        }
        framework.waitForStop(0);
        return status;
    }

    /** The prompt is a client like any other, so there is one kind of prompt only. */
    private void prompt(Framework framework) throws BundleException, InterruptedException {
        try {
            new AttachClient(directory).prompt();
        } catch (IOException | Failure e) {
            if (framework.getState() == Framework.ACTIVE) {
                System.err.println("lockstep: the prompt ended: " + e.getMessage());
            }
        }
        framework.stop();
    }

    /** The service by which a bundle ends the server with an exit status, and words on the standard error output. */
    private void register(Framework framework) {
        ObjIntConsumer<String> shutdown = (reason, exitStatus) -> {
            status = exitStatus;
            (exitStatus == ExitStatus.OK ? System.out : System.err).println("lockstep: " + reason);
            try {
                framework.stop();
            } catch (BundleException e) {
                throw new IllegalStateException(e);
            }
        };
        Map<String, String> properties = Map.of("lockstep.launcher", "shutdown");
        framework
                .getBundleContext()
                .registerService(ObjIntConsumer.class, shutdown, FrameworkUtil.asDictionary(properties));
    }

    private void halt(Framework framework) {
        try {
            framework.stop();
            if (framework.waitForStop(STOP_TIMEOUT_MS).getType() == FrameworkEvent.WAIT_TIMEDOUT) {
                System.err.println("lockstep: a bundle does not stop; the process ends without it");
                Runtime.getRuntime().halt(ExitStatus.FAILED);
            }
        } catch (BundleException | InterruptedException e) {
            System.err.println("lockstep: the server did not stop in good order: " + e);
            Runtime.getRuntime().halt(ExitStatus.FAILED);
        }
        Runtime.getRuntime().halt(status);
    }

    /** For those who do not read framework properties. */
    private void systemProperties() {
        System.setProperty("lockstep.data", directory.path().toString());
        System.setProperty("lockstep.console.level", Daemon.isThis() ? "ERROR" : "WARN");
        System.setProperty(
                "logback.configurationFile", Home.conf().resolve("logback.xml").toString());
        System.setProperty(
                "java.util.logging.config.file",
                Home.conf().resolve("logging.properties").toString());
        // Gogo opens a terminal of its own at its start, which shall leave ours alone.
        System.setProperty("org.jline.terminal.type", "dumb");
        // Nor does it need JLine's native library, which leaves two files in the directory for temporary ones.
        System.setProperty("org.jline.terminal.provider", "dumb");
    }

    private Map<String, String> frameworkProperties() {
        Path cache = directory.cache();
        Map<String, String> properties = new HashMap<>();
        properties.put("lockstep.data", directory.path().toString());
        properties.put(Constants.FRAMEWORK_STORAGE, cache.resolve("bundles").toString());
        properties.put(Constants.FRAMEWORK_BEGINNING_STARTLEVEL, BEGINNING_START_LEVEL);
        // The truth is in lockstep.conf. What ConfigurationAdmin knows of it, passwords too, is on no disk.
        properties.put("felix.cm.pm", "memory");
        properties.put("felix.log.level", "1");
        // It warns of its own end, on the standard output, when a server stops while an event is delivered.
        properties.put("org.apache.felix.eventadmin.LogLevel", "1");
        properties.put("felix.fileinstall.dir", directory.bundles().toString());
        properties.put("felix.fileinstall.tmpdir", cache.resolve("install").toString());
        properties.put("felix.fileinstall.filter", ".*\\.jar");
        properties.put("felix.fileinstall.poll", "500");
        properties.put("felix.fileinstall.noInitialDelay", "true");
        properties.put("felix.fileinstall.start.level", "30");
        properties.put("felix.fileinstall.log.level", "2");
        properties.put("gosh.home", Home.conf().toString());
        properties.put("gosh.args", "--nointeractive --noshutdown");
        properties.putAll(moreProperties);
        return properties;
    }
}
