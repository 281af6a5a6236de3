package lockstep.kv.store;

import java.util.ArrayList;
import java.util.List;
import lockstep.commit.CommitLevel;
import lockstep.commit.PendingCommit;
import lockstep.kv.KeyValueStore;
import lockstep.kv.Transaction;

/** Collects changes for the store, which commits them. */
final class ChangeTransaction implements Transaction {
    private final MvKeyValueStore store;
    private final List<Change> changes = new ArrayList<>(1);
    private long bytes;
    private boolean committed;
    private long patienceNanos = Long.MAX_VALUE;

    ChangeTransaction(MvKeyValueStore store) {
        this.store = store;
    }

    @Override
    public Transaction put(byte[] key, byte[] value) {
        return add(Change.put(key.clone(), value.clone()));
    }

    @Override
    public Transaction delete(byte[] key) {
        return add(Change.delete(key.clone()));
    }

    private Transaction add(Change change) {
        checkNotCommitted();
        long total = bytes + ChangeRecord.encodedBytes(change);
        if (total > KeyValueStore.MAX_TRANSACTION_BYTES) {
            throw new IllegalArgumentException("a transaction of " + total + " bytes is too large: expected at most "
                    + KeyValueStore.MAX_TRANSACTION_BYTES);
        }
        changes.add(change);
        bytes = total;
        return this;
    }

    @Override
    public Transaction within(long nanos) {
        patienceNanos = nanos;
        return this;
    }

    @Override
    public PendingCommit commit(CommitLevel level) {
        checkNotCommitted();
        PendingCommit commit = store.commit(changes, level, patienceNanos);
        committed = true;
        return commit;
    }

    @Override
    public PendingCommit commit() {
        return commit(null);
    }

    private void checkNotCommitted() {
        if (committed) {
            throw new IllegalStateException("this transaction is committed: begin another");
        }
    }
}
