package lockstep.transport.ssh;

import java.net.URI;
import java.nio.file.Path;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.TransportException;

/**
 * Where a server listens or is reached. There are three kinds of doors, and the two sides write them alike:
 *
 * <pre>
 *   the door                                      the primary listens on      the standby connects to
 *   a Unix socket, which the machine's own SSH
 *   server forwards to                            ssh:///PATH                 ssh://USER@HOST:PORT/PATH
 *   a loopback port, likewise                     ssh:///?forward=127.0.0.1:N ssh://USER@HOST:PORT/?forward=127.0.0.1:N
 *   the embedded SSH server                       ssh://HOST:PORT             ssh://USER@HOST:PORT
 * </pre>
 *
 * <p>The user is the one this server runs as unless given, and the port is 22.
 *
 * @param user empty if none is given
 * @param host a name, an IPv4 address, or an IPv6 address in brackets: of the SSH server; empty where another SSH server
 *     is the one that is reached
 * @param port of the SSH server
 */
record SshEndpoint(Endpoint endpoint, String user, String host, int port, Door door) {
    static final String SCHEME = "ssh";

    private static final int DEFAULT_PORT = 22;
    private static final int MAX_PORT = 65535;
    private static final String FORWARD = "forward=";
    private static final String LISTENING =
            "expected ssh:///PATH/OF/SOCKET or ssh:///?forward=127.0.0.1:PORT, which an SSH server on this machine"
                    + " forwards to, or ssh://HOST:PORT for the embedded SSH server";
    private static final String CONNECTING =
            "expected ssh://USER@HOST:PORT/PATH/OF/SOCKET or ssh://USER@HOST:PORT/?forward=127.0.0.1:PORT through an SSH"
                    + " server on the primary's machine, or ssh://USER@HOST:PORT to a primary's embedded one";

    /** What a session is let in by, behind the SSH server. */
    sealed interface Door {}

    /** The subsystem of the embedded server. */
    record Subsystem() implements Door {}

    /** A Unix socket on the machine of the SSH server. */
    record UnixSocket(Path path) implements Door {}

    /** A port that the machine of the SSH server reaches, mostly one of its own. */
    record Port(String host, int port) implements Door {}

    /** Reads an endpoint to listen on. */
    static SshEndpoint listening(Endpoint endpoint) throws TransportException {
        SshEndpoint read = read(endpoint, LISTENING, -1);
        if (!read.user.isEmpty()) {
            throw bad(endpoint, "a user", LISTENING);
        } else if (read.host.isEmpty() && read.door instanceof Subsystem) {
            throw bad(endpoint, "neither a host nor a path", LISTENING);
        } else if (!read.host.isEmpty() && !(read.door instanceof Subsystem)) {
            throw bad(endpoint, "both a host and what is forwarded to", LISTENING);
        } else if (!read.host.isEmpty() && read.port < 0) {
            throw bad(endpoint, "no port", LISTENING);
        } else if (read.door instanceof Port port && !isLoopback(port.host)) {
            throw bad(endpoint, "the host " + port.host + ", which is not this machine's own 127.0.0.1", LISTENING);
        }
        return read;
    }

    private static boolean isLoopback(String host) {
        return host.equals("localhost") || host.equals("[::1]") || host.matches("127(\\.\\d{1,3}){3}");
    }

    /** Reads an endpoint to connect to. */
    static SshEndpoint connecting(Endpoint endpoint) throws TransportException {
        SshEndpoint read = read(endpoint, CONNECTING, DEFAULT_PORT);
        if (read.host.isEmpty()) {
            throw bad(endpoint, "no host", CONNECTING);
        } else if (read.port == 0 || (read.door instanceof Port port && port.port == 0)) {
            throw bad(endpoint, "the port 0", CONNECTING);
        }
        return read;
    }

    private static SshEndpoint read(Endpoint endpoint, String expected, int defaultPort) throws TransportException {
        URI uri = endpoint.uri();
        if (!SCHEME.equals(uri.getScheme())) {
            throw bad(endpoint, "the scheme " + uri.getScheme(), expected);
        } else if (uri.isOpaque()) {
            throw bad(endpoint, "no slashes", expected);
        } else if (uri.getFragment() != null) {
            throw bad(endpoint, "a fragment", expected);
        }
        String authority = uri.getAuthority() == null ? "" : uri.getAuthority();
        int userEnd = authority.lastIndexOf('@');
        String user = authority.substring(0, Math.max(userEnd, 0));
        if (user.indexOf(':') >= 0) {
            // Shown nowhere, not even here.
            throw new TransportException("an ssh endpoint has a password: there are only keys here; " + expected);
        } else if (userEnd == 0) {
            throw bad(endpoint, "an empty user", expected);
        }
        String hostAndPort = authority.substring(userEnd + 1);
        Port ssh = hostAndPort.isEmpty() ? new Port("", 0) : port(endpoint, hostAndPort, expected, defaultPort);
        return new SshEndpoint(endpoint, user, ssh.host, ssh.port, door(endpoint, expected));
    }

    private static Door door(Endpoint endpoint, String expected) throws TransportException {
        String path = endpoint.uri().getPath();
        String query = endpoint.uri().getQuery();
        boolean noPath = path.isEmpty() || path.equals("/");
        if (query == null) {
            return noPath ? new Subsystem() : new UnixSocket(Path.of(path));
        } else if (!noPath) {
            throw bad(endpoint, "both a path and a query", expected);
        } else if (!query.startsWith(FORWARD)) {
            throw bad(endpoint, "the query " + query, expected);
        }
        return port(endpoint, query.substring(FORWARD.length()), expected, -1);
    }

    private static Port port(Endpoint endpoint, String text, String expected, int defaultPort)
            throws TransportException {
        int hostEnd = text.startsWith("[") ? text.indexOf(']') + 1 : text.indexOf(':');
        if (hostEnd < 0) {
            hostEnd = text.length();
        }
        String host = text.substring(0, hostEnd);
        if (host.isEmpty()) {
            throw bad(endpoint, "no host", expected);
        } else if (hostEnd == text.length()) {
            if (defaultPort < 0) {
                throw bad(endpoint, "no port", expected);
            }
            return new Port(host, defaultPort);
        } else if (text.indexOf(':', hostEnd + 1) >= 0) {
            throw bad(endpoint, "no brackets around its IPv6 address", expected);
        }
        String digits = text.substring(hostEnd + 1);
        int port = digits.matches("\\d{1,5}") ? Integer.parseInt(digits) : -1;
        if (port < 0 || port > MAX_PORT) {
            throw bad(endpoint, "the port " + digits, expected);
        }
        return new Port(host, port);
    }

    private static TransportException bad(Endpoint endpoint, String found, String expected) {
        return new TransportException("endpoint \"" + endpoint + "\" has " + found + ": " + expected);
    }

    /** Returns a host as it is given to those who look it up: an IPv6 address without its brackets. */
    static String bare(String host) {
        return host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
    }

    /** Returns the SSH server, as in the endpoint. */
    String server() {
        return (user.isEmpty() ? "" : user + "@") + host + ":" + port;
    }

    /** Returns the endpoint with the port that was really taken: of the SSH server, or of what it forwards to. */
    Endpoint withPort(int taken) {
        return Endpoint.parse(
                door instanceof Port port
                        ? SCHEME + ":///?" + FORWARD + port.host + ":" + taken
                        : SCHEME + "://" + host + ":" + taken);
    }
}
