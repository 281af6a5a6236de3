package lockstep.security;

import java.net.InetAddress;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Bounds how many connections of a listener may be there without having proved who they are: in all, and from one address,
 * so that a stranger does not keep out others. Thread-safe.
 */
public final class Startups {
    private final int most;
    private final int mostOfOne;
    private final Map<InetAddress, Integer> counts = new HashMap<>();
    private int count;

    /** Says how many. */
    public Startups(int most, int mostOfOne) {
        this.most = most;
        this.mostOfOne = mostOfOne;
    }

    /**
     * Takes a connection in.
     *
     * @return what gives its place free when it has proved who it is, or has ended; may be run again
     * @throws AccessException if there is no place
     */
    public synchronized Runnable enter(InetAddress address) throws AccessException {
        int ofOne = counts.getOrDefault(address, 0);
        if (count >= most) {
            throw new AccessException(
                    count + " connections have not proved who they are yet" + " (max_unauthenticated_connections)");
        } else if (ofOne >= mostOfOne) {
            throw new AccessException(ofOne + " connections from " + address.getHostAddress()
                    + " have not proved who they are yet (max_unauthenticated_per_address)");
        }
        count++;
        counts.put(address, ofOne + 1);
        AtomicBoolean there = new AtomicBoolean(true);
        return () -> {
            if (there.compareAndSet(true, false)) {
                leave(address);
            }
        };
    }

    private synchronized void leave(InetAddress address) {
        count--;
        counts.computeIfPresent(address, (key, ofOne) -> ofOne == 1 ? null : ofOne - 1);
    }
}
