package lockstep.transport.postgres.server;

import java.net.InetSocketAddress;
import java.net.URI;
import java.util.List;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.TransportException;

/**
 * Where to listen, and how: {@code postgresql://HOST:PORT?ssl=on|off&insecure=on|off}.
 *
 * @param host a name, an IPv4 address, or an IPv6 address in brackets
 * @param ssl whether with TLS, and nothing else; null if the endpoint does not say
 * @param insecure whether others than this machine may connect without TLS
 */
record ListenAddress(String host, int port, Boolean ssl, boolean insecure) {
    private static final int MAX_PORT = 65535;
    private static final List<String> TRUTH = List.of("on", "true", "yes", "1");
    private static final List<String> UNTRUTH = List.of("off", "false", "no", "0");

    static ListenAddress of(Endpoint endpoint) throws TransportException {
        URI uri = endpoint.uri();
        boolean bare = uri.getHost() != null
                && uri.getUserInfo() == null
                && (uri.getPath().isEmpty() || uri.getPath().equals("/"))
                && uri.getFragment() == null;
        if (!bare || uri.getPort() < 0 || uri.getPort() > MAX_PORT) {
            throw bad(endpoint);
        }
        Boolean ssl = null;
        boolean insecure = false;
        for (String parameter :
                uri.getQuery() == null ? new String[0] : uri.getQuery().split("&", -1)) {
            String[] parts = parameter.split("=", 2);
            boolean yes = TRUTH.contains(parts[parts.length - 1]);
            if (parts.length != 2 || !(yes || UNTRUTH.contains(parts[1]))) {
                throw bad(endpoint);
            }
            switch (parts[0]) {
                case "ssl" -> ssl = yes;
                case "insecure" -> insecure = yes;
                default -> throw bad(endpoint);
            }
        }
        return new ListenAddress(uri.getHost(), uri.getPort(), ssl, insecure);
    }

    private static TransportException bad(Endpoint endpoint) {
        return new TransportException("cannot listen on \"" + endpoint
                + "\": expected postgresql://HOST:PORT, and no more than ?ssl=on|off&insecure=on|off, such as"
                + " postgresql://127.0.0.1:5432");
    }

    /** Looks the name up, which may take a while. */
    InetSocketAddress resolve() {
        return new InetSocketAddress(host.startsWith("[") ? host.substring(1, host.length() - 1) : host, port);
    }
}
