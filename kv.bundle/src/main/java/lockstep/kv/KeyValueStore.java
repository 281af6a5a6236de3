package lockstep.kv;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import lockstep.commit.PendingCommit;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The store, an OSGi service on primaries and standbys. Thread-safe.
 *
 * <p>Methods throw {@link IllegalStateException} while the server still recovers or after it has closed the store, and
 * those that write also on a standby; the message says which.
 */
@ProviderType
public interface KeyValueStore {
    /** The longest key. */
    int MAX_KEY_BYTES = 1024;

    /** The longest value. */
    int MAX_VALUE_BYTES = 4 << 20;

    /** The most that the keys and values of a transaction may take, with seven bytes more for each change. */
    int MAX_TRANSACTION_BYTES = 256 << 20;

    /** Begins a transaction. */
    Transaction begin();

    /** Returns the store as it is now, until the snapshot is closed. */
    Snapshot snapshot();

    /**
     * Waits until this server holds all commits up to a position: a client that knows the LSN of its commit then reads
     * its own writes here. On a primary that position counts which was reached without a gap, see {@link
     * Snapshot#lsn}. A server that is starting is waited for, too.
     *
     * @return whether the position was reached in time
     * @throws InterruptedException if the thread is interrupted meanwhile
     */
    boolean awaitLsn(long lsn, long timeoutNanos) throws InterruptedException;

    /** Computes the digest of the present state. Reads everything, and disturbs nobody. */
    Digest digest();

    /** Reads a value as it is now. */
    default Optional<byte[]> get(byte[] key) {
        try (Snapshot snapshot = snapshot()) {
            return snapshot.get(key);
        }
    }

    /** Reads text. */
    default Optional<String> get(String key) {
        return get(key.getBytes(StandardCharsets.UTF_8)).map(value -> new String(value, StandardCharsets.UTF_8));
    }

    /** Puts one pair, at the default level. */
    default PendingCommit put(byte[] key, byte[] value) {
        return begin().put(key, value).commit();
    }

    /** Puts text, at the default level. */
    default PendingCommit put(String key, String value) {
        return begin().put(key, value).commit();
    }

    /** Deletes one key, at the default level; there need be no such key. */
    default PendingCommit delete(byte[] key) {
        return begin().delete(key).commit();
    }

    /** Deletes one key, at the default level; there need be no such key. */
    default PendingCommit delete(String key) {
        return begin().delete(key).commit();
    }
}
