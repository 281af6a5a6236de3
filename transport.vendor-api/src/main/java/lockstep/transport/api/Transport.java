package lockstep.transport.api;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Carries messages between two servers. A vendor implements it and registers it as an OSGi service; the core finds it
 * by its scheme, and notices when it arrives, leaves or is replaced. The service needs no properties.
 *
 * <p><b>Life cycle.</b> A service that is unregistered has been withdrawn: when the deactivation of its component returns
 * (for Declarative Services, the {@code @Deactivate} method), it has closed its listeners and sessions (cause {@code
 * "transport withdrawn"}, and {@link SessionHandler#closed} has been called for each) and ended and joined its threads.
 * Peers have a second to take what was sent before; one that takes nothing holds withdrawal up no longer than that.
 * From then on {@link #listen} and {@link #connect} fail. Sessions are opened again through whatever transport serves the
 * scheme next, and continue at the exact byte.
 *
 * <p><b>Threads.</b> All methods may be called from any thread, and at the same time.
 *
 * <p><b>Errors.</b> {@link TransportException} is for what the world does: it names the endpoint, says why, and what to
 * do if that is known; the core shows it to the operator and tries again later. Any other exception is taken for a defect
 * of the transport, and logged with its stack.
 *
 * <p><b>Strangers.</b> Who connects may be anybody. What they send is bounded in size and time before anything is
 * believed, never reaches a handler, and harms no other session.
 */
@ConsumerType
public interface Transport {
    /** Returns the URI scheme this transport serves, such as {@code tcp}; lower case, the same for ever. */
    String scheme();

    /**
     * Accepts sessions from now on until the listener is closed. May take a moment, as looking up a name does, but does
     * not wait for peers. A transport may listen at any number of endpoints, at one only once.
     *
     * @param endpoint where to listen; a port of 0 means any free one, which the listener then tells
     * @param acceptor asked once for each peer that arrives, on a thread of the transport
     * @throws TransportException if the endpoint cannot be listened on: it is not of this transport's form, somebody
     *     listens there, the transport has been withdrawn; says which and why
     */
    Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException;

    /**
     * Opens a session to a listening server. Blocks until it is open or has failed, at most ten seconds.
     *
     * A session that is open has reached the peer's {@link Acceptor}, or is certain to end if it does not.
     *
     * @param handler hears the answers, on a thread of the transport; may be called before this method has returned
     * @throws TransportException if no session could be opened: nobody listens there, it is another kind of server, the
     *     endpoint is not of this transport's form, the transport has been withdrawn; says which and why. The handler is
     *     then never called, not even {@link SessionHandler#closed}
     */
    Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException;
}
