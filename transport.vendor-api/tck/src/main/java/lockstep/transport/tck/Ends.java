package lockstep.transport.tck;

import static org.junit.jupiter.api.Assertions.fail;

import java.nio.channels.ByteChannel;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.junit.jupiter.api.Assumptions;

/**
 * Two transports, as on two machines: one that listens and one that connects. Each test has a new pair. What is opened
 * here is withdrawn when the test ends.
 */
public final class Ends {
    private final TransportContract contract;
    private final BlockingQueue<RecordingHandler> accepted = new LinkedBlockingQueue<>();
    private Transport server;
    private Transport client;
    private Listener listener;

    /** The two handlers of one session. */
    public record Link(RecordingHandler client, RecordingHandler server) {}

    Ends(TransportContract contract) {
        this.contract = contract;
    }

    /** Makes both transports and listens. */
    public void open() throws TransportException {
        openAgain(anywhere());
    }

    /** Makes both transports anew, and listens where somebody did before. */
    public void openAgain(Endpoint endpoint) throws TransportException {
        server = contract.create();
        client = contract.create();
        accepted.clear();
        listenAgain(endpoint);
    }

    /** Withdraws both transports. */
    public void withdraw() {
        withdrawClient();
        withdrawServer();
    }

    /** Withdraws the transport that connects. */
    public void withdrawClient() {
        contract.withdraw(client);
    }

    /** Withdraws the transport that listens. */
    public void withdrawServer() {
        contract.withdraw(server);
    }

    /** Returns the transport that listens. */
    public Transport server() {
        return server;
    }

    /** Returns the transport that connects. */
    public Transport client() {
        return client;
    }

    /** Returns where {@link #connect} connects to. */
    public Listener listener() {
        return listener;
    }

    /** Opens one more door. */
    public Listener listen(Function<Session, SessionHandler> acceptor) throws TransportException {
        return server.listen(anywhere(), acceptor::apply);
    }

    /** Opens the door that {@link #connect} goes to. */
    public void listenAgain(Endpoint endpoint) throws TransportException {
        listener = server.listen(endpoint, this::accept);
    }

    /** Takes a session, which {@link #accepted} then returns. */
    public SessionHandler accept(Session session) {
        RecordingHandler handler = new RecordingHandler().on(session);
        accepted.add(handler);
        return handler;
    }

    /** Returns the server's side of the next session. */
    public RecordingHandler accepted() throws InterruptedException {
        RecordingHandler next = accepted.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        return next == null
                ? fail("the server accepted no session within " + RecordingHandler.PATIENCE_S + " s")
                : next;
    }

    /** Returns whether a session waits to be taken by {@link #accepted}. */
    public boolean hasAccepted() {
        return !accepted.isEmpty();
    }

    /** Connects to the listener; returns the client's side. */
    public RecordingHandler connect() throws TransportException {
        return connect(listener.endpoint());
    }

    /** Connects to an endpoint; returns the client's side. */
    public RecordingHandler connect(Endpoint endpoint) throws TransportException {
        RecordingHandler handler = new RecordingHandler();
        return handler.on(client.connect(endpoint, handler));
    }

    /** Connects to the listener; returns both sides. */
    public Link link() throws Exception {
        RecordingHandler there = connect();
        return new Link(there, accepted());
    }

    /** Connects to the listener through a wire; returns both sides. */
    public Link link(Wire wire) throws Exception {
        RecordingHandler there = connect(wire.endpoint());
        return new Link(there, accepted());
    }

    Endpoint anywhere() {
        return contract.anywhere();
    }

    Endpoint nowhere() throws Exception {
        return contract.nowhere();
    }

    /** Lays a wire to the listener, or skips the check. */
    Wire wire() throws Exception {
        return orSkip(contract.wire(listener.endpoint()), "the transport gives the kit no wire to make trouble on");
    }

    /** Calls the listener as somebody who does not have the transport, or skips the check. */
    ByteChannel stranger() throws Exception {
        return orSkip(contract.stranger(listener.endpoint()), "no stranger can reach what the transport listens on");
    }

    int reconnects() {
        return contract.reconnects();
    }

    long bulkBytes() {
        return contract.bulkBytes();
    }

    String identity() {
        return contract.identity();
    }

    String clientIdentity() {
        return contract.clientIdentity();
    }

    String scheme() {
        return server.scheme();
    }

    private static <T> T orSkip(Optional<T> what, String reason) {
        return what.orElseGet(() -> Assumptions.abort(reason));
    }
}
