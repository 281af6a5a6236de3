package lockstep.send;

import java.util.Locale;

/** What a primary does for a standby; the names are those of {@code pg_stat_replication}. */
public enum SenderState {
    /** It has not said yet what it wants. */
    STARTUP,
    /** It is sent a base backup. */
    BACKUP,
    /** It is sent WAL it missed, and does not count for commits. */
    CATCHUP,
    /** It has caught up and is sent WAL as it is written. */
    STREAMING,
    /** It is leaving, or is being left. */
    STOPPING;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
