package lockstep.transport.ssh;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.channels.SocketChannel;
import java.util.Optional;
import lockstep.transport.api.Endpoint;

class LoopbackContractTest extends ForwardContract {
    @Override
    protected Endpoint anywhere() {
        return Endpoint.parse("ssh:///?forward=127.0.0.1:0");
    }

    @Override
    protected Endpoint nowhere() throws IOException {
        return through(Endpoint.parse("ssh:///?forward=127.0.0.1:" + OpenSsh.freePort()), sshd.port());
    }

    @Override
    protected String clientIdentity() {
        return "";
    }

    @Override
    protected Optional<ByteChannel> stranger(Endpoint listening) throws IOException {
        String query = listening.uri().getQuery();
        int port = Integer.parseInt(query.substring(query.lastIndexOf(':') + 1));
        return Optional.of(SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), port)));
    }
}
