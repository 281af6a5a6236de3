package lockstep.kv.store;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import lockstep.commit.PendingCommit;
import lockstep.commit.Visibility;
import lockstep.io.DiskFullException;
import lockstep.kv.Digest;
import lockstep.rmgr.BackupSink;
import org.h2.mvstore.Cursor;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;
import org.h2.mvstore.MVStoreException;
import org.h2.mvstore.RootReference;
import org.h2.mvstore.type.ByteArrayDataType;
import org.h2.mvstore.type.DataType;
import org.h2.mvstore.type.LongDataType;
import org.h2.mvstore.type.StringDataType;

/**
 * The open store: all that is in memory and in its file.
 *
 * <p><b>Idea.</b> The {@code base} always is an exact prefix of the log: what all commits up to one LSN made, and nothing
 * else. Then a checkpoint is just the base written down, a digest can be compared between servers, and redo can start
 * behind the LSN in the file without a thought about what is there already. Commits come in LSN order in redo, and on a
 * primary when they settle. Only those that are released early, before an earlier one that asked for more, do not fit;
 * they wait in a second map, {@code early}, which readers look into first.
 *
 * <pre>
 *   commit                base                            early
 *   released early        unchanged                       its changes, except under newer ones of the same key
 *   settled or redone     its changes, in LSN order       without entries this old: the base has caught up with them
 * </pre>
 *
 * <p>The obvious alternative, one map that takes commits as they are released, would have to keep undo for every
 * checkpoint and digest, and still get a key wrong that two commits wrote in one order and released in the other.
 *
 * <p><b>Readers.</b> Maps of MVStore are trees whose pages are copied on change, so a root is a snapshot that costs
 * nothing. {@link #show} puts the two roots and the LSN into one {@link View}: a reader takes the view and sees of each
 * commit all or nothing. There is no version of MVStore per commit, only one per checkpoint.
 *
 * <p><b>Space.</b> MVStore may overwrite a chunk of the file when no page of it is in use since a version before the oldest
 * that a reader has registered. A reader registers first and takes the view then. That is enough because of I3: with
 * version <i>v</i> registered, the view is not older than the roots with which <i>v</i> began, so whatever is removed from
 * them was removed in <i>v</i> or later.
 *
 * <p><b>Checkpoints.</b> {@link #applying} is held while MVStore takes the roots that it is going to write, which is
 * short, and not while it writes them. So what is written has whole commits only and the LSN beside it is theirs; both
 * are in one chunk, which is in the file whole or not at all ({@link StoreFile}). Nothing is written at other times.
 *
 * <p><b>Invariants.</b> I1: outside of {@code applying}, the base holds all changes of commits up to {@code lsn}, none of
 * later ones. I2: an entry in {@code early} has an LSN beyond {@code lsn}, and is the newest early change of its key. I3: when
 * a version begins, the view shows the roots it begins with. I4: each checkpoint is synced before the next begins.
 *
 * <p><b>Locks.</b> {@code applying} guards the maps and the LSNs; it is fair, so that redo at full speed does not starve a
 * checkpoint. {@code checkpointing} keeps checkpoints and the beginning of a backup apart, and is taken first.
 */
final class PrefixStore implements Visibility, AutoCloseable {
    /**
     * What readers see.
     *
     * @param early null if there are no early changes
     * @param lsn the end of the last commit with changes in {@code base}
     * @param appliedLsn all WAL before it is in {@code base}: not before {@code lsn}
     */
    record View(
            RootReference<byte[], byte[]> base, RootReference<byte[], EarlyChange> early, long lsn, long appliedLsn) {}

    private static final String FORMAT_KEY = "format";
    private static final String LSN_KEY = "lsn";
    private static final String APPLIED_LSN_KEY = "applied_lsn";
    private static final long FORMAT = 1;

    /** Below this share of live data in the chunks, a checkpoint rewrites some of the emptiest. */
    private static final int MIN_FILL_PERCENT = 50;

    /** How much live data a checkpoint rewrites at most. */
    private static final int MAX_REWRITTEN_BYTES = 16 << 20;

    /** What a checkpoint may take besides the changed pages. */
    private static final long CHECKPOINT_OVERHEAD_BYTES = 8 << 20;

    private static final int MIN_CACHE_MB = 16;

    private final Path path;
    private final StoreFile file;
    private final MVStore store;
    private final MVMap<byte[], byte[]> base;
    private final MVMap<String, Long> state;
    private final MVStore earlyStore = new MVStore.Builder().open();
    private final MVMap<byte[], EarlyChange> early =
            earlyStore.openMap("early", mapBuilder(ByteArrayDataType.INSTANCE, EarlyChange.TYPE));

