package lockstep.send;

import java.io.IOException;
import java.util.OptionalLong;
import lockstep.retention.SlotException;
import lockstep.wal.TimelineHistory;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The log that standbys are served from, as far as they may ask before they ask for WAL. Lockstep's own standbys need none of it,
 * since the answer to their request says it all; a transport whose peers have a protocol of their own, such as PostgreSQL's,
 * answers them with it.
 *
 * <p>A service while this server, primary or standby, serves standbys. When its role changes, another takes its place.
 * Thread-safe.
 */
@ProviderType
public interface ServedLog {
    /** Returns the system that the log belongs to. */
    long systemId();

    /** Returns the size of its segments. */
    int segmentBytes();

    /** Returns the major version of PostgreSQL whose form it has. */
    int postgresVersion();

    /** Returns its timelines. */
    TimelineHistory history();

    /** Returns up to where the log is sent to a peer that applies all that it gets: what the primary is known to have flushed. */
    long flushedLsn();

    /** Returns whether this server is a standby itself. */
    boolean isStandby();

    /**
     * Returns from where a replication slot holds WAL: 0 if it holds none, because no standby has used it yet, or it is lost;
     * empty if there is no such slot.
     */
    OptionalLong slotRestartLsn(String name);

    /**
     * Makes a replication slot.
     *
     * @param reserve whether it holds WAL at once, from where the server's next start would need it
     * @param temporary whether it is gone after a restart. Whoever makes it drops it
     */
    void createSlot(String name, boolean reserve, boolean temporary) throws SlotException, IOException;

    /** Removes a replication slot that nobody uses. */
    void dropSlot(String name) throws SlotException, IOException;
}
