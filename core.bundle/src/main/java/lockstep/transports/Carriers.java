package lockstep.transports;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import lockstep.io.Clock;
import lockstep.io.Panic;
import lockstep.transport.api.Transport;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Puts a guard before each transport, and makes a service of it. Transports may come and go on any thread. */
@Component(service = Carriers.class, immediate = true)
public final class Carriers {
    /** Where the launcher says that bundles of the distribution are from. */
    private static final String OURS = "lockstep:";

    private static final Logger log = LoggerFactory.getLogger(Carriers.class);

    private record Guarded(GuardedTransport carrier, ServiceRegistration<Carrier> service) {}

    private final BundleContext context;
    private final Guard guard;
    private final Map<ServiceReference<Transport>, Guarded> present = new ConcurrentHashMap<>();

    /** What bundles serve or have served, by their numbers; kept where the framework keeps the bundles. */
    private final Properties schemes = new Properties();

    /** Made by the framework. */
    @Activate
    public Carriers(BundleContext context, @Reference Panic panic) {
        this.context = context;
        guard = new Guard(Clock.SYSTEM, panic);
        try (InputStream in = Files.newInputStream(schemesFile())) {
            schemes.load(in);
        } catch (NoSuchFileException e) {
            log.debug("no transport has been here before");
        } catch (IOException | IllegalArgumentException e) {
            log.warn("transports that are stopped are not known by their schemes: {} is broken", schemesFile(), e);
        }
    }

    /** Takes a transport that has arrived. */
    @Reference(
            service = Transport.class,
            cardinality = ReferenceCardinality.MULTIPLE,
            policy = ReferencePolicy.DYNAMIC,
            unbind = "removeTransport")
    void addTransport(ServiceReference<Transport> reference, Transport transport) {
        try {
            Bundle bundle = reference.getBundle();
            GuardedTransport carrier = new GuardedTransport(transport, bundle, guard, !isOurs(bundle));
            remember(bundle.getBundleId(), carrier.scheme());
            present.put(reference, new Guarded(carrier, context.registerService(Carrier.class, carrier, null)));
        } catch (RuntimeException | Error e) {
            log.error("the transport of {} is not used: it does not say its scheme", reference.getBundle(), e);
        }
    }

    /** Returns whether a bundle is of the distribution. */
    static boolean isOurs(Bundle bundle) {
        return bundle.getLocation().startsWith(OURS);
    }

    private synchronized void remember(long bundleId, String scheme) {
        if (!scheme.equals(schemes.put(Long.toString(bundleId), scheme))) {
            try (OutputStream out = Files.newOutputStream(schemesFile())) {
                schemes.store(out, "what bundles serve or have served");
            } catch (IOException e) {
                log.warn("a transport that is stopped will not be known by its scheme after a restart", e);
            }
        }
    }

    private Path schemesFile() {
        return context.getDataFile("schemes").toPath();
    }

    /** Lets nobody use a transport any more that is leaving, before it is gone. */
    void removeTransport(ServiceReference<Transport> reference) {
        Guarded leaving = present.remove(reference);
        if (leaving != null) {
            leaving.service().unregister();
            leaving.carrier().withdraw();
        }
    }

    /** Returns those that are here. */
    public List<Carrier> list() {
        return present.values().stream().<Carrier>map(Guarded::carrier).toList();
    }

    /** Returns the scheme that a bundle serves, or served before it was stopped; empty if it never has. */
    public String schemeOf(long bundleId) {
        return schemes.getProperty(Long.toString(bundleId), "");
    }

    /** Ends the guard's threads. */
    @Deactivate
    void close() {
        guard.close();
    }
}
