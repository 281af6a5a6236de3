package lockstep.transport.api;

import org.osgi.annotation.versioning.ProviderType;

/**
 * Hears what happens on one {@link Session}. Implemented by the core, called by the transport, one call at a time.
 *
 * <p>A method may block, which is how a slow receiver pushes back: the transport then reads no more from this peer, and
 * goes on serving others. What a method throws is a defect of the core; the transport closes the session with it.
 */
@ProviderType
public interface SessionHandler {
    /**
     * Returns what this side is called, such as {@code s1}; empty if it has no name. A transport that connects may tell it to
     * a peer that wants to know who comes before it lets anybody in; the peer holds this side to it.
     */
    default String localName() {
        return "";
    }

    /**
     * Takes a message. A buffer inside it belongs to the transport, and is valid until this method returns.
     *
     * @param session the session it came on, which may be answered or closed at once
     */
    void received(Session session, Message message);

    /**
     * Tells that all messages at hand have been delivered and more would have to come from the peer. Work that is done
     * once for many messages, such as a flush, is done here. A transport that cannot tell calls it after each message.
     */
    default void endOfBatch() {}

    /**
     * Tells that the session has become writable after it was not: once for each time that {@link Session#isWritable} was
     * false, unless it ends first. Never called from within {@link Session#send}.
     */
    default void writable() {}

    /**
     * Tells that the session has ended; called exactly once, after all other calls have returned. The session may still be
     * asked and closed, which does nothing any more.
     *
     * @param cause why, in words for the log and never blank: what {@link Session#close} was given, or what the transport
     *     found, such as that the peer has closed, that the connection was lost, what was wrong with its bytes, or what a
     *     method of this handler threw
     */
    void closed(String cause);
}
