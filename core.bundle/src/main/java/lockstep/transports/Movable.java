package lockstep.transports;

import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import lockstep.transport.api.Endpoint;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Who holds a session that it has opened, and can go on with it through another transport, make before break: the receiver of a
 * standby. An OSGi service. May be used from any thread.
 */
@ConsumerType
public interface Movable {
    /**
     * Leaves a transport for any other of its endpoints, and stays where it is if there is none that can be used.
     *
     * @param scheme of that transport
     * @return empty if it does not use that one; otherwise completes with where it is now, or with an {@link IllegalStateException}
     *     that says why it stays. Whoever completes it gives the move up
     */
    Optional<CompletableFuture<Endpoint>> leave(String scheme);
}
