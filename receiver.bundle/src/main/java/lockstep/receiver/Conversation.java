package lockstep.receiver;

import java.io.IOException;
import lockstep.transport.api.Message;
import lockstep.transport.api.Session;

/**
 * What a standby and its primary talk about over the session that {@link Upstream} keeps open: first a base backup if there
 * is nothing yet, then WAL. One call at a time, except for {@link #tick}, {@link #probe} and {@link #leave}, which come
 * from other threads.
 */
interface Conversation {
    /** Says the first word on a session that has just been opened, or taken over from another conversation. */
    void begin(Session session);

    /**
     * Takes a message.
     *
     * @throws IOException if the disk fails; the session is ended, and another is tried after the retry interval
     */
    void received(Session session, Message message) throws IOException;

    /** All messages at hand have been delivered. */
    default void endOfBatch() {}

    /** Returns whether it can go on over another session, while the present one does. */
    default boolean canMove() {
        return false;
    }

    /**
     * Says the first word on a session that is to take the place of the present one, which goes on. When it has all that the
     * present one has, the conversation says so by {@link Upstream#moved}.
     */
    default void beginSuccessor(Session session) {
        throw new IllegalStateException("it cannot move now");
    }

    /**
     * A session is gone.
     *
     * @param session null if it had not been begun
     * @return whether the conversation goes on over a successor, as had been agreed there
     */
    default boolean ended(Session session) {
        return false;
    }

    /**
     * Does what is due by the clock.
     *
     * @return after how many nanoseconds at the latest it wants to be called again
     */
    default long tick() {
        return Long.MAX_VALUE;
    }

    /**
     * Gets what can be had without a primary: no session is open, and the endpoints are about to be tried in order.
     *
     * @return 0 to have them tried; else after how many nanoseconds at the latest it wants to be called again
     */
    default long beforeRound() {
        return 0;
    }

    /** Asks the primary for a sign of life. */
    default void probe() {}

    /** Takes leave: the session is about to be closed in good order. */
    default void leave() {}
}