    private final ReentrantLock applying = new ReentrantLock(true);

    /** Guarded by {@link #applying}. */
    private boolean closed;

    private long lsn;
    private long appliedLsn;

    private final Object checkpointing = new Object();
    private int backups;

    private volatile View view;

    private final ReentrantLock waiting = new ReentrantLock();
    private final Condition advanced = waiting.newCondition();
    private final AtomicInteger waiters = new AtomicInteger();

    /**
     * Opens the file, or makes it empty.
     *
     * @throws IOException if it cannot be opened; names it, and says what to do
     */
    PrefixStore(Path path) throws IOException {
        this.path = path;
        earlyStore.setVersionsToKeep(0);
        StoreFile opened = null;
        try {
            Files.createDirectories(path.getParent());
            opened = new StoreFile(path, Map.of("cacheSize", cacheMegabytes()));
            store = new MVStore.Builder()
                    .adoptFileStore(opened)
                    .autoCommitDisabled()
                    .autoCommitBufferSize(0)
                    .open();
            store.setVersionsToKeep(0);
            base = store.openMap("data", mapBuilder(ByteArrayDataType.INSTANCE, ByteArrayDataType.INSTANCE));
            state = store.openMap("state", mapBuilder(StringDataType.INSTANCE, LongDataType.INSTANCE));
            long format = state.getOrDefault(FORMAT_KEY, FORMAT);
            if (format != FORMAT) {
                throw new IOException("format " + format + ", but this server knows only " + FORMAT);
            }
            lsn = state.getOrDefault(LSN_KEY, 0L);
            appliedLsn = state.getOrDefault(APPLIED_LSN_KEY, 0L);
        } catch (MVStoreException | UncheckedIOException | IOException e) {
            if (opened != null) {
                opened.close();
            }
            throw new IOException(
                    "store file \"" + path + "\" cannot be opened: " + e.getMessage()
                            + "; build this server anew from a base backup of another",
                    e);
        }
        file = opened;
        show();
    }

    private static <K, V> MVMap.Builder<K, V> mapBuilder(DataType<K> keyType, DataType<V> valueType) {
        return new MVMap.Builder<K, V>().keyType(keyType).valueType(valueType);
    }

    /** MVStore does not count the headers of objects, so an eighth of the heap by its count is about a quarter. */
    private static int cacheMegabytes() {
        return (int) Math.max(MIN_CACHE_MB, Runtime.getRuntime().maxMemory() / 8 / (1 << 20));
    }

    // Commits.

    // A store that was closed takes nothing: commits released after its bundle was stopped are in the log, and whoever
    // comes
    // after it gets them from there.

    @Override
    public void settle(PendingCommit commit) {
        applying.lock();
        try {
            if (!closed) {
                apply(((ChangeCommit) commit).changes(), commit.lsn());
            }
        } finally {
            applying.unlock();
        }
    }

    /** Applies the changes of the commit that comes next in the log; shown with the next {@link #publish}. */
    void apply(List<Change> changes, long commitLsn) {
        applying.lock();
        try {
            for (Change change : changes) {
                if (change.isDelete()) {
                    base.remove(change.key);
                } else {
                    base.put(change.key, change.value);
                }
            }
            if (!early.isEmpty()) {
                forgetEarly(changes, commitLsn);
            }
            appliedLsn = commitLsn;
            if (!changes.isEmpty()) {
                lsn = commitLsn;
            }
        } finally {
            applying.unlock();
        }
    }

    private void forgetEarly(List<Change> changes, long commitLsn) {
        for (Change change : changes) {
            EarlyChange known = early.get(change.key);
            if (known != null && known.lsn <= commitLsn) {
                early.remove(change.key);
            }
        }
    }

    @Override
    public void releaseEarly(PendingCommit commit) {
        applying.lock();
        try {
            if (!closed) {
                applyEarly(((ChangeCommit) commit).changes(), commit.lsn());
            }
        } finally {
            applying.unlock();
        }
    }

    /** Applies the changes of a commit that comes later in the log; shown with the next {@link #publish}. */
    void applyEarly(List<Change> changes, long commitLsn) {
        applying.lock();
        try {
            for (Change change : changes) {
                EarlyChange known = early.get(change.key);
                if (known == null || known.lsn <= commitLsn) {
                    early.put(change.key, new EarlyChange(change.value, commitLsn));
                }
            }
        } finally {
            applying.unlock();
        }
    }

    @Override
    public void publish() {
        applying.lock();
        try {
            if (!closed) {
                show();
            }
        } finally {
            applying.unlock();
        }
    }

