package lockstep.transport.api;

import org.osgi.annotation.versioning.ConsumerType;

/** An open door of a {@link Transport}. Implemented by the transport. */
@ConsumerType
public interface Listener extends AutoCloseable {
    /** Returns where peers can connect: the endpoint listened on, with the port that was really taken. Never changes. */
    Endpoint endpoint();

    /**
     * Lets nobody in any more. When it returns, connecting fails, and somebody else may listen there. Sessions that are
     * open stay open. Idempotent, and does not throw. May be called from any thread, also after the withdrawal.
     */
    @Override
    void close();
}
