package lockstep.transport.api;

import org.osgi.annotation.versioning.ConsumerType;

/**
 * An open link to one peer. Implemented by the transport, used by the core.
 *
 * <p><b>Order.</b> Messages arrive whole, unaltered and in the order they were sent, or the session is closed. A
 * session never skips a message.
 *
 * <p><b>Threads.</b> All methods may be called from any thread; none blocks. The core never calls {@link #send} of one
 * session from two threads at a time. Each session calls its {@link SessionHandler} from one thread at a time, and a
 * handler that blocks stops only its own session.
 *
 * <p><b>Bounds.</b> A transport holds a bounded amount of bytes it could not pass on yet. Past the bound {@link
 * #isWritable} is false, the core stops sending {@link Message.WalData} and {@link Message.BackupData}, and goes on
 * after {@link SessionHandler#writable}. Small messages may be sent at any time.
 */
@ConsumerType
public interface Session {
    /**
     * Passes a message on. The transport has taken its bytes when this returns, so the caller may reuse the buffer, whose
     * position and limit are as they were; it may be direct, or read-only. Ignored when the session is closed: the handler
     * hears of that. What goes wrong on the way ends the session, and is not thrown here.
     *
     * @throws IllegalArgumentException if a part of the message exceeds its bound in {@link MessageCodec}; nothing has
     *     been sent, and the session goes on
     */
    void send(Message message);

    /**
     * Returns whether the session takes more bulk data; false once it is closed. A new session is writable. It need not
     * turn false with the very byte that reaches the bound: the message that exceeds it is taken whole.
     */
    boolean isWritable();

    /** Returns what is known of the other side; the same from {@link Acceptor#accept} on, also after the end. */
    Peer peer();

    /**
     * Ends the session. What was sent before is delivered first, if the peer takes it within a second. What has come from
     * the peer and was not delivered yet is dropped: after this call the handler hears no message that it was not in the
     * middle of, only {@link SessionHandler#closed}. Returns at once, also while the handler blocks. Idempotent: the first
     * cause counts. The peer's handler is told a cause of its own, that the peer has closed.
     *
     * @param cause why, in words for the log of this side
     */
    void close(String cause);
}
