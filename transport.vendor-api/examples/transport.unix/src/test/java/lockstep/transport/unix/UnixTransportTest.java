package lockstep.transport.unix;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Transport;
import lockstep.transport.tck.StreamWire;
import lockstep.transport.tck.TransportContract;
import lockstep.transport.tck.Wire;
import org.junit.jupiter.api.io.TempDir;

final class UnixTransportTest extends TransportContract {
    @TempDir
    private Path folder;

    private final AtomicInteger sockets = new AtomicInteger();

    @Override
    protected Transport create() {
        return new UnixTransport();
    }

    @Override
    protected void withdraw(Transport transport) {
        if (transport != null) {
            ((UnixTransport) transport).close();
        }
    }

    @Override
    protected Endpoint anywhere() {
        return Endpoint.parse("unix://" + folder + "/" + sockets.incrementAndGet());
    }

    @Override
    protected Endpoint nowhere() {
        return anywhere();
    }

    /** The kernel tells each side which user the other runs as. */
    @Override
    protected String identity() {
        return System.getProperty("user.name");
    }

    @Override
    protected Optional<Wire> wire(Endpoint listening) throws IOException {
        Endpoint endpoint = anywhere();
        ServerSocketChannel door = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        door.bind(address(endpoint));
        return Optional.of(new StreamWire(door, address(listening), endpoint));
    }

    @Override
    protected Optional<ByteChannel> stranger(Endpoint listening) throws IOException {
        return Optional.of(SocketChannel.open(address(listening)));
    }

    private static UnixDomainSocketAddress address(Endpoint endpoint) {
        return UnixDomainSocketAddress.of(endpoint.uri().getPath());
    }
}
