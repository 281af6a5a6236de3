package lockstep.transport.unix;

import java.io.IOException;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.URI;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import jdk.net.ExtendedSocketOptions;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Peer;
import lockstep.transport.api.TransportException;

/**
 * The path in {@code unix:///PATH}. The socket is a file there, which the listener makes and removes; who may connect is
 * whoever may write to it.
 */
record UnixAddress(Path path) {
    static final String SCHEME = "unix";

    /** The longest path that {@code sockaddr_un} holds. */
    private static final int MAX_PATH_BYTES = 107;

    /** Reads an endpoint; it may have nothing but an absolute path. */
    static UnixAddress of(Endpoint endpoint) throws TransportException {
        URI uri = endpoint.uri();
        String path = uri.getPath();
        if (!SCHEME.equals(uri.getScheme())
                || uri.getAuthority() != null
                || path == null
                || path.length() < 2
                || uri.getQuery() != null
                || uri.getFragment() != null) {
            throw new TransportException("endpoint \"" + endpoint
                    + "\" is not of the form unix:///PATH, such as unix:///run/lockstep/primary.sock");
        }
        int bytes = path.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > MAX_PATH_BYTES) {
            throw new TransportException("endpoint \"" + endpoint + "\" has a path of " + bytes
                    + " bytes, and a socket takes " + MAX_PATH_BYTES + ": choose a shorter one");
        }
        return new UnixAddress(Path.of(path));
    }

    /** Returns the endpoint that a bound socket is reached at. */
    Endpoint endpoint(ServerSocketChannel bound) {
        assert bound.isOpen();
        return Endpoint.parse(SCHEME + "://" + path);
    }

    SocketAddress socketAddress() {
        return UnixDomainSocketAddress.of(path);
    }

    /** Opens a socket that is not connected yet. */
    SocketChannel open() throws IOException {
        return SocketChannel.open(StandardProtocolFamily.UNIX);
    }

    /** Listens. The file that a server left behind when it crashed is removed; that of one that lives is not. */
    ServerSocketChannel bind() throws IOException {
        if (Files.exists(path) && !isServed()) {
            Files.delete(path);
        }
        ServerSocketChannel door = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            return door.bind(socketAddress());
        } catch (IOException e) {
            door.close();
            throw e;
        }
    }

    private boolean isServed() {
        try (SocketChannel probe = open()) {
            return probe.connect(socketAddress());
        } catch (IOException refused) {
            return false;
        }
    }

    /** Makes room for the next listener; called once, before the door is closed. */
    void unbind() throws IOException {
        Files.deleteIfExists(path);
    }

    /** Returns who the other side is: the kernel says which user it runs as. */
    Peer peer(SocketChannel channel) throws IOException {
        String user =
                channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user().getName();
        return new Peer(path + " (user " + user + ")", user, false);
    }

    @Override
    public String toString() {
        return path.toString();
    }
}
