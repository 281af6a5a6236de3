package lockstep.kv.store;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import lockstep.commit.CommitLevel;
import lockstep.commit.Commits;
import lockstep.commit.NotPrimaryException;
import lockstep.commit.PendingCommit;
import lockstep.commit.PrimaryAddress;
import lockstep.io.DataDirectory;
import lockstep.kv.Digest;
import lockstep.kv.KeyValueStore;
import lockstep.kv.Snapshot;
import lockstep.kv.Transaction;
import lockstep.rmgr.BackupSink;
import lockstep.rmgr.ResourceManager;
import lockstep.transport.api.Lsn;
import lockstep.wal.RecordGroup;
import lockstep.wal.WalRecord;
import org.h2.mvstore.MVStoreException;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/**
 * The key-value store as the log and its users see it. It turns transactions into WAL records and records into changes;
 * what they change is the {@link PrefixStore}, which is there from {@link #open} to {@link #close}.
 */
@Component(
        immediate = true,
        service = {ResourceManager.class, KeyValueStore.class})
public final class MvKeyValueStore implements ResourceManager, KeyValueStore {
    private static final String FILE = "kv/store.mv";

    /** Groups kept for the next transactions, and how large one may have grown. */
    private static final int MAX_POOLED_GROUPS = 64;

    private static final int MAX_POOLED_BYTES = 1 << 20;

    private final Path path;
    private final BlockingQueue<RecordGroup> groups = new ArrayBlockingQueue<>(MAX_POOLED_GROUPS);

    /** There while this server takes commits. */
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile Commits commits;

    /** There while this server is a standby. */
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile PrimaryAddress primary;

    private volatile PrefixStore store;
    private volatile boolean wasOpen;

    /** The transaction whose records are being redone: a log has those of one right after each other. */
    private int redoneXid;

    private List<Change> redone = List.of();

    /** The store in a data directory. */
    @Activate
    public MvKeyValueStore(@Reference DataDirectory directory) {
        path = directory.path().resolve(FILE);
    }

    // Users.

    @Override
    public Transaction begin() {
        return new ChangeTransaction(this);
    }

    /**
     * Puts changes into the WAL.
     *
     * @param level null for the default
     * @param patienceNanos see {@link Transaction#within}
     */
    PendingCommit commit(List<Change> changes, CommitLevel level, long patienceNanos) {
        Commits to = commits;
        if (to == null) {
            if (!wasOpen) {
                opened(); // says that the server is still recovering
            }
            throw notPrimary();
        }
        PrefixStore target = opened();
        int xid = to.nextXid();
        RecordGroup pooled = groups.poll();
        RecordGroup group = pooled == null ? new RecordGroup() : pooled.clear();
        ChangeRecord.encode(changes, xid, group);
        ChangeCommit commit = new ChangeCommit(target, changes);
        to.commit(group, xid, level == null ? to.defaultLevel() : level, commit, patienceNanos);
        if (group.bytes() <= MAX_POOLED_BYTES) {
            groups.offer(group);
        }
        return commit;
    }

    private NotPrimaryException notPrimary() {
        PrimaryAddress known = primary;
        String endpoint = known == null ? "" : known.endpoint();
        return new NotPrimaryException(
                "this server is a standby: write to its primary" + (endpoint.isEmpty() ? "" : ", at " + endpoint),
                endpoint);
    }

    @Override
    public Snapshot snapshot() {
        return opened().snapshot();
    }

    @Override
    public boolean awaitLsn(long lsn, long timeoutNanos) throws InterruptedException {
        long began = System.nanoTime();
        awaitOpen(timeoutNanos);
        return opened().awaitLsn(lsn, Math.max(0, timeoutNanos - (System.nanoTime() - began)));
    }

    /** Waits until the store is open, or was, or the time is over: a server that starts opens it soon. */
    private synchronized void awaitOpen(long timeoutNanos) throws InterruptedException {
        long began = System.nanoTime();
        for (long left = timeoutNanos; store == null && !wasOpen && left > 0; ) {
            TimeUnit.NANOSECONDS.timedWait(this, left);
            left = timeoutNanos - (System.nanoTime() - began);
        }
    }

    @Override
    public Digest digest() {
        return opened().digest();
    }

    private PrefixStore opened() {
        PrefixStore present = store;
        if (present == null) {
            throw new IllegalStateException(
                    wasOpen
                            ? "the key-value store is closed: the server is stopping"
                            : "the key-value store is not open yet: the server is still recovering");
        }
        return present;
    }

    /** Returns what readers see; for tests. */
    PrefixStore.View view() {
        return opened().view();
    }

    /** Has the next reads go to the file; for tests. */
    void forgetCachedPages() {
        opened().forgetCachedPages();
    }

    // The log.

    @Override
    public int id() {
        return ChangeRecord.RMGR_ID;
    }

    @Override
    public String name() {
        return ChangeRecord.RMGR_NAME;
    }

    @Override
    public synchronized long open() throws IOException {
        if (store != null) {
            throw new IllegalStateException("store file \"" + path + "\" is open already");
        }
        redone = List.of();
        store = new PrefixStore(path);
        wasOpen = true;
        notifyAll();
        return store.view().appliedLsn();
    }

    @Override
    public void redo(WalRecord record) throws IOException {
        if (record.info() == ChangeRecord.FIRST) {
            redoneXid = record.xid();
            redone = new ArrayList<>();
        } else if (record.info() != ChangeRecord.MORE || record.xid() != redoneXid || redone.isEmpty()) {
            throw new IOException("the kv record at LSN " + Lsn.text(record.lsn()) + " of transaction " + record.xid()
                    + " is out of place: info " + record.info() + " after transaction " + redoneXid
                    + ", expected the first record of a transaction or the next of the same");
        }
        ChangeRecord.decode(record, redone::add);
    }

    @Override
    public void commitEarly(int xid, long commitLsn) {
        PrefixStore target = opened();
        List<Change> changes = takeRedone(xid);
        if (commitLsn > target.view().appliedLsn()) {
            target.applyEarly(changes, commitLsn);
            target.publish();
        }
    }

    private List<Change> takeRedone(int xid) {
        List<Change> changes = xid == redoneXid ? redone : List.of();
        redone = List.of();
        return changes;
    }

    @Override
    public void commit(int xid, long commitLsn) {
        PrefixStore target = opened();
        List<Change> changes = takeRedone(xid);
        if (commitLsn > target.view().appliedLsn()) {
            target.apply(changes, commitLsn);
            target.publish();
        }
    }

    @Override
    public void checkpoint(long lsn) throws IOException {
        opened().checkpoint(lsn);
    }

    @Override
    public void backup(BackupSink sink) throws IOException {
        opened().backup(FILE, sink);
    }

    @Override
    public void prefetch(WalRecord record) {
        PrefixStore present = store;
        if (present != null) {
            try (ViewSnapshot snapshot = present.snapshot()) {
                ChangeRecord.decode(record, change -> snapshot.find(change.key));
            } catch (IOException | MVStoreException e) {
                // Only a hint: redo will find the damage and say so, and a store that was just closed needs no pages.
            }
        }
    }

    @Override
    public String describe(WalRecord record) {
        return ChangeRecord.describe(record);
    }

    @Override
    public List<String> files() {
        return List.of(FILE);
    }

    @Override
    @Deactivate
    public void close() {
        PrefixStore present = store;
        store = null;
        if (present != null) {
            present.close();
        }
    }
}
