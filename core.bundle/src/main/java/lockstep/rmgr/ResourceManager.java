package lockstep.rmgr;

import java.io.IOException;
import java.util.List;
import lockstep.wal.WalRecord;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Owns the data that records of one resource-manager id change. Registered as an OSGi service; the log hands it its
 * records in redo, in LSN order. While nobody serves an id, redo stops before the first record that has it.
 *
 * <p><b>Life of its state.</b> {@link #open} once, before anything else; then {@link #redo} and {@link #commit} for all
 * WAL after the position that {@code open} returned, and {@link #checkpoint} now and then. After redo on a primary, the
 * owner applies its own commits when they are released; it never writes data to disk that the WAL on disk does not
 * explain, and that is so if it writes only what was redone or released.
 *
 * <p><b>Threads.</b> {@code open}, {@code redo} and {@code commit} are called by one thread at a time. {@code
 * checkpoint}, {@code backup}, {@code prefetch} and {@code describe} come from other threads, at the same time.
 */
@ConsumerType
public interface ResourceManager {
    /** The first id that is free for others than PostgreSQL. */
    int FIRST_CUSTOM_ID = 128;

    /** The last id. */
    int LAST_ID = 255;

    /** Returns the id of its records, {@value #FIRST_CUSTOM_ID} to {@value #LAST_ID}; the same for ever. */
    int id();

    /** Returns the name used in {@code wal dump} and messages, such as {@code kv}. */
    String name();

    /**
     * Opens its state on disk, or makes it empty.
     *
     * @return the LSN up to which the state on disk holds all of the WAL; 0 if it is empty
     */
    long open() throws IOException;

    /**
     * Redoes a record. Changes of a transaction become visible only with its {@link #commit}.
     *
     * @param record valid until this method returns
     */
    void redo(WalRecord record) throws IOException;

    /**
     * Makes the redone changes of a transaction visible, all at once. Called for every transaction that commits, also
     * for those in which this resource manager had no part.
     *
     * @param commitLsn the end of its commit record
     */
    void commit(int xid, long commitLsn) throws IOException;

    /**
     * Makes the redone changes of a transaction visible while one before it in the log is not. Called on a primary that recovers
     * from a crash, for a commit that had asked for less than an earlier one. Its records are redone again when it is its turn,
     * and {@link #commit} follows then; the state on disk never has it before that. Who leaves this out shows the transaction
     * only then.
     */
    default void commitEarly(int xid, long commitLsn) throws IOException {}

    /**
     * Brings its state to disk, so that redo may start at {@code lsn}. All WAL before it has been redone here or, on a
     * primary, settled. Returns when the state is on the disk.
     */
    void checkpoint(long lsn) throws IOException;

    /**
     * Sends its state on disk as it is at some moment during the call: not before the last checkpoint. The server keeps
     * working meanwhile.
     */
    void backup(BackupSink sink) throws IOException;

    /**
     * Returns the files that hold its state, or may, relative to the data directory, with {@code /} between names: a standby
     * that is rebuilt removes them, after {@link #close}. They are those that a {@link #backup} sends. Open or not.
     *
     * @throws UnsupportedOperationException if it does not tell; such a standby cannot be rebuilt in place
     */
    default List<String> files() {
        throw new UnsupportedOperationException("resource manager " + name() + " does not tell its files");
    }

    /** Closes its state without writing anything. It may be opened again. */
    void close() throws IOException;

    /** Reads ahead what redo of the record will need; a hint. */
    default void prefetch(WalRecord record) {}

    /** Says in a line what the record does, for {@code wal dump}. */
    default String describe(WalRecord record) {
        return "";
    }
}
