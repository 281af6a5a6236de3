package lockstep.kv.store;

import static lockstep.kv.store.Stores.all;
import static lockstep.kv.store.Stores.bytes;
import static lockstep.kv.store.Stores.pairs;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import lockstep.commit.CommitLevel;
import lockstep.commit.PendingCommit;
import lockstep.commit.TestCommits;
import lockstep.kv.Digest;
import lockstep.kv.Scan;
import lockstep.kv.Snapshot;
import lockstep.kv.Transaction;
import lockstep.wal.Records;
import lockstep.wal.WalRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VisibilityTest {
    private final TestCommits commits = new TestCommits();

    @TempDir
    Path directory;

    @TempDir
    Path standbyDirectory;

    private MvKeyValueStore store;

    @BeforeEach
    void open() throws IOException {
        store = Stores.primary(directory, commits);
    }

    @AfterEach
    void close() {
        store.close();
    }

    @Test
    void aCommitIsInvisibleUntilItIsReleased() throws Exception {
        PendingCommit commit = store.put("a", "1");
        assertFalse(commit.isReleased());
        assertEquals(Optional.empty(), store.get("a"));
        commits.release(commit);
        assertTrue(commit.await(0));
        assertEquals(
                commit.lsn(), commit.completion().toCompletableFuture().get().lsn());
        assertEquals(Optional.of("1"), store.get("a"));
        try (Snapshot snapshot = store.snapshot()) {
            assertEquals(commit.lsn(), snapshot.lsn());
        }
    }

    @Test
    void readersSeeAllOfATransactionOrNothing() throws Exception {
        commits.release(store.begin().put("a", "0").put("b", "0").commit());
        AtomicBoolean stop = new AtomicBoolean();
        CompletableFuture<Integer> reader = CompletableFuture.supplyAsync(() -> {
            int last = 0;
            while (!stop.get()) {
                try (Snapshot snapshot = store.snapshot()) {
                    int a = Integer.parseInt(snapshot.get("a").orElseThrow());
                    int b = Integer.parseInt(snapshot.get("b").orElseThrow());
                    if (a != b || a < last) {
                        throw new AssertionError(a + " and " + b + " after " + last);
                    }
                    last = a;
                }
            }
            return last;
        });
        for (int i = 1; i <= 5_000; i++) {
            String value = Integer.toString(i);
            commits.release(store.begin().put("a", value).put("b", value).commit());
            if (i % 1_000 == 0) {
                store.checkpoint(commits.endLsn());
            }
        }
        stop.set(true);
        assertTrue(reader.get(1, TimeUnit.MINUTES) <= 5_000);
    }

    @Test
    void aRecoveredCommitReleasedEarlyIsVisibleAndComesAgainWhenItIsItsTurn() throws IOException {
        commits.release(store.put("a", "0"));
        store.put("a", "1");
        store.begin().put("a", "2").put("b", "2").commit(CommitLevel.LOCAL);
        commits.releaseAll();
        MvKeyValueStore recovering = Stores.primary(standbyDirectory, null);
        List<TestCommits.Logged> log = commits.log();
        TestCommits.redo(log.subList(0, 1), 0, recovering);
        Digest before = recovering.digest();
        for (WalRecord record : log.get(2).records()) {
            recovering.redo(record);
        }
        recovering.commitEarly(log.get(2).xid(), log.get(2).commitLsn());
        assertEquals(Optional.of("2"), recovering.get("a"));
        assertEquals(before, recovering.digest(), "the prefix of the log has not moved");
        TestCommits.redo(log.subList(1, 2), 0, recovering);
        assertEquals(Optional.of("2"), recovering.get("a"), "the earlier commit does not hide the later one");
        TestCommits.redo(log.subList(2, 3), 0, recovering);
        assertEquals(store.digest(), recovering.digest());
        assertEquals(Optional.of("2"), recovering.get("b"));
        recovering.close();
    }

    @Test
    void aCommitReleasedEarlyIsVisibleButNotPartOfThePrefix() {
        commits.release(store.put("a", "0"));
        Digest before = store.digest();
        PendingCommit first = store.put("a", "1");
        PendingCommit second = store.begin().put("b", "2").commit(CommitLevel.LOCAL);
        commits.release(second);
        assertEquals(Map.of("a", "0", "b", "2"), all(store));
        assertEquals(before, store.digest());
        commits.release(first);
        assertEquals(Map.of("a", "1", "b", "2"), all(store));
        assertEquals(second.lsn(), store.digest().lsn());
    }

    @Test
    void theNewestCommitOfAKeyCountsInWhateverOrderTheyAreReleased() {
        PendingCommit first = store.put("k", "1");
        PendingCommit second = store.put("k", "2");
        PendingCommit third = store.put("k", "3");
        commits.release(third);
        assertEquals(Map.of("k", "3"), all(store));
        commits.release(second);
        assertEquals(Map.of("k", "3"), all(store));
        commits.release(first);
        assertEquals(Map.of("k", "3"), all(store));
        assertNull(view().early());
    }

    @Test
    void anEarlyDeleteHidesAndAnEarlyPutBringsBack() {
        commits.release(store.put("k", "0"));
        PendingCommit gap = store.put("other", "1");
        PendingCommit delete = store.delete("k");
        PendingCommit put = store.put("k", "2");
        PendingCommit lastDelete = store.delete("k");
        commits.release(delete);
        assertEquals(Map.of(), all(store));
        commits.release(lastDelete);
        commits.release(put);
        assertEquals(Map.of(), all(store));
        commits.release(gap);
        assertEquals(Map.of("other", "1"), all(store));
        assertNull(view().early());
        assertEquals(lastDelete.lsn(), store.digest().lsn());
    }

    @Test
    void aSnapshotStaysAsItIs() throws IOException {
        commits.release(store.begin().put("a", "0").put("b", "0").commit());
        try (Snapshot snapshot = store.snapshot()) {
            Scan scan = snapshot.scanPrefix("", Snapshot.UNLIMITED);
            assertTrue(scan.next());
            PendingCommit gap = store.put("a", "1");
            commits.release(store.delete("b"));
            store.checkpoint(0);
            commits.release(gap);
            store.checkpoint(0);
            assertTrue(scan.next());
            assertEquals("b", scan.keyText());
            assertEquals(Map.of("a", "0", "b", "0"), all(snapshot));
        }
        assertEquals(Map.of("a", "1"), all(store));
    }

    @Test
    void scansKeepToTheirBoundsAndLimit() {
        Transaction transaction = store.begin();
        for (String key : List.of("a", "ab", "abc", "b", "ba")) {
            transaction.put(key, key);
        }
        commits.release(transaction.commit());
        store.put("gap", "");
        commits.release(
                store.begin().put("aa", "aa").delete("ab").put("b", "new").commit());
        try (Snapshot snapshot = store.snapshot()) {
            assertEquals(List.of("a", "aa", "abc"), keys(snapshot.scanPrefix("a", 10)));
            assertEquals(List.of("aa", "abc", "b"), keys(snapshot.scan(bytes("aa"), bytes("ba"), 10)));
            assertEquals(List.of("b", "ba"), keys(snapshot.scan(bytes("b"), new byte[0], 10)));
            assertEquals(List.of("a", "aa"), keys(snapshot.scan(new byte[0], new byte[0], 2)));
            assertEquals(List.of(), keys(snapshot.scan(bytes("b"), bytes("b"), 10)));
            assertEquals(List.of(), keys(snapshot.scan(bytes("z"), bytes("a"), 10)));
            assertEquals(Map.of("b", "new", "ba", "ba"), pairs(snapshot.scanPrefix("b", 10)));
            assertEquals(List.of(), keys(snapshot.scanPrefix("", 0)));
        }
    }

    @Test
    void keysAreInTheOrderOfTheirUnsignedBytes() {
        byte[][] ordered = {{0}, {0, 0}, {1}, {127}, {(byte) 128}, {(byte) 255}, {(byte) 255, 0}, {(byte) 255, -1}};
        Transaction transaction = store.begin();
        for (int i = ordered.length; i-- > 0; ) {
            transaction.put(ordered[i], new byte[0]);
        }
        commits.release(transaction.commit());
        try (Snapshot snapshot = store.snapshot()) {
            Scan scan = snapshot.scan(new byte[0], new byte[0], Snapshot.UNLIMITED);
            for (byte[] key : ordered) {
                assertTrue(scan.next());
                assertArrayEquals(key, scan.key());
            }
            assertFalse(scan.next());
            Scan high = snapshot.scanPrefix(new byte[] {-1}, Snapshot.UNLIMITED);
            for (int i = 5; i < ordered.length; i++) {
                assertTrue(high.next());
                assertArrayEquals(ordered[i], high.key());
            }
            assertFalse(high.next());
        }
    }

    @Test
    void whatACallerDoesToItsArraysDoesNotReachTheStore() {
        byte[] key = bytes("k");
        byte[] value = bytes("v");
        Transaction transaction = store.begin().put(key, value);
        key[0] = 'x';
        value[0] = 'x';
        commits.release(transaction.commit());
        store.get(bytes("k")).orElseThrow()[0] = 'y';
        assertEquals(Map.of("k", "v"), all(store));
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void whateverTheOrderOfReleaseReadersSeeTheNewestReleasedAndBothServersAgree(long seed) throws IOException {
        Random random = new Random(seed);
        List<PendingCommit> open = new ArrayList<>();
        Map<PendingCommit, Map<String, String>> changes = new java.util.HashMap<>();
        Map<String, String> visible = new TreeMap<>();
        Map<String, Long> newest = new TreeMap<>();
        for (int step = 0; step < 600; step++) {
            if (random.nextInt(3) > 0 || open.isEmpty()) {
                Transaction transaction = store.begin();
                Map<String, String> change = new TreeMap<>();
                for (int i = random.nextInt(4); i >= 0; i--) {
                    String key = "k" + random.nextInt(40);
                    String value = random.nextInt(3) == 0 ? "" : "v" + step;
                    change.put(key, value);
                    if (value.isEmpty()) {
                        transaction.delete(key);
                    } else {
                        transaction.put(key, value);
                    }
                }
                PendingCommit commit = transaction.commit();
                open.add(commit);
                changes.put(commit, change);
            } else {
                PendingCommit released = open.remove(random.nextBoolean() ? 0 : random.nextInt(open.size()));
                changes.get(released).forEach((key, value) -> {
                    if (newest.merge(key, released.lsn(), Math::max) == released.lsn()) {
                        if (value.isEmpty()) {
                            visible.remove(key);
                        } else {
                            visible.put(key, value);
                        }
                    }
                });
                commits.release(released);
                assertEquals(visible, all(store));
                if (random.nextInt(20) == 0) {
                    store.checkpoint(0);
                }
            }
        }
        MvKeyValueStore standby = Stores.in(standbyDirectory);
        standby.open();
        Digest now = store.digest();
        TestCommits.redo(
                commits.log().stream()
                        .filter(logged -> logged.commitLsn() <= now.lsn())
                        .toList(),
                0,
                standby);
        assertEquals(now, standby.digest());
        commits.releaseAll();
        TestCommits.redo(commits.log(), now.lsn(), standby);
        assertEquals(store.digest(), standby.digest());
        assertNull(view().early());
        standby.close();
    }

    @Test
    void aStandbyRefusesToWriteAndSaysWhere() throws IOException {
        store.commits = null;
        Transaction transaction = store.begin().put("a", "1");
        IllegalStateException refused = assertThrows(IllegalStateException.class, transaction::commit);
        assertEquals("this server is a standby: write to its primary", refused.getMessage());
        store.commits = commits;
        commits.release(transaction.commit());
        assertEquals(Map.of("a", "1"), all(store));
        assertThrows(IllegalStateException.class, transaction::commit);
        assertThrows(IllegalStateException.class, () -> transaction.put("b", "1"));
    }

    @Test
    void beforeItIsOpenTheStoreSaysThatTheServerRecovers() {
        MvKeyValueStore closed = Stores.in(standbyDirectory);
        closed.commits = commits;
        IllegalStateException refused = assertThrows(IllegalStateException.class, () -> closed.get("a"));
        assertEquals("the key-value store is not open yet: the server is still recovering", refused.getMessage());
        assertThrows(IllegalStateException.class, () -> closed.put("a", "1"));
    }

    @Test
    void aReaderOnAStandbyWaitsForItsOwnWrite() throws Exception {
        PendingCommit commit = store.put("a", "1");
        MvKeyValueStore standby = Stores.in(standbyDirectory);
        standby.open();
        assertFalse(standby.awaitLsn(commit.lsn(), 1));
        CompletableFuture<Optional<String>> reader = CompletableFuture.supplyAsync(() -> {
            try {
                return standby.awaitLsn(commit.lsn(), TimeUnit.MINUTES.toNanos(1)) ? standby.get("a") : null;
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        TestCommits.redo(commits.log(), 0, standby);
        assertEquals(Optional.of("1"), reader.get(1, TimeUnit.MINUTES));
        standby.close();
    }

    @Test
    void aReaderThatWaitsForAPositionWaitsForTheStoreToOpenToo() throws Exception {
        PendingCommit commit = store.put("a", "1");
        MvKeyValueStore standby = Stores.in(standbyDirectory);
        CompletableFuture<Boolean> reached = new CompletableFuture<>();
        Thread reader = new Thread(() -> {
            try {
                reached.complete(standby.awaitLsn(commit.lsn(), TimeUnit.MINUTES.toNanos(1)));
            } catch (InterruptedException | RuntimeException e) {
                reached.completeExceptionally(e);
            }
        });
        reader.start();
        while (reader.getState() != Thread.State.TIMED_WAITING && !reached.isDone()) {
            Thread.onSpinWait();
        }
        standby.open();
        TestCommits.redo(commits.log(), 0, standby);
        assertTrue(reached.get(1, TimeUnit.MINUTES));
        standby.close();
    }

    @Test
    void redoOfOthersCommitsMovesTheAppliedPositionAndNothingElse() throws Exception {
        store.commit(99, 5_000_000);
        assertTrue(store.awaitLsn(5_000_000, 0));
        assertEquals(0, store.digest().lsn());
    }

    @Test
    void recordsThatACrashLeftWithoutTheirCommitAreForgotten() throws IOException {
        byte[] left = {2, 1, 0, 'x'};
        byte[] put = {1, 1, 0, 1, 0, 0, 0, 'k', 'v'};
        store.redo(Records.of(9, ChangeRecord.RMGR_ID, ChangeRecord.FIRST, left, 0x100));
        store.redo(Records.of(9, ChangeRecord.RMGR_ID, ChangeRecord.FIRST, put, 0x200));
        store.commit(9, 0x300);
        assertEquals(Map.of("k", "v"), all(store));
        assertThrows(
                IOException.class,
                () -> store.redo(Records.of(9, ChangeRecord.RMGR_ID, ChangeRecord.MORE, put, 0x400)));
    }

    private PrefixStore.View view() {
        return store.view();
    }

    private static List<String> keys(Scan scan) {
        List<String> keys = new ArrayList<>();
        while (scan.next()) {
            keys.add(scan.keyText());
        }
        return keys;
    }
}
