package lockstep.kv;

import java.nio.charset.StandardCharsets;
import lockstep.commit.CommitLevel;
import lockstep.commit.PendingCommit;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Changes that become visible together or not at all. They are collected here and reach the store with the commit; the
 * last change of a key counts. A transaction that is dropped leaves no trace. Not thread-safe.
 *
 * <p>Changes outside the bounds are refused with {@link IllegalArgumentException}, and a transaction that has been
 * committed takes nothing more ({@link IllegalStateException}).
 */
@ProviderType
public interface Transaction {
    /** Sets the value of a key. */
    Transaction put(byte[] key, byte[] value);

    /** Removes a key; there need be no such key. */
    Transaction delete(byte[] key);

    /**
     * Commits. Returns as soon as the transaction is in the WAL buffers; the commit that is returned tells when the
     * level is reached and the changes are visible.
     *
     * @throws IllegalStateException if this server takes no commits, being a standby or about to stop; nothing was
     *     written, and the transaction can be committed again. It is a {@link lockstep.commit.NotPrimaryException} where another
     *     server is known to be the primary
     */
    PendingCommit commit(CommitLevel level);

    /** Commits at the default level ({@code synchronous_commit}). */
    PendingCommit commit();

    /**
     * Bounds how long {@code commit} waits for a server that is handing over to another. When the time is over the commit is refused
     * with a {@link lockstep.commit.CommitRefusedException}; nothing was written, and the transaction can be committed again.
     */
    Transaction within(long nanos);

    /** Sets the value of a key. */
    default Transaction put(String key, String value) {
        return put(key.getBytes(StandardCharsets.UTF_8), value.getBytes(StandardCharsets.UTF_8));
    }

    /** Removes a key; there need be no such key. */
    default Transaction delete(String key) {
        return delete(key.getBytes(StandardCharsets.UTF_8));
    }
}
