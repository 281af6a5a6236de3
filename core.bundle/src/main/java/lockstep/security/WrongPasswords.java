package lockstep.security;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import lockstep.io.Clock;

/**
 * Slows down those who try passwords: whose address has shown wrong ones waits for the verdict on the next, twice as long each time, up
 * to {@value #MAX_MS} ms. The good verdict waits as well, since nobody would have to wait for the bad one otherwise; a right password
 * ends it, and so do {@value #FORGET_MINUTES} minutes without a wrong one. Together with the bound on connections of one address
 * that have not proved who they are ({@link Startups}), this bounds how many passwords can be tried from there.
 *
 * <p>Of IPv6, where one machine can have any number of addresses, the network counts. No more than {@value #MAX_ADDRESSES} are kept, the
 * latest. Thread-safe.
 */
public final class WrongPasswords {
    static final int MAX_ADDRESSES = 1024;

    static final long MAX_MS = 2_000;
    static final long FORGET_MINUTES = 5;
    private static final long FIRST_MS = 100;
    private static final int NETWORK_BYTES = 8;

    private record Wrong(long delayMs, long atNanos) {}

    private final Clock clock;

    /** The one that was wrong last is the last. */
    private final Map<InetAddress, Wrong> addresses = new LinkedHashMap<>();

    WrongPasswords(Clock clock) {
        this.clock = clock;
    }

    /** Returns how long an address waits for the verdict on the password it has shown. */
    public synchronized long delayMs(InetAddress from) {
        Wrong last = addresses.get(network(from));
        return last == null || isOld(last) ? 0 : last.delayMs;
    }

    /** Hears that one was wrong. */
    public synchronized void wrong(InetAddress from) {
        long delayMs = Math.min(MAX_MS, Math.max(FIRST_MS, 2 * delayMs(from)));
        InetAddress network = network(from);
        addresses.remove(network);
        addresses.put(network, new Wrong(delayMs, clock.nanos()));
        Iterator<Wrong> oldest = addresses.values().iterator();
        while (isOld(oldest.next()) || addresses.size() > MAX_ADDRESSES) {
            oldest.remove();
        }
    }

    /** Hears that one was right. */
    public synchronized void right(InetAddress from) {
        addresses.remove(network(from));
    }

    private boolean isOld(Wrong wrong) {
        return clock.nanos() - wrong.atNanos > TimeUnit.MINUTES.toNanos(FORGET_MINUTES);
    }

    private static InetAddress network(InetAddress address) {
        byte[] bytes = address.getAddress();
        if (bytes.length <= NETWORK_BYTES) {
            return address;
        }
        Arrays.fill(bytes, NETWORK_BYTES, bytes.length, (byte) 0);
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e); // it has as many bytes as before
        }
    }
}
