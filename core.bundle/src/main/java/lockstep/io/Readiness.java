package lockstep.io;

import java.util.Map;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.condition.Condition;

/**
 * Tells that a server does its work, by a service {@link Condition}. {@code lockstep primary --daemon} and {@code lockstep
 * standby --daemon} return when it is there, or say what the {@link Hindrance} is.
 */
public final class Readiness {
    /** The id of the condition. */
    public static final String CONDITION = "lockstep.ready";

    private Readiness() {}

    /** Registers the condition; it is there until it is unregistered. */
    public static ServiceRegistration<Condition> register(BundleContext context) {
        return context.registerService(
                Condition.class,
                Condition.INSTANCE,
                FrameworkUtil.asDictionary(Map.of(Condition.CONDITION_ID, CONDITION)));
    }
}
