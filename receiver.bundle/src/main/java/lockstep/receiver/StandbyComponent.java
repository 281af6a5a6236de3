package lockstep.receiver;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import lockstep.commit.PrimaryAddress;
import lockstep.commit.StandbyNames;
import lockstep.config.Endpoints;
import lockstep.config.Parameter;
import lockstep.config.Parameters;
import lockstep.config.ServerConfiguration;
import lockstep.config.ServerRole;
import lockstep.config.StandbyConfiguration;
import lockstep.config.Units;
import lockstep.io.Clock;
import lockstep.io.DataDirectory;
import lockstep.io.FileDisk;
import lockstep.io.FrameworkStop;
import lockstep.io.Hindrance;
import lockstep.io.Panic;
import lockstep.io.Readiness;
import lockstep.io.ShellCommands;
import lockstep.io.Shutdown;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.primary.Handover;
import lockstep.receiver.api.StandbyControl;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManager;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.Listeners;
import lockstep.send.SenderConfig;
import lockstep.send.WalSenders;
import lockstep.transport.api.Transport;
import lockstep.transports.Carrier;
import lockstep.transports.Movable;
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
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.condition.Condition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a {@link Standby} where configuration says that this server is one: where there is a {@code recovery.conf}. The
 * service {@link WalSenders} is there while it can serve standbys of its own.
 */
@Component(
        service = {},
        immediate = true,
        configurationPid = {ServerConfiguration.PID, StandbyConfiguration.PID},
        configurationPolicy = ConfigurationPolicy.REQUIRE)
public final class StandbyComponent {
    private static final Logger log = LoggerFactory.getLogger(StandbyComponent.class);

    /** The framework property that the launcher sets for a server that only takes a base backup. */
    private static final String BACKUP_ONLY = "lockstep.backup";

    /** What the endpoints begin with at which foreign clients are served. */
    private static final String FOREIGN = "postgresql:";

    private final BundleContext context;
    private final ResourceManagers managers = new ResourceManagers();
    private final Transports transports = new Transports();
    private final Standby standby;
    private final StandbyConfig atStart;

    /** There while this server is configured to listen. */
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile Listeners listeners;

    private ServiceRegistration<StandbyControl> service;
    private ServiceRegistration<PrimaryAddress> addressService;
    private ServiceRegistration<?> sendersService;
    private ServiceRegistration<Hindrance> hindranceService;
    private ServiceRegistration<Movable> movableService;
    private ServiceRegistration<Condition> ready;
    private FrameworkStop frameworkStop;

    /** Puts the standby together; it is started later. */
    @Activate
    public StandbyComponent(
            @Reference DataDirectory directory,
            @Reference Panic panic,
            @Reference Shutdown shutdown,
            @Reference Parameters parameters,
            @Reference Handover handover,
            @Reference ServerRole role,
            ServerConfiguration server,
            StandbyConfiguration recovery,
            BundleContext context)
            throws IOException {
        this.context = context;
        try {
            FileDisk disk = new FileDisk(directory.path());
            atStart = config(
                    server,
                    recovery,
                    SyncMethod.configured(server.walSyncMethod(), disk),
                    recovery(parameters, recovery, shutdown),
                    context.getProperty(BACKUP_ONLY) != null);
            standby = new Standby(
                    atStart,
                    disk,
                    Clock.SYSTEM,
                    new ThreadWorkers(),
                    panic,
                    managers,
                    transports,
                    redone -> {
                        handover.leave(redone);
                        role.promoted();
                    },
                    this::serve,
                    new ShellCommands(directory.path()),
                    shutdown);
        } catch (IOException | RuntimeException e) {
            shutdown.shutdown(Shutdown.CANNOT_START, "the standby cannot start: " + e.getMessage());
            throw e;
        }
    }

    private static RecoveryConfig recovery(Parameters parameters, StandbyConfiguration recovery, Shutdown shutdown) {
        try {
            return new RecoverySettings(
                            name -> parameters.get(name).map(Parameter::source).orElse(Parameter.DEFAULT))
                    .read(recovery);
        } catch (IllegalArgumentException e) {
            shutdown.shutdown(Shutdown.BAD_CONFIGURATION, e.getMessage());
            throw e;
        }
    }

