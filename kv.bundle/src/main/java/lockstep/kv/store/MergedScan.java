package lockstep.kv.store;

import java.util.Arrays;
import java.util.NoSuchElementException;
import lockstep.kv.Scan;
import org.h2.mvstore.Cursor;

/** Walks over the base and the early changes together; where both have a key, the early change counts. */
final class MergedScan implements Scan {
    private final Cursor<byte[], byte[]> base;

    /** Null if there are no early changes. */
    private final Cursor<byte[], EarlyChange> early;

    /** The key before which to stop, or null. */
    private final byte[] end;

    private long left;
    private byte[] nextBase;
    private byte[] nextEarly;
    private byte[] key;
    private byte[] value;

    /** The cursors may stop at {@code end} or right behind it. */
    MergedScan(Cursor<byte[], byte[]> base, Cursor<byte[], EarlyChange> early, byte[] end, long limit) {
        this.base = base;
        this.early = early;
        this.end = end;
        left = limit;
        nextBase = advance(base);
        nextEarly = early == null ? null : advance(early);
    }

    private byte[] advance(Cursor<byte[], ?> cursor) {
        if (!cursor.hasNext()) {
            return null;
        }
        byte[] next = cursor.next();
        return end != null && Arrays.compareUnsigned(next, end) >= 0 ? null : next;
    }

    @Override
    public boolean next() {
        key = null;
        value = null;
        if (left <= 0) {
            return false;
        }
        while (value == null && (nextBase != null || nextEarly != null)) {
            int order = nextEarly == null ? -1 : nextBase == null ? 1 : Arrays.compareUnsigned(nextBase, nextEarly);
            if (order < 0) {
                key = nextBase;
                value = base.getValue();
            } else {
                key = nextEarly;
                value = early.getValue().value;
                nextEarly = advance(early);
            }
            if (order <= 0) {
                nextBase = advance(base);
            }
        }
        if (value == null) {
            key = null;
            return false;
        }
        left--;
        return true;
    }

    @Override
    public byte[] key() {
        return present(key).clone();
    }

    @Override
    public byte[] value() {
        return present(value).clone();
    }

    private static byte[] present(byte[] bytes) {
        if (bytes == null) {
            throw new NoSuchElementException("the scan is not at a pair: next() has not been called or returned false");
        }
        return bytes;
    }
}
