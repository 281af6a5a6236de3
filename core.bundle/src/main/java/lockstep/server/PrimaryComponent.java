package lockstep.server;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;
import lockstep.commit.Commits;
import lockstep.commit.DegradedMode;
import lockstep.config.ServerConfiguration;
import lockstep.config.ServerRole;
import lockstep.io.Clock;
import lockstep.io.DataDirectory;
import lockstep.io.FileDisk;
import lockstep.io.FrameworkStop;
import lockstep.io.Panic;
import lockstep.io.Readiness;
import lockstep.io.ShellCommands;
import lockstep.io.Shutdown;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.primary.Handover;
import lockstep.primary.Primary;
import lockstep.rmgr.ResourceManager;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.WalSenders;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Modified;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.condition.Condition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a {@link Primary} where configuration says that this server is one. The services {@link Commits} and {@link
 * WalSenders} are there while it accepts commits.
 */
@Component(
        service = {},
        immediate = true,
        configurationPid = {ServerConfiguration.PID, "lockstep.primary"},
        configurationPolicy = ConfigurationPolicy.REQUIRE)
public final class PrimaryComponent {
    private static final Logger log = LoggerFactory.getLogger(PrimaryComponent.class);

    private final BundleContext context;
    private final SyncMethod syncMethod;
    private final Shutdown shutdown;
    private final ResourceManagers managers = new ResourceManagers();
    private final List<Transport> transports = new CopyOnWriteArrayList<>();
    private final Primary primary;

    /** Guards the services that come and go with the state. */
    private final ReentrantLock lock = new ReentrantLock();

    private ServiceRegistration<Primary> primaryService;
    private ServiceRegistration<Commits> commitsService;
    private ServiceRegistration<?> sendersService;
    private ServiceRegistration<Condition> readyService;
    private FrameworkStop frameworkStop;

    /** Opens the data directory. */
    @Activate
    public PrimaryComponent(
            @Reference DataDirectory directory,
            @Reference Panic panic,
            @Reference Shutdown shutdown,
            @Reference Handover handover,
            @Reference ServerRole role,
            ServerConfiguration configuration,
            BundleContext context)
            throws IOException {
        this.context = context;
        this.shutdown = shutdown;
        try {
            FileDisk disk = new FileDisk(directory.path());
            syncMethod = SyncMethod.configured(configuration.walSyncMethod(), disk);
            primary = new Primary(
                    Settings.primary(configuration, syncMethod),
                    disk,
                    Clock.SYSTEM,
                    new ThreadWorkers(),
                    panic,
                    managers,
                    handover.take(),
                    this::stateChanged);
            primary.allowSwitchover(role, this::connect);
            primary.archive(Settings.archive(configuration), new ShellCommands(directory.path()));
        } catch (IOException | RuntimeException e) {
            shutdown.shutdown(Shutdown.CANNOT_START, "the primary cannot start: " + e.getMessage());
            throw e;
        }
    }

    @Activate
    void activate() {
        primaryService = context.registerService(Primary.class, primary, null);
        primary.start();
        frameworkStop = new FrameworkStop(context, this::stop);
    }

    private void stateChanged() {
        lock.lock();
        try {
            if (primary.state() == Primary.State.RUNNING && commitsService == null && primaryService != null) {
                sendersService = WalSenders.register(context, primary.senders().orElseThrow());
                commitsService =
                        context.registerService(Commits.class, primary.commits().orElseThrow(), null);
                readyService = Readiness.register(context);
            } else if (primary.state() == Primary.State.FAILED) {
                shutdown.shutdown(Shutdown.CANNOT_START, primary.reason());
            }
        } finally {
            lock.unlock();
        }
    }

    @Modified
    void modified(ServerConfiguration changed) {
        primary.configure(Settings.primary(changed, syncMethod));
        primary.configure(Settings.archive(changed));
    }

    private Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
        for (Transport transport : transports) {
            if (transport.scheme().equals(endpoint.scheme())) {
                return transport.connect(endpoint, handler);
            }
        }
        throw new TransportException("cannot reach " + endpoint + ": no transport for \"" + endpoint.scheme()
                + "\" is here. Install and start its bundle");
    }

    @Reference(
            cardinality = ReferenceCardinality.MULTIPLE,
            policy = ReferencePolicy.DYNAMIC,
            unbind = "removeTransport")
    void addTransport(Transport transport) {
        transports.add(transport);
    }

    void removeTransport(Transport transport) {
        transports.remove(transport);
    }

    @Reference(
            cardinality = ReferenceCardinality.MULTIPLE,
            policy = ReferencePolicy.DYNAMIC,
            unbind = "removeResourceManager")
    void addResourceManager(ResourceManager manager) {
        managers.add(manager);
    }

    /** Whoever wants to hear of changes of degraded mode. */
    @Reference(cardinality = ReferenceCardinality.MULTIPLE, policy = ReferencePolicy.DYNAMIC, unbind = "removeListener")
    void addListener(DegradedMode.Listener listener) {
        primary.addListener(listener);
    }

    void removeListener(DegradedMode.Listener listener) {
        primary.removeListener(listener);
    }

    void removeResourceManager(ResourceManager manager) {
        managers.remove(manager);
    }

    /** Stops in good order. */
    @Deactivate
    void deactivate() {
        frameworkStop.close();
        stop();
    }

    private void stop() {
        lock.lock();
        try {
            if (primaryService == null) {
                return;
            }
            if (commitsService != null) {
                readyService.unregister();
                commitsService.unregister();
                sendersService.unregister();
            }
            primaryService.unregister();
            primaryService = null;
        } finally {
            lock.unlock();
        }
        try {
            primary.close();
        } catch (IOException e) {
            log.error("the server could not stop in good order; its next start recovers", e);
        }
    }
}
