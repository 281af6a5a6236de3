package lockstep.server;

import java.util.Map;
import lockstep.commit.DegradedMode;
import lockstep.commit.DegradedMode.Transition;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.event.Event;
import org.osgi.service.event.EventAdmin;

/**
 * Publishes changes of degraded mode as events, where EventAdmin is there: the topic is {@code lockstep/degraded/} and the new
 * state, such as {@code lockstep/degraded/DEGRADED}; the properties are those of the status.
 */
@Component
public final class DegradedEvents implements DegradedMode.Listener {
    private static final String TOPIC = "lockstep/degraded/";

    private final EventAdmin events;

    /** Made by the framework. */
    @Activate
    public DegradedEvents(@Reference EventAdmin events) {
        this.events = events;
    }

    @Override
    public void changed(Transition transition) {
        DegradedMode.Status status = transition.status();
        events.postEvent(new Event(
                TOPIC + transition.to().name(),
                Map.of(
                        "from", transition.from().name(),
                        "to", transition.to().name(),
                        "reason", status.reason(),
                        "since", status.sinceMicros(),
                        "bytes_at_risk", status.bytesAtRisk(),
                        "transitions", status.transitions())));
    }
}
