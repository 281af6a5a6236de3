package lockstep.transport.tck;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Optional;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;

/**
 * What {@link Transport} promises, as checks. A vendor extends this class in a test, and says how a transport is made and
 * where it can listen:
 *
 * <pre>
 *   final class AcmeTransportTest extends TransportContract {
 *       protected Transport create() { return new AcmeTransport(); }
 *       protected void withdraw(Transport transport) { ((AcmeTransport) transport).close(); }
 *       protected Endpoint anywhere() { return Endpoint.parse("acme://127.0.0.1:0"); }
 *       protected Endpoint nowhere() throws IOException { return Endpoint.parse("acme://127.0.0.1:" + freePort()); }
 *   }
 * </pre>
 *
 * <p><b>What is checked</b> stands in the interfaces that this class implements, one for each subject. A check that a
 * transport cannot be put to, because its medium has nothing of the kind, is reported as skipped, with the reason.
 *
 * <p><b>Below the transport.</b> Faults on the way, and strangers who call, need a way past the transport. For endpoints
 * of the form {@code SCHEME://HOST:PORT}, whose listener is a TCP port, there is one already; for others a vendor
 * overrides {@link #wire} and {@link #stranger}.
 *
 * <p>Nothing here judges speed. The throughput that is printed is for people to read.
 */
@Timeout(120)
public abstract class TransportContract
        implements MessageChecks,
                PushBackChecks,
                ClosingChecks,
                OpeningChecks,
                WithdrawalChecks,
                FaultChecks,
                ThroughputChecks {
    private static final int RECONNECTS = 1000;
    private static final long BULK_BYTES = 256L << 20;

    private final Ends ends = new Ends(this);

    /** Makes a transport, as it is when its service has just been registered. */
    protected abstract Transport create();

    /** Withdraws a transport, as when its bundle is stopped. May be called again, and for {@code null}. */
    protected abstract void withdraw(Transport transport);

    /** Returns an endpoint where one can listen; nobody does there. */
    protected abstract Endpoint anywhere();

    /** Returns an endpoint that can be connected to, but nobody listens there. */
    protected abstract Endpoint nowhere() throws Exception;

    /** Returns what {@link lockstep.transport.api.Peer#identity} says on either side; empty if nobody is authenticated. */
    protected String identity() {
        return "";
    }

    /** Returns what {@link #identity} is of a client, as the server sees it, when the two sides differ. */
    protected String clientIdentity() {
        return identity();
    }

    /** Returns how many times in a row sessions are opened and closed; less than 1000 if opening takes long. */
    protected int reconnects() {
        return RECONNECTS;
    }

    /** Returns how much is sent to measure the throughput. */
    protected long bulkBytes() {
        return BULK_BYTES;
    }

    /**
     * Lays a wire to a listener.
     *
     * @param listening what the listener says its endpoint is
     * @return empty if the medium allows nothing of the kind, or the kit is not told how
     */
    protected Optional<Wire> wire(Endpoint listening) throws IOException {
        if (port(listening) <= 0) {
            return Optional.empty();
        }
        ServerSocketChannel door = ServerSocketChannel.open();
        door.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        int port = ((InetSocketAddress) door.getLocalAddress()).getPort();
        return Optional.of(new StreamWire(door, address(listening), withPort(listening, port)));
    }

    /**
     * Calls a listener as somebody who does not have the transport.
     *
     * @param listening what the listener says its endpoint is
     * @return a way to write any bytes to it; empty if the medium allows nothing of the kind, or the kit is not told how
     */
    protected Optional<ByteChannel> stranger(Endpoint listening) throws IOException {
        return port(listening) <= 0 ? Optional.empty() : Optional.of(SocketChannel.open(address(listening)));
    }

    private static int port(Endpoint endpoint) {
        return endpoint.uri().getHost() == null ? 0 : endpoint.uri().getPort();
    }

    private static InetSocketAddress address(Endpoint endpoint) {
        return new InetSocketAddress(endpoint.uri().getHost(), endpoint.uri().getPort());
    }

    private static Endpoint withPort(Endpoint endpoint, int port) {
        URI uri = endpoint.uri();
        try {
            return new Endpoint(new URI(
                    uri.getScheme(),
                    uri.getUserInfo(),
                    uri.getHost(),
                    port,
                    uri.getPath(),
                    uri.getQuery(),
                    uri.getFragment()));
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException(e);
        }
    }

    @Override
    public final Ends ends() {
        return ends;
    }

    @BeforeEach
    final void openEnds() throws TransportException {
        ends.open();
    }

    @AfterEach
    final void withdrawEnds() {
        ends.withdraw();
    }
}
