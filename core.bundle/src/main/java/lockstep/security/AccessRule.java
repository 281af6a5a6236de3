package lockstep.security;

import java.net.InetAddress;
import java.util.Set;

/**
 * A line of {@code access.conf}.
 *
 * @param place where it stands, such as {@code access.conf:3}
 * @param transports the schemes it is for; empty for all
 * @param standbys the names it is for; empty for all
 * @param network the addresses it is for
 * @param identity as whom the peer must be authenticated; empty for the name of the standby itself
 */
public record AccessRule(
        String place,
        Set<String> transports,
        Set<String> standbys,
        Network network,
        AccessMethod method,
        String identity) {
    /** Copies the sets. */
    public AccessRule {
        transports = Set.copyOf(transports);
        standbys = Set.copyOf(standbys);
    }

    /** Returns as whom a peer of that name must be authenticated, by {@code scram-sha-256} or {@code cert}. */
    public String identityOf(String standby) {
        return identity.isEmpty() ? standby : identity;
    }

    /**
     * Reads an address, as a transport writes that of its peer; never asks for a name.
     *
     * @throws IllegalArgumentException if it is none
     */
    public static InetAddress address(String text) {
        return Network.literal(text.startsWith("[") ? text.substring(1, text.length() - 1) : text);
    }

    boolean matches(String transport, String standby, InetAddress address) {
        return (transports.isEmpty() || transports.contains(transport))
                && (standbys.isEmpty() || standbys.contains(standby))
                && network.contains(address);
    }
}
