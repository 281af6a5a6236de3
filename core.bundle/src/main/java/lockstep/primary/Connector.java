package lockstep.primary;

import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.TransportException;

/** Opens sessions through whatever transport serves an endpoint's scheme. Thread-safe. */
@FunctionalInterface
public interface Connector {
    /**
     * Opens a session; see {@link lockstep.transport.api.Transport#connect}.
     *
     * @throws TransportException if none could be opened, also because there is no such transport
     */
    Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException;
}
