package lockstep.io;

import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleEvent;
import org.osgi.framework.Constants;
import org.osgi.framework.SynchronousBundleListener;

/**
 * Does something when the framework begins to stop, while all bundles still work. The order in which they then stop says
 * nothing: a server that stops in good order needs its transports and resource managers once more.
 */
public final class FrameworkStop implements SynchronousBundleListener, AutoCloseable {
    private final BundleContext context;
    private final Runnable action;

    /** Begins to listen; the framework's stop waits for the action. */
    public FrameworkStop(BundleContext context, Runnable action) {
        this.context = context;
        this.action = action;
        context.addBundleListener(this);
    }

    @Override
    public void bundleChanged(BundleEvent event) {
        if (event.getType() == BundleEvent.STOPPING && event.getBundle().getBundleId() == Constants.SYSTEM_BUNDLE_ID) {
            action.run();
        }
    }

    /** Stops listening. */
    @Override
    public void close() {
        context.removeBundleListener(this);
    }
}
