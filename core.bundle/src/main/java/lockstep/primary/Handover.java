package lockstep.primary;

import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import lockstep.redo.Redone;
import org.osgi.service.component.annotations.Component;

/**
 * What a standby that is being promoted leaves to the primary that takes its place in the same process: the resource managers,
 * open, and how far the log has been redone. So nothing is redone twice, and a promotion takes no longer than what was left to
 * redo. An OSGi service; outlives both. Thread-safe.
 */
@Component(immediate = true, service = Handover.class)
public final class Handover {
    private final AtomicReference<Redone> left = new AtomicReference<>();

    /** Leaves it, before the standby ends. The resource managers stay open, and nobody uses them until it is taken. */
    public void leave(Redone redone) {
        left.set(redone);
    }

    /** Takes what was left, once. */
    public Optional<Redone> take() {
        return Optional.ofNullable(left.getAndSet(null));
    }
}
