package lockstep.transport.ssh;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
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
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** The contract, with the embedded server. */
class EmbeddedContractTest extends TransportContract {
    private static final int RECONNECTS = 100;

    @TempDir
    static Path folder;

    @BeforeAll
    static void makeKeys() throws Exception {
        Path id = folder.resolve("id");
        OpenSsh.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", id.toString());
        Files.createDirectories(folder.resolve("ssh"));
        Files.copy(Path.of(id + ".pub"), folder.resolve("ssh/authorized_keys"));
    }

    private static Map<String, Object> settings() {
        return new HashMap<>(Map.of("identityFile", "id", "identityAgent", "none", "knownHostsFile", "known_hosts"));
    }

    /** Trusts whatever it has listened on. */
    private record Trusting(SshTransport transport) implements Transport {
        @Override
        public String scheme() {
            return transport.scheme();
        }

        @Override
        public Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException {
            Listener listener = transport.listen(endpoint, acceptor);
            trust(listener.endpoint().uri().getPort());
            return listener;
        }

        @Override
        public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
            return transport.connect(endpoint, handler);
        }
    }

    private static void trust(int port) {
        try {
            Files.writeString(
                    folder.resolve("known_hosts"),
                    OpenSsh.knownHost(port, folder.resolve("ssh/host_key.pub")),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.APPEND);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    protected Transport create() {
        return new Trusting(new SshTransport(folder, Map.of(), Defaults.except(settings())));
    }

    @Override
    protected void withdraw(Transport transport) {
        if (transport instanceof Trusting trusting) {
            trusting.transport().close();
        }
    }

    @Override
    protected Endpoint anywhere() {
        return Endpoint.parse("ssh://127.0.0.1:0");
    }

    @Override
    protected Endpoint nowhere() throws IOException {
        return Endpoint.parse("ssh://127.0.0.1:" + OpenSsh.freePort());
    }

    @Override
    protected String identity() {
        return "ssh-ed25519 " + OpenSsh.fingerprint(folder.resolve("ssh/host_key.pub"));
    }

    @Override
    protected String clientIdentity() {
        return OpenSsh.USER + " " + OpenSsh.fingerprint(folder.resolve("id.pub"));
    }

    @Override
    protected int reconnects() {
        return RECONNECTS;
    }

    @Override
    protected Optional<Wire> wire(Endpoint listening) throws IOException {
        ServerSocketChannel door = ServerSocketChannel.open();
        door.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        int port = ((InetSocketAddress) door.getLocalAddress()).getPort();
        trust(port);
        return Optional.of(new StreamWire(
                door,
                new InetSocketAddress(
                        InetAddress.getLoopbackAddress(), listening.uri().getPort()),
                Endpoint.parse("ssh://127.0.0.1:" + port)));
    }
}
