package lockstep.transport.api;

import org.osgi.annotation.versioning.ProviderType;

/** Decides on peers that connect. Implemented by the core, called by a {@link Transport} that listens. */
@ProviderType
@FunctionalInterface
public interface Acceptor {
    /**
     * Takes a new session, on the thread that will call its handler and before any message of it is delivered. What peers
     * say before they are known to be servers of this transport, and who they are, is settled by then. It may send at
     * once; to refuse, it sends a {@link Message.Refusal} and closes the session. If it throws, or returns null, the
     * session is closed, and nobody hears of it.
     *
     * @return who handles the session's messages
     */
    SessionHandler accept(Session session);
}
