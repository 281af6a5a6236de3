package lockstep.transport.ssh;

import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import lockstep.transport.api.Endpoint;

class UnixSocketContractTest extends ForwardContract {
    private static final AtomicInteger sockets = new AtomicInteger();

    private static Path socket() {
        return folder.resolve(sockets.incrementAndGet() + ".sock");
    }

    @Override
    protected Endpoint anywhere() {
        return Endpoint.parse("ssh://" + socket());
    }

    @Override
    protected Endpoint nowhere() {
        return through(anywhere(), sshd.port());
    }

    @Override
    protected String clientIdentity() {
        return OpenSsh.USER;
    }

    @Override
    protected Optional<ByteChannel> stranger(Endpoint listening) throws IOException {
        return Optional.of(
                SocketChannel.open(UnixDomainSocketAddress.of(listening.uri().getPath())));
    }
}
