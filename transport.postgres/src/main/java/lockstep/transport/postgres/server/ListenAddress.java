package lockstep.transport.postgres.server;

import java.net.InetSocketAddress;
import java.net.URI;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.TransportException;

/**
 * Where to listen: the host and port in {@code postgresql://HOST:PORT}.
 *
 * @param host a name, an IPv4 address, or an IPv6 address in brackets
 */
record ListenAddress(String host, int port) {
    private static final int MAX_PORT = 65535;

    /** Reads an endpoint; it may have nothing but a host and a port. */
    static ListenAddress of(Endpoint endpoint) throws TransportException {
        URI uri = endpoint.uri();
        boolean bare = uri.getHost() != null
                && uri.getUserInfo() == null
                && (uri.getPath().isEmpty() || uri.getPath().equals("/"))
                && uri.getQuery() == null
                && uri.getFragment() == null;
        if (!bare || uri.getPort() < 0 || uri.getPort() > MAX_PORT) {
            throw new TransportException("cannot listen on \"" + endpoint
                    + "\": expected postgresql://HOST:PORT and nothing more, such as postgresql://127.0.0.1:5432");
        }
        return new ListenAddress(uri.getHost(), uri.getPort());
    }

    Endpoint endpoint() {
        return Endpoint.parse("postgresql://" + this);
    }

    ListenAddress withPort(int otherPort) {
        return new ListenAddress(host, otherPort);
    }

    /** Looks the name up, which may take a while. */
    InetSocketAddress resolve() {
        return new InetSocketAddress(host.startsWith("[") ? host.substring(1, host.length() - 1) : host, port);
    }

    @Override
    public String toString() {
        return host + ":" + port;
    }
}
