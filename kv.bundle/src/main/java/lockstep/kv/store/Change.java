package lockstep.kv.store;

import lockstep.kv.KeyValueStore;

/** A key and its new value, or no value if the key is deleted. The arrays are never changed. */
final class Change {
    final byte[] key;

    /** Null for a delete. */
    final byte[] value;

    private Change(byte[] key, byte[] value) {
        this.key = key;
        this.value = value;
    }

    /** Takes over the arrays; throws {@link IllegalArgumentException} if they are too long, or the key is empty. */
    static Change put(byte[] key, byte[] value) {
        checkKey(key);
        if (value.length > KeyValueStore.MAX_VALUE_BYTES) {
            throw new IllegalArgumentException("a value of " + value.length + " bytes is too long: expected at most "
                    + KeyValueStore.MAX_VALUE_BYTES);
        }
        return new Change(key, value);
    }

    static Change delete(byte[] key) {
        checkKey(key);
        return new Change(key, null);
    }

    boolean isDelete() {
        return value == null;
    }

    private static void checkKey(byte[] key) {
        if (key.length == 0 || key.length > KeyValueStore.MAX_KEY_BYTES) {
            throw new IllegalArgumentException(
                    "a key of " + key.length + " bytes: expected 1 to " + KeyValueStore.MAX_KEY_BYTES);
        }
    }
}