    private static StandbyConfig config(
            ServerConfiguration server,
            StandbyConfiguration recovery,
            SyncMethod syncMethod,
            RecoveryConfig recoveryConfig,
            boolean backupOnly) {
        return new StandbyConfig(
                recovery.applicationName(),
                recoveryConfig.standbyMode() ? Endpoints.primaryConninfo(recovery.primaryConninfo()) : List.of(),
                Units.millis(server.walRetrieveRetryInterval()),
                Units.millis(server.walReceiverTimeout()),
                Units.millis(server.walReceiverStatusInterval()),
                Integer.highestOneBit(Math.toIntExact(Units.bytes(server.walBuffers()))),
                syncMethod,
                new SenderConfig(server.maxWalSenders(), Units.millis(server.walSenderTimeout())),
                recovery.primarySlotName().strip(),
                recovery.primarySlotCreate(),
                Retention.Config.of(server),
                recoveryConfig,
                backupOnly,
                recovery.triggerFile(),
                recovery.keepWal().equals("all"),
                server.relayAck().equals("downstream")
                        ? Optional.of(StandbyNames.parse(server.synchronousStandbyNames()))
                        : Optional.empty());
    }

    /** Takes values that can change at work; the others come with the next start. */
    @Modified
    void configure(ServerConfiguration server, StandbyConfiguration recovery) {
        try {
            standby.configure(config(server, recovery, atStart.syncMethod(), atStart.recovery(), atStart.backupOnly()));
        } catch (IllegalArgumentException e) {
            log.error("the changed configuration is not used: {}", e.getMessage());
        }
    }

    @Activate
    void activate() {
        service = context.registerService(StandbyControl.class, standby, null);
        addressService = context.registerService(PrimaryAddress.class, standby::primaryEndpoint, null);
        hindranceService = context.registerService(Hindrance.class, standby::hindrance, null);
        movableService = context.registerService(Movable.class, standby, null);
        standby.listensOn(this::listening);
        standby.whenReady(this::ready);
        standby.start();
        frameworkStop = new FrameworkStop(context, this::stop);
    }

    @Reference(
            cardinality = ReferenceCardinality.MULTIPLE,
            policy = ReferencePolicy.DYNAMIC,
            unbind = "removeResourceManager")
    void addResourceManager(ResourceManager manager) {
        managers.add(manager);
    }

    void removeResourceManager(ResourceManager manager) {
        managers.remove(manager);
    }

    @Reference(
            service = Carrier.class,
            cardinality = ReferenceCardinality.MULTIPLE,
            policy = ReferencePolicy.DYNAMIC,
            unbind = "removeTransport")
    void addTransport(Transport transport) {
        transports.add(transport);
    }

    void removeTransport(Transport transport) {
        transports.remove(transport);
    }

    /**
     * Where Lockstep's standbys can reach this server, in the order in which it listens. What PostgreSQL's protocol is spoken at
     * is for foreign clients; the query of an endpoint is for who listens there, and means nothing to who connects.
     */
    private List<String> listening() {
        Listeners present = listeners;
        return present == null
                ? List.of()
                : present.view().stream()
                        .filter(Listeners.View::isListening)
                        .map(Listeners.View::endpoint)
                        .filter(endpoint -> !endpoint.startsWith(FOREIGN))
                        .map(endpoint -> endpoint.split("\\?", 2)[0])
                        .distinct()
                        .toList();
    }

    @Deactivate
    void deactivate() {
        frameworkStop.close();
        stop();
    }

    private synchronized void ready() {
        if (service != null) {
            ready = Readiness.register(context);
        }
    }

    /** The standby can serve others now, or, with null, not any more. */
    private synchronized void serve(WalSenders senders) {
        if (sendersService != null) {
            sendersService.unregister();
            sendersService = null;
        }
        if (senders != null && service != null) {
            sendersService = WalSenders.register(context, senders);
        }
    }

    private void stop() {
        synchronized (this) {
            if (service == null) {
                return;
            }
            if (sendersService != null) {
                sendersService.unregister();
            }
            if (ready != null) {
                ready.unregister();
            }
            movableService.unregister();
            hindranceService.unregister();
            addressService.unregister();
            service.unregister();
            service = null;
        }
        try {
            standby.close();
        } catch (IOException e) {
            log.error("the standby could not stop in good order; its next start recovers", e);
        }
    }
}
