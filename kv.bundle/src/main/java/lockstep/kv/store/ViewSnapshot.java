package lockstep.kv.store;

import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import lockstep.kv.Scan;
import lockstep.kv.Snapshot;
import lockstep.kv.store.PrefixStore.View;
import org.h2.mvstore.Cursor;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.Page;

/** A {@link View} whose pages stay readable. */
final class ViewSnapshot implements Snapshot {
    private final MVStore store;
    private final MVStore.TxCounter usage;
    private final View view;
    private final AtomicBoolean closed = new AtomicBoolean();

    ViewSnapshot(MVStore store, MVStore.TxCounter usage, View view) {
        this.store = store;
        this.usage = usage;
        this.view = view;
    }

    View view() {
        return view;
    }

    @Override
    public long lsn() {
        return view.lsn();
    }

    @Override
    public Optional<byte[]> get(byte[] key) {
        byte[] value = find(key);
        return value == null ? Optional.empty() : Optional.of(value.clone());
    }

    /** Returns the store's own array, or null. */
    byte[] find(byte[] key) {
        checkOpen();
        if (view.early() != null) {
            Page<byte[], EarlyChange> root = view.early().root;
            EarlyChange change = root.map.get(root, key);
            if (change != null) {
                return change.value;
            }
        }
        Page<byte[], byte[]> root = view.base().root;
        return root.map.get(root, key);
    }

    @Override
    public Scan scan(byte[] from, byte[] to, long limit) {
        checkOpen();
        byte[] first = from.clone();
        byte[] end = to.length == 0 ? null : to.clone();
        return new MergedScan(
                new Cursor<>(view.base(), first, end),
                view.early() == null ? null : new Cursor<>(view.early(), first, end),
                end,
                limit);
    }

    @Override
    public Scan scanPrefix(byte[] prefix, long limit) {
        return scan(prefix, endOf(prefix), limit);
    }

    /** Returns the first key behind all that begin with a prefix: empty if there is none. */
    static byte[] endOf(byte[] prefix) {
        int length = prefix.length;
        while (length > 0 && prefix[length - 1] == (byte) 0xFF) {
            length--;
        }
        byte[] end = Arrays.copyOf(prefix, length);
        if (length > 0) {
            end[length - 1]++;
        }
        return end;
    }

    private void checkOpen() {
        if (closed.get()) {
            throw new IllegalStateException("this snapshot is closed");
        }
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            // What it kept is reclaimed with the next checkpoint.
            store.decrementVersionUsageCounter(usage);
        }
    }
}
