package lockstep.transport.api;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * Carries messages between two servers. A vendor implements it and registers it as an OSGi service; the core finds it
 * by its scheme, and notices when it arrives, leaves or is replaced.
 *
 * <p><b>Life cycle.</b> A service that is unregistered has been withdrawn: by the time its bundle has stopped, it has
 * closed its listeners and sessions (cause {@code "transport withdrawn"}) and ended and joined its threads. Sessions
 * are opened again through whatever transport serves the scheme next, and continue at the exact byte.
 *
 * <p><b>Threads.</b> Both methods may be called from any thread, and at the same time.
 */
@ConsumerType
public interface Transport {
    /** Returns the URI scheme this transport serves, such as {@code tcp}; lower case, the same for ever. */
    String scheme();

    /**
     * Accepts sessions from now on until the listener is closed.
     *
     * @param endpoint where to listen; a port of 0 means any free one, which the listener then tells
     * @param acceptor asked once for each peer that arrives
     * @throws TransportException if the endpoint cannot be listened on; says which and why
     */
    Listener listen(Endpoint endpoint, Acceptor acceptor) throws TransportException;

    /**
     * Opens a session to a listening server. Blocks until it is open or has failed, at most ten seconds.
     *
     * @param handler hears the answers; may be called before this method has returned
     * @throws TransportException if no session could be opened; the handler is then never called
     */
    Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException;
}
