package @package@;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Peer;
import lockstep.transport.api.TransportException;

/** The host and port in {@code @name@://HOST:PORT}. Which kind of socket is used is decided here and nowhere else. */
record @Name@Address(String host, int port) {
    static final String SCHEME = "@name@";

    /** Reads an endpoint; it may have nothing but a host and a port. */
    static @Name@Address of(Endpoint endpoint) throws TransportException {
        URI uri = endpoint.uri();
        if (!SCHEME.equals(uri.getScheme())
                || uri.getHost() == null
                || uri.getPort() < 0
                || !uri.getPath().isEmpty()
                || uri.getUserInfo() != null
                || uri.getQuery() != null
                || uri.getFragment() != null) {
            throw new TransportException("endpoint \"" + endpoint
                    + "\" is not of the form @name@://HOST:PORT, such as @name@://127.0.0.1:5441");
        }
        return new @Name@Address(uri.getHost(), uri.getPort());
    }

    /** Returns the endpoint that a bound socket is reached at. */
    Endpoint endpoint(ServerSocketChannel bound) throws IOException {
        int taken = ((InetSocketAddress) bound.getLocalAddress()).getPort();
        return Endpoint.parse(SCHEME + "://" + host + ":" + taken);
    }

    /** Returns where to connect to; looks the name up, which may take a while. */
    SocketAddress socketAddress() throws UnknownHostException {
        InetSocketAddress address = new InetSocketAddress(
                host.startsWith("[") ? host.substring(1, host.length() - 1) : host, port);
        if (address.isUnresolved()) {
            throw new UnknownHostException("unknown host " + host);
        }
        return address;
    }

    /** Opens a socket that is not connected yet. */
    SocketChannel open() throws IOException {
        return SocketChannel.open().setOption(StandardSocketOptions.TCP_NODELAY, true);
    }

    /** Listens. */
    ServerSocketChannel bind() throws IOException {
        ServerSocketChannel door = ServerSocketChannel.open();
        try {
            return door.setOption(StandardSocketOptions.SO_REUSEADDR, true).bind(socketAddress());
        } catch (IOException e) {
            door.close();
            throw e;
        }
    }

    /** Makes room for the next listener; called once, before the door is closed. A port needs nothing of the kind. */
    void unbind() {}

    /** Returns who the other side is. Nobody is authenticated: listen only where friends are. */
    Peer peer(SocketChannel channel) throws IOException {
        InetSocketAddress remote = (InetSocketAddress) channel.getRemoteAddress();
        return new Peer(remote.getAddress().getHostAddress() + ":" + remote.getPort(), "", false);
    }

    @Override
    public String toString() {
        return host + ":" + port;
    }
}
