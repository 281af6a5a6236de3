package lockstep.receiver.api;

import java.util.Locale;

/** What the WAL receiver does; PostgreSQL's names, as in {@code pg_stat_wal_receiver.status}. */
public enum ReceiverState {
    /** It does not run. */
    STOPPED,
    /** It connects, or has asked a primary and waits for the answer. */
    STARTING,
    /** A primary sends it WAL. */
    STREAMING,
    /** No primary can be used; it tries again after a while, or when a transport arrives. */
    WAITING,
    /** A session that worked has ended; it opens the next at once. */
    RESTARTING;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
