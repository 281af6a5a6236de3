package lockstep.transport.tcp;

import java.net.URI;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.TransportException;

/**
 * What stands in an endpoint of this transport: an address, and how to go about it.
 *
 * <pre>
 *   to listen    tcp://HOST:PORT?ssl=on|off&amp;insecure=true&amp;compression=off|lz4|zstd
 *   to connect   tcp://USER@HOST:PORT?sslmode=MODE&amp;sslrootcert=FILE&amp;sslcert=FILE&amp;sslkey=FILE&amp;sslcrl=FILE
 *                &amp;compression=off|lz4|zstd
 * </pre>
 *
 * @param user whose password to show; empty for that of the standby's own name
 * @param parameters what stands in the query
 */
record TcpEndpoint(TcpAddress address, String user, Map<String, String> parameters) {
    private static final String COMPRESSION = "compression";
    private static final List<String> LISTENING = List.of("ssl", "insecure", COMPRESSION);
    private static final List<String> CONNECTING =
            List.of("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", COMPRESSION);
    private static final List<String> TRUTH = List.of("on", "true", "yes", "1");
    private static final List<String> UNTRUTH = List.of("off", "false", "no", "0");

    static TcpEndpoint listening(Endpoint endpoint) throws TransportException {
        TcpEndpoint read = of(endpoint, LISTENING);
        if (!read.user.isEmpty()) {
            throw TcpAddress.bad(endpoint, "a user");
        }
        read.checkTruth(endpoint, "ssl");
        read.checkTruth(endpoint, "insecure");
        read.checkCompression(endpoint);
        return read;
    }

    static TcpEndpoint connecting(Endpoint endpoint) throws TransportException {
        TcpEndpoint read = of(endpoint, CONNECTING);
        if (read.user.indexOf(':') >= 0) {
            throw new TransportException("endpoint \"" + endpoint
                    + "\" has a password, which would be seen: set passfile, or the environment variable PGPASSWORD");
        }
        read.checkCompression(endpoint);
        if (!read.compression().map(Compression::isAvailable).orElse(true)) {
            throw new TransportException("endpoint \"" + endpoint
                    + "\" wants a compression that does not run on this machine: use compression=lz4");
        }
        return read;
    }

    private static TcpEndpoint of(Endpoint endpoint, List<String> known) throws TransportException {
        URI uri = endpoint.uri();
        String authority = uri.getAuthority() == null ? "" : uri.getAuthority();
        int at = authority.lastIndexOf('@');
        return new TcpEndpoint(
                TcpAddress.of(endpoint, authority.substring(at + 1)),
                at < 0 ? "" : authority.substring(0, at),
                parameters(endpoint, known));
    }

    private static Map<String, String> parameters(Endpoint endpoint, List<String> known) throws TransportException {
        Map<String, String> parameters = new LinkedHashMap<>();
        String query = endpoint.uri().getQuery();
        if (query != null) {
            for (String parameter : query.split("&", -1)) {
                String[] parts = parameter.split("=", 2);
                if (!known.contains(parts[0]) || parts.length == 1) {
                    throw TcpAddress.bad(
                            endpoint,
                            "the parameter " + parts[0] + ", which is none of " + String.join("=, ", known) + "=");
                }
                parameters.put(parts[0], parts[1]);
            }
        }
        return parameters;
    }

    private void checkTruth(Endpoint endpoint, String name) throws TransportException {
        String value = parameters.get(name);
        if (value != null && !TRUTH.contains(value) && !UNTRUTH.contains(value)) {
            throw TcpAddress.bad(endpoint, "the parameter " + name + "=" + value + ", which is neither on nor off");
        }
    }

    private void checkCompression(Endpoint endpoint) throws TransportException {
        String value = parameters.getOrDefault(COMPRESSION, Compression.OFF);
        if (!value.equals(Compression.OFF) && compression().isEmpty()) {
            throw TcpAddress.bad(
                    endpoint, "the parameter " + COMPRESSION + "=" + value + ", which is none of off, lz4, zstd");
        }
    }

    /** Returns what to ask for when connecting. */
    Optional<Compression> compression() {
        return Compression.of(parameters.getOrDefault(COMPRESSION, Compression.OFF));
    }

    /** Returns what to agree to when listening: what the endpoint names, or anything if it names nothing. */
    Set<Compression> compressions() {
        return parameters.containsKey(COMPRESSION)
                ? compression().map(Set::of).orElse(Set.of())
                : EnumSet.allOf(Compression.class);
    }

    /** Returns whether to listen with TLS. */
    boolean ssl(boolean configured) {
        String value = parameters.get("ssl");
        return value == null ? configured : TRUTH.contains(value);
    }

    /** Returns whether others than this machine may connect without TLS. */
    boolean insecure() {
        return TRUTH.contains(parameters.getOrDefault("insecure", "off"));
    }
}
