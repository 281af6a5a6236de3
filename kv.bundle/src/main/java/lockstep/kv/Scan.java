package lockstep.kv;

import java.nio.charset.StandardCharsets;
import org.osgi.annotation.versioning.ProviderType;

/** Walks over pairs: {@code while (scan.next()) …}. Not thread-safe. */
@ProviderType
public interface Scan {
    /** Goes to the next pair, at first to the first, and returns whether there is one. */
    boolean next();

    /** Returns the key of the present pair. */
    byte[] key();

    /** Returns the value of the present pair. */
    byte[] value();

    /** Returns the key as text. */
    default String keyText() {
        return new String(key(), StandardCharsets.UTF_8);
    }

    /** Returns the value as text. */
    default String valueText() {
        return new String(value(), StandardCharsets.UTF_8);
    }
}
