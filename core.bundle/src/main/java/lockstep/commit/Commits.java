package lockstep.commit;

import lockstep.wal.RecordGroup;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Commits transactions on a primary. An OSGi service: it is there while this server accepts commits, which a standby
 * does not. Thread-safe.
 */
@ProviderType
public interface Commits {
    /** Returns the id for a new transaction. */
    int nextXid();

    /** Returns the level of commits that ask for none ({@code synchronous_commit}). */
    CommitLevel defaultLevel();

    /**
     * Puts a transaction into the WAL and queues its commit. Returns as soon as the records are in the WAL buffers,
     * which takes long only when these are full, or while this server hands over to another; {@link PendingCommit} tells when the
     * commit is released.
     *
     * @param records the transaction's records, to which its commit record is added
     * @param xid the transaction's id, from {@link #nextXid}
     * @param commit what is released when {@code level} is reached; a fresh object, its LSN is known on return
     * @throws CommitRefusedException if the server takes no such commits now; nothing was written
     * @throws NotPrimaryException if it has handed over to another meanwhile, and where that is; nothing was written
     * @throws IllegalStateException if the server is stopping; nothing was written
     */
    default void commit(RecordGroup records, int xid, CommitLevel level, PendingCommit commit) {
        commit(records, xid, level, commit, Long.MAX_VALUE);
    }

    /**
     * As {@link #commit(RecordGroup, int, CommitLevel, PendingCommit)}, but waits only so long for a server that hands over.
     *
     * @param patienceNanos after this time the commit is refused: nothing was written
     */
    void commit(RecordGroup records, int xid, CommitLevel level, PendingCommit commit, long patienceNanos);

    /** Returns what is known of a commit that was made with {@link #commit} here. */
    CommitReceipt receipt(PendingCommit commit);

    /** Returns what has become of a commit, from the log of this server. */
    CommitStatus status(CommitPosition position);
}
