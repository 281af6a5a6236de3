/**
 * A transactional key-value store: the data that Lockstep replicates when nobody brings data of their own.
 *
 * <p>Keys and values are bytes; text is its UTF-8. Keys have 1 to {@value lockstep.kv.KeyValueStore#MAX_KEY_BYTES} bytes
 * and are in the order of their unsigned bytes; values have 0 to {@value lockstep.kv.KeyValueStore#MAX_VALUE_BYTES}.
 * Arrays that are passed in are copied, and those that come back belong to the caller.
 */
@Export
@Version("1.0.0")
package lockstep.kv;

import org.osgi.annotation.bundle.Export;
import org.osgi.annotation.versioning.Version;
