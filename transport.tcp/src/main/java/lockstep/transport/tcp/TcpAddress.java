package lockstep.transport.tcp;

import java.net.InetSocketAddress;
import java.net.URI;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.TransportException;

/**
 * The host and port in {@code tcp://HOST:PORT}.
 *
 * @param host a name, an IPv4 address, or an IPv6 address in brackets
 */
record TcpAddress(String host, int port) {
    static final String SCHEME = "tcp";

    private static final int MAX_PORT = 65535;

    /**
     * Reads the host and port of an endpoint.
     *
     * @param authority them, without a user
     */
    static TcpAddress of(Endpoint endpoint, String authority) throws TransportException {
        URI uri = endpoint.uri();
        if (!SCHEME.equals(uri.getScheme())) {
            throw bad(endpoint, "the scheme " + uri.getScheme());
        } else if (authority.isEmpty()) {
            throw bad(endpoint, "no host");
        } else if (!uri.getPath().isEmpty()) {
            throw bad(endpoint, "a path");
        } else if (uri.getFragment() != null) {
            throw bad(endpoint, "a fragment");
        }
        int hostEnd = authority.startsWith("[") ? authority.indexOf(']') + 1 : authority.lastIndexOf(':');
        if (hostEnd < 0 || hostEnd >= authority.length() - 1 || authority.charAt(hostEnd) != ':') {
            throw bad(endpoint, "no port");
        } else if (hostEnd == 0) {
            throw bad(endpoint, "no host");
        }
        String host = authority.substring(0, hostEnd);
        if (!host.startsWith("[") && host.indexOf(':') >= 0) {
            throw bad(endpoint, "no brackets around its IPv6 address");
        }
        return new TcpAddress(host, port(endpoint, authority.substring(hostEnd + 1)));
    }

    private static int port(Endpoint endpoint, String text) throws TransportException {
        int port = -1;
        if (text.chars().allMatch(c -> c >= '0' && c <= '9') && text.length() <= 5) {
            port = Integer.parseInt(text);
        }
        if (port < 0 || port > MAX_PORT) {
            throw bad(endpoint, "the port " + text);
        }
        return port;
    }

    static TransportException bad(Endpoint endpoint, String found) {
        return new TransportException("endpoint \"" + endpoint + "\" has " + found
                + ": expected tcp://HOST:PORT, such as tcp://127.0.0.1:5440 or tcp://[::1]:5440");
    }

    /** Returns the host as others write it: without brackets. */
    String name() {
        return host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
    }

    /** Looks the name up, which may take a while. */
    InetSocketAddress resolve() {
        return new InetSocketAddress(name(), port);
    }

    /** Returns whether this is certainly the machine itself; asks for no name. */
    boolean isLoopback() {
        return host.equals("localhost") || host.equals("[::1]") || host.matches("127(\\.[0-9]{1,3}){3}");
    }

    @Override
    public String toString() {
        return host + ":" + port;
    }
}
