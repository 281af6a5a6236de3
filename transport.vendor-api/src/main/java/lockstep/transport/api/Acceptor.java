package lockstep.transport.api;

import org.osgi.annotation.versioning.ProviderType;

/** Decides on peers that connect. Implemented by the core, called by a {@link Transport} that listens. */
@ProviderType
@FunctionalInterface
public interface Acceptor {
    /**
     * Takes a new session, on a thread of the transport and before any message of it is delivered. To refuse, it sends
     * a {@link Message.Refusal} and closes the session.
     *
     * @return who handles the session's messages
     */
    SessionHandler accept(Session session);
}
