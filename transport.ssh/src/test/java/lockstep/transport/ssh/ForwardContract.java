package lockstep.transport.ssh;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import lockstep.transport.tck.StreamWire;
import lockstep.transport.tck.TransportContract;
import lockstep.transport.tck.Wire;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** The contract, through an ordinary SSH server. */
abstract class ForwardContract extends TransportContract {
    private static final int RECONNECTS = 100;

    @TempDir
    static Path folder;

    static OpenSsh sshd;

    @BeforeAll
    static void startServer() throws Exception {
        sshd = new OpenSsh(folder);
    }

    @AfterAll
    static void killServer() throws Exception {
        sshd.close();
    }

    /** Connects through the server to where the other listens. */
    record Through(SshTransport transport) implements Transport {
        @Override
        public String scheme() {
            return transport.scheme();
        }

        @Override
        public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
            return transport.listen(endpoint, acceptor);
        }

        @Override
        public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
            return transport.connect(
                    endpoint.uri().getAuthority() == null ? through(endpoint, sshd.port()) : endpoint, handler);
        }
    }

    static Endpoint through(Endpoint listening, int port) {
        return Endpoint.parse(
                listening.toString().replaceFirst("^ssh://", "ssh://" + OpenSsh.USER + "@127.0.0.1:" + port));
    }

    @Override
    protected Transport create() {
        return new Through(new SshTransport(folder, Map.of(), Defaults.except(sshd.client())));
    }

    @Override
    protected void withdraw(Transport transport) {
        if (transport instanceof Through through) {
            through.transport().close();
        }
    }

    @Override
    protected int reconnects() {
        return RECONNECTS;
    }

    @Override
    protected String identity() {
        return sshd.hostKeyFingerprint();
    }

    @Override
    protected Optional<Wire> wire(Endpoint listening) throws IOException {
        ServerSocketChannel door = ServerSocketChannel.open();
        door.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        int port = ((InetSocketAddress) door.getLocalAddress()).getPort();
        sshd.trust(port);
        return Optional.of(new StreamWire(
                door, new InetSocketAddress(InetAddress.getLoopbackAddress(), sshd.port()), through(listening, port)));
    }
}
