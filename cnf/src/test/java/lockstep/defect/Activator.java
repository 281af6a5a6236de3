package lockstep.defect;

import java.nio.file.Path;
import lockstep.transport.api.Transport;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;

/** Registers the transport. */
public final class Activator implements BundleActivator {
    @Override
    public void start(BundleContext context) throws Exception {
        for (ServiceReference<Transport> reference : context.getServiceReferences(Transport.class, null)) {
            Transport transport = context.getService(reference);
            if (transport.scheme().equals("tcp")) {
                Path mode = Path.of(context.getProperty("lockstep.data"), "defect");
                context.registerService(Transport.class, new DefectiveTransport(transport, mode), null);
                return;
            }
        }
        throw new IllegalStateException("there is no transport for tcp://, which this one needs");
    }

    @Override
    public void stop(BundleContext context) {}
}
