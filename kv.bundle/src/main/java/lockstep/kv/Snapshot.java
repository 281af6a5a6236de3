package lockstep.kv;

import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.osgi.annotation.versioning.ProviderType;

/**
 * The store at one moment. It neither holds up nor is ended by redo, commits and checkpoints, but the space of what it
 * shows is not reclaimed before it is closed. May be read by several threads; a {@link Scan} belongs to one. After
 * {@link #close} it must not be read.
 */
@ProviderType
public interface Snapshot extends AutoCloseable {
    /** No limit to a scan. */
    long UNLIMITED = Long.MAX_VALUE;

    /**
     * Returns the end of the last commit that it shows: it shows that and all commits before. On a primary it shows,
     * besides, commits that were released before an earlier one was, having asked for less.
     */
    long lsn();

    /** Returns the value of a key. */
    Optional<byte[]> get(byte[] key);

    /**
     * Reads a range in key order.
     *
     * @param from the first key, if it is there; empty for the start
     * @param to the key before which the range ends; empty for the end of the store
     * @param limit how many pairs at most
     */
    Scan scan(byte[] from, byte[] to, long limit);

    /**
     * Reads all pairs whose key begins with a prefix, in key order.
     *
     * @param prefix empty for all
     * @param limit how many pairs at most
     */
    Scan scanPrefix(byte[] prefix, long limit);

    /** Returns the text that belongs to a key. */
    default Optional<String> get(String key) {
        return get(key.getBytes(StandardCharsets.UTF_8)).map(value -> new String(value, StandardCharsets.UTF_8));
    }

    /** Reads all pairs whose key begins with a prefix, in key order. */
    default Scan scanPrefix(String prefix, long limit) {
        return scanPrefix(prefix.getBytes(StandardCharsets.UTF_8), limit);
    }

    @Override
    void close();
}