    private void show() {
        view = new View(base.getRoot(), early.isEmpty() ? null : early.getRoot(), lsn, appliedLsn);
        if (waiters.get() > 0) {
            waiting.lock();
            try {
                advanced.signalAll();
            } finally {
                waiting.unlock();
            }
        }
    }

    // Readers.

    View view() {
        return view;
    }

    /** Returns the present view, with its pages kept readable until the snapshot is closed. */
    ViewSnapshot snapshot() {
        MVStore.TxCounter usage = store.registerVersionUsage();
        return new ViewSnapshot(store, usage, view);
    }

    /** Waits until all WAL before a position is applied and shown; returns whether that came in time. */
    boolean awaitLsn(long wantedLsn, long timeoutNanos) throws InterruptedException {
        if (view.appliedLsn() >= wantedLsn) {
            return true;
        }
        waiting.lock();
        // Announced before the view is looked at again: whoever shows a newer one sees either this, or is seen.
        waiters.incrementAndGet();
        try {
            long left = timeoutNanos;
            while (view.appliedLsn() < wantedLsn) {
                if (left <= 0) {
                    return false;
                }
                left = advanced.awaitNanos(left);
            }
            return true;
        } finally {
            waiters.decrementAndGet();
            waiting.unlock();
        }
    }

    Digest digest() {
        MessageDigest sha256;
        try {
            sha256 = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
        byte[] length = new byte[Integer.BYTES];
        ByteBuffer lengthBuffer = ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN);
        try (ViewSnapshot snapshot = snapshot()) {
            Cursor<byte[], byte[]> pairs = new Cursor<>(snapshot.view().base(), null, null);
            while (pairs.hasNext()) {
                byte[] key = pairs.next();
                lengthBuffer.putInt(0, key.length);
                sha256.update(length);
                sha256.update(key);
                byte[] value = pairs.getValue();
                lengthBuffer.putInt(0, value.length);
                sha256.update(length);
                sha256.update(value);
            }
            return new Digest(HexFormat.of().formatHex(sha256.digest()), snapshot.lsn());
        }
    }

    // The file.

    /** Writes the base to the file; all WAL before {@code upToLsn} is in it. */
    void checkpoint(long upToLsn) throws IOException {
        synchronized (checkpointing) {
            checkRoom();
            try {
                store.compact(MIN_FILL_PERCENT, MAX_REWRITTEN_BYTES);
                applying.lock();
                try {
                    appliedLsn = Math.max(appliedLsn, upToLsn);
                    state.put(FORMAT_KEY, FORMAT);
                    state.put(LSN_KEY, lsn);
                    state.put(APPLIED_LSN_KEY, appliedLsn);
                    show();
                    file.onRootsTaken(applying::unlock);
                    store.commit();
                } finally {
                    if (applying.isHeldByCurrentThread()) {
                        applying.unlock();
                    }
                }
                store.sync();
            } catch (MVStoreException | UncheckedIOException e) {
                throw new IOException(
                        "the checkpoint at " + upToLsn + " failed, and the store is closed: " + e.getMessage(), e);
            }
        }
    }

    /** MVStore closes the store when a write fails. A full disk is no reason for that, so it is looked at before. */
    private void checkRoom() throws IOException {
        long wantedBytes = CHECKPOINT_OVERHEAD_BYTES + MAX_REWRITTEN_BYTES + Math.max(0, store.getUnsavedMemory());
        long freeBytes = Files.getFileStore(path).getUsableSpace();
        if (freeBytes < wantedBytes) {
            throw new DiskFullException(
                    "no room for a checkpoint of store file \"" + path + "\": " + wantedBytes
                            + " bytes wanted at most, " + freeBytes + " free",
                    null);
        }
    }

    /**
     * Sends the file as the last checkpoint left it. As long as it is read, no space in it is freed or used again: later
     * checkpoints go behind it.
     */
    void backup(String sinkPath, BackupSink sink) throws IOException {
        long lengthBytes;
        byte[] header;
        synchronized (checkpointing) {
            backups++;
            file.keepAll(true);
            lengthBytes = file.usedBytes();
            header = file.header();
        }
        try (InputStream content = file.content(header, lengthBytes)) {
            sink.file(sinkPath, lengthBytes, content);
        } finally {
            synchronized (checkpointing) {
                backups--;
                file.keepAll(backups > 0);
            }
        }
    }

    /** Has the next reads go to the file; for tests. */
    void forgetCachedPages() {
        file.setCacheSize(cacheMegabytes());
    }

    /** Closes the file without writing anything. */
    @Override
    public void close() {
        synchronized (checkpointing) {
            applying.lock();
            try {
                closed = true;
                store.closeImmediately();
                earlyStore.closeImmediately();
            } finally {
                applying.unlock();
            }
        }
    }
}
