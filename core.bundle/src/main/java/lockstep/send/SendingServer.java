package lockstep.send;

import java.io.IOException;
import lockstep.recovery.ControlFile;
import lockstep.retention.ReplicationSlots;
import lockstep.rmgr.BackupSink;
import lockstep.transport.api.Message.DegradedRange;
import lockstep.transport.api.Term;

/**
 * What the senders ask of the server they send from: a primary, or a standby that serves others in its turn. Thread-safe.
 */
public interface SendingServer {
    /** Returns the control file as it stands on the disk. */
    ControlFile control();

    /** Returns the replication slots that standbys may use here. */
    ReplicationSlots slots();

    /** Returns whether this server follows another. Then it sends WAL only after its own flush, never during it. */
    boolean isStandby();

    /** Returns what names this running server among those that follow others; 0 if it is a primary. */
    long serverId();

    /** Returns where the log ends that is served: a standby has no more of it, or it must cut some off. */
    long endLsn();

    /** Returns up to where WAL can be read from the log and sent: on the disk here, and known to be whole. */
    long sendableLsn();

    /** Returns up to where the primary is known to have flushed: no standby applies past it. Not past {@link #endLsn}. */
    long primaryFlushedLsn();

    /**
     * Takes a checkpoint, if this server is one that does, so that a base backup that begins now needs little WAL; returns
     * when it is on the disk.
     */
    void checkpoint() throws IOException;

    /** Sends the files of all resource managers. */
    void backup(BackupSink sink) throws IOException;

    /** Returns what to tell a standby that has WAL up to a position of commits that were acknowledged without it. */
    DegradedRange degradedRange(long standbyEndLsn);

    /** Tells that a standby leaves in good order, before it does. */
    void standbyLeaving();

    /**
     * Tells of a term that is foreign to this server's log ({@link ControlFile#isForeign}): there is, or was, a primary beside it.
     *
     * @param by who says so
     */
    void superseded(Term term, String by);

    /** Tells that a standby's position, state or presence has changed: commits may be released. */
    void standbyProgressed();
}
