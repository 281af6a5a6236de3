package lockstep.primary;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import lockstep.commit.CommitLevel;
import lockstep.commit.CommitOutcome;
import lockstep.commit.CommitPosition;
import lockstep.commit.CommitReceipt;
import lockstep.commit.CommitStatus;
import lockstep.commit.Commits;
import lockstep.commit.DegradedLog;
import lockstep.commit.DegradedPeriod;
import lockstep.commit.PendingCommit;
import lockstep.commit.StandbyNames;
import lockstep.commit.SynchronousConfig;
import lockstep.commit.SynchronousConfig.DegradeTo;
import lockstep.commit.SynchronousConfig.Exhausted;
import lockstep.commit.SynchronousConfig.Unavailable;
import lockstep.io.Clock;
import lockstep.io.FileDisk;
import lockstep.io.Panic;
import lockstep.io.Step;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.io.Worker;
import lockstep.io.Workers;
import lockstep.recovery.Checkpointer;
import lockstep.recovery.ControlFile;
import lockstep.recovery.ControlStore;
import lockstep.redo.Redone;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SenderConfig;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Term;
import lockstep.wal.SegmentFiles;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalConfig;
import lockstep.wal.WalIdentity;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PrimaryTest {
    private static final PrimaryConfig CONFIG = new PrimaryConfig(
            1 << 20,
            256 << 10,
            SyncMethod.FDATASYNC,
            CommitLevel.LOCAL,
            SynchronousConfig.hang("*"),
            new Checkpointer.Config(300_000, 8 << 20, new Retention.Config(0, -1, 8 << 20, 10)),
            new SenderConfig(10, 60_000));

    private static final Panic PANIC = (message, cause) -> {
        throw new AssertionError(message, cause);
    };

    @TempDir
    Path directory;

    private FileDisk disk;
    private TestStore store;
    private ResourceManagers managers;
    private PrimaryConfig config = CONFIG;
    private Threads threads;
    private Primary primary;

    /** The threads of one server. When they have ended, nothing of it is left that could write: it has crashed. */
    private static final class Threads implements Workers {
        private final Workers workers = new ThreadWorkers();
        private final List<Worker> started = new CopyOnWriteArrayList<>();
        private volatile boolean ended;

        @Override
        public Worker start(String name, Step step) {
            Worker worker = workers.start(name, step);
            started.add(worker);
            return worker;
        }

        @Override
        public void pause(long nanos) {
            if (ended) {
                throw new IllegalStateException("the server has crashed: what is waited for will not happen");
            }
            workers.pause(nanos);
        }

        void end() {
            ended = true;
            started.forEach(Worker::close);
        }
    }

    @BeforeEach
    void start() throws Exception {
        disk = new FileDisk(directory);
        store = new TestStore(disk);
        managers = new ResourceManagers();
        managers.add(store);
        open();
    }

    private void open() throws Exception {
        open(() -> {});
    }

    /** Opens what is on the disk, which may need something to happen before the server has recovered. */
    private void open(Runnable meanwhile) throws Exception {
        CountDownLatch changed = new CountDownLatch(1);
        threads = new Threads();
        primary =
                new Primary(config, disk, Clock.SYSTEM, threads, PANIC, managers, Optional.empty(), changed::countDown);
        primary.start();
        meanwhile.run();
        assertTrue(changed.await(1, TimeUnit.MINUTES));
    }

    @AfterEach
    void stop() throws IOException {
        primary.close();
    }

    private Commits commits() {
        assertEquals(Primary.State.RUNNING, primary.state(), primary.reason());
        return primary.commits().orElseThrow();
    }

    private void commit(int from, int to) throws InterruptedException {
        for (int number = from; number < to; number++) {
            PendingCommit commit = store.commit(commits(), number, CommitLevel.LOCAL);
            assertTrue(commit.await(TimeUnit.MINUTES.toNanos(1)));
        }
    }

    private static void await(BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, "the condition does not come true");
            LockSupport.parkNanos(1_000_000);
        }
    }

    /** Leaves the server as a crash does: nothing more reaches the disk, and the next one opens what is there. */
    private void crash() throws Exception {
        threads.end();
        store = new TestStore(disk);
        managers = new ResourceManagers();
        managers.add(store);
        open();
    }

    /** As {@link #crash}; the resource manager comes only after the next server has begun to wait for it. */
    private void crashAndBringTheResourceManagerLate() throws Exception {
        threads.end();
        store = new TestStore(disk);
        managers = new ResourceManagers();
        open(() -> {
            await(() -> primary.reason().contains("resource manager 200"));
            assertEquals(Primary.State.RECOVERING, primary.state());
            managers.add(store);
        });
    }

    @Test
    void whatWasAcknowledgedIsThereAfterACrash() throws Exception {
        commit(0, 500);
        crash();
        assertEquals(500, store.size());
        assertEquals(2, primary.control().epochs().list().size(), "each start but the first opens an epoch");
        commit(500, 510);
        crash();
        assertEquals(510, store.size());
    }

    @Test
    void redoStartsFromTheLastCheckpoint() throws Exception {
        commit(0, 100);
        primary.checkpoint();
        long redoLsn = primary.control().redoLsn();
        commit(100, 150);
        crash();
        assertEquals(150, store.size());
        assertTrue(primary.control().priorRedoLsn() >= redoLsn);
    }

    @Test
    void anOrderlyStopIsFollowedByAnEpochToo() throws Exception {
        commit(0, 10);
        primary.close();
        assertEquals(ControlFile.State.SHUT_DOWN, ControlFile.read(disk).state());
        open();
        assertEquals(10, store.size());
        assertEquals(2, primary.control().epochs().list().size());
        commit(10, 20);
    }

    @Test
    void aCommitThatWaitsForAStandbyHoldsTheCheckpointBackAndNothingElse() throws Exception {
        commit(0, 10);
        PendingCommit remote = store.commit(commits(), 1000, CommitLevel.ON);
        commit(10, 20);
        assertFalse(remote.isReleased());
        assertFalse(store.contains(1000), "what is not released is not visible");
        primary.checkpoint();
        assertTrue(primary.control().redoLsn() <= remote.lsn());
        primary.configure(asking(false));
        await(remote::isReleased);
        assertTrue(store.contains(1000));
    }

    private static PrimaryConfig asking(boolean standby) {
        return asking(SynchronousConfig.hang(standby ? "*" : ""));
    }

    private static PrimaryConfig asking(SynchronousConfig standbys) {
        return new PrimaryConfig(
                CONFIG.segmentBytes(),
                CONFIG.bufferBytes(),
                CONFIG.syncMethod(),
                CONFIG.commitLevel(),
                standbys,
                CONFIG.checkpoints(),
                CONFIG.senders());
    }

    @Test
    void whatWaitedForAStandbyIsInDoubtAfterACrashAndInvisibleUntilThePolicyIsMet() throws Exception {
        commit(0, 10);
        PendingCommit first = store.commit(commits(), 1000, CommitLevel.ON);
        commit(10, 20);
        PendingCommit last = store.commit(commits(), 1001, CommitLevel.REMOTE_APPLY);
        primary.wal().orElseThrow().awaitFlushed(last.lsn());
        for (int crashes = 0; crashes < 3; crashes++) {
            crash();
            assertEquals(20, store.size(), "commits at local that came after it are visible, as they were");
            InDoubtRange range = primary.inDoubt().orElseThrow();
            assertTrue(range.fromLsn() < first.lsn(), range::toString);
            assertEquals(last.lsn(), range.toLsn());
            primary.checkpoint();
            assertTrue(primary.control().redoLsn() < first.lsn(), "no checkpoint passes it");
        }
        commit(20, 30);
        PendingCommit behind = store.commit(commits(), 1002, CommitLevel.ON);
        primary.configure(asking(false));
        await(behind::isReleased);
        assertEquals(33, store.size());
        assertTrue(primary.inDoubt().isEmpty());
        primary.checkpoint();
        crash();
        assertEquals(33, store.size(), "what was visible stays visible");
        assertTrue(primary.inDoubt().isEmpty());
    }

    @Test
    void anOperatorReleasesWhatWaitsAndWhatIsInDoubtByHand() throws Exception {
        PendingCommit before = store.commit(commits(), 1000, CommitLevel.ON);
        primary.wal().orElseThrow().awaitFlushed(before.lsn());
        crash();
        CommitPosition position = CommitPosition.parse("1/1/" + Lsn.text(before.lsn()));
        assertEquals(CommitStatus.IN_DOUBT, commits().status(position));
        PendingCommit after = store.commit(commits(), 1001, CommitLevel.ON);
        primary.wal().orElseThrow().awaitFlushed(after.lsn());
        assertEquals(1, primary.releaseByHand(before.lsn(), "ann"));
        assertTrue(store.contains(1000));
        assertTrue(primary.inDoubt().isEmpty());
        assertEquals(CommitStatus.COMMITTED, commits().status(position));
        assertFalse(after.isReleased());
        assertEquals(1, primary.releaseByHand(after.lsn(), "ann"));
        assertEquals(new CommitOutcome.LocalOnly("an operator has released it by hand"), after.outcome());
        DegradedPeriod recorded = DegradedLog.read(disk).get(1);
        assertEquals("ann", recorded.operator());
        assertEquals(after.lsn(), recorded.endLsn(), "who lacks it can be told");
    }

    @Test
    void aReceiptSaysWhereACommitStandsAndHowLongEachStageTook() throws Exception {
        PendingCommit commit = store.commit(commits(), 1, CommitLevel.LOCAL);
        await(commit::isReleased);
        CommitReceipt receipt = commits().receipt(commit);
        assertEquals("1/1/" + Lsn.text(commit.lsn()), receipt.position().toString());
        assertEquals(new CommitOutcome.Replicated(CommitLevel.LOCAL), receipt.outcome());
        assertTrue(receipt.flushedMicros() >= 0, receipt::toString);
        assertTrue(receipt.releasedMicros() >= receipt.flushedMicros(), receipt::toString);
        PendingCommit waiting = store.commit(commits(), 2, CommitLevel.ON);
        assertEquals(-1, commits().receipt(waiting).releasedMicros());
        assertEquals(CommitStatus.COMMITTED, commits().status(receipt.position()));
        crash();
        assertEquals(CommitStatus.COMMITTED, commits().status(receipt.position()), "it can be asked later");
    }

    @Test
    void theOwnerOfWhatIsInDoubtMayComeLateOrBeReplaced() throws Exception {
        commit(0, 10);
        primary.checkpoint();
        PendingCommit waiting = store.commit(commits(), 1000, CommitLevel.ON);
        primary.wal().orElseThrow().awaitFlushed(waiting.lsn());
        crashAndBringTheResourceManagerLate();
        assertEquals(10, store.size());
        managers.remove(store);
        TestStore updated = new TestStore(disk);
        managers.add(updated);
        primary.configure(asking(false));
        await(() -> updated.size() == 11);
    }

    @Test
    void oldSegmentsAreRecycledOnceTwoCheckpointsAreThere() throws Exception {
        SegmentFiles files =
                new SegmentFiles(disk, primary.wal().orElseThrow().config().identity());
        for (int round = 0; round < 6; round++) {
            commit(round * 100, round * 100 + 100);
            primary.wal().orElseThrow().switchSegment();
            primary.checkpoint();
        }
        long first = files.list().get(0).startLsn();
        assertTrue(first > primary.wal().orElseThrow().config().layout().segmentStart(2));
        assertTrue(first <= primary.control().priorRedoLsn());
        crash();
        assertEquals(600, store.size());
    }

    @Test
    void aFlippedByteInTheMiddleOfTheLogIsNamedAndNothingIsChanged() throws Exception {
        commit(0, 8000);
        long endLsn = primary.wal().orElseThrow().flushedLsn();
        assertTrue(endLsn - primary.control().redoLsn() > 2L * CONFIG.bufferBytes());
        long damagedLsn = primary.control().redoLsn() + 10_000;
        Path segment = directory.resolve(primary.wal().orElseThrow().files().path(1));
        try (FileChannel file = FileChannel.open(segment, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer one = ByteBuffer.allocate(1);
            file.read(one, damagedLsn % (1 << 20));
            one.put(0, (byte) (one.get(0) ^ 0x40));
            file.write(one.rewind(), damagedLsn % (1 << 20));
        }
        crash();
        assertEquals(Primary.State.FAILED, primary.state());
        assertTrue(primary.reason().contains("000000010000000000000001"), primary.reason());
        assertThrows(IOException.class, () -> primary.checkpoint());
        assertTrue(store.size() < 8000);
    }

    @Test
    void redoWaitsForAResourceManagerThatIsNotThere() throws Exception {
        commit(0, 10);
        crashAndBringTheResourceManagerLate();
        assertEquals(10, store.size());
    }

    @Test
    void aResourceManagerThatComesBackIsGivenWhatItMissed() throws Exception {
        commit(0, 10);
        managers.remove(store);
        TestStore updated = new TestStore(disk);
        managers.add(updated);
        await(() -> updated.size() == 10);
        store = updated;
        commit(10, 20);
        assertEquals(20, updated.size());
    }

    /** Takes the step that decides a promotion: what the primary would do next is not done. */
    private void decidePromotion() throws IOException {
        ControlStore control = ControlStore.open(disk);
        WalIdentity identity = control.get().identity(disk);
        SegmentFiles files = new SegmentFiles(disk, identity);
        WalConfig walConfig = new WalConfig(identity, CONFIG.bufferBytes(), CONFIG.syncMethod(), true);
        try (Wal wal = new Wal(
                walConfig,
                disk,
                files,
                new ThreadWorkers(),
                PANIC,
                control.get().knownFlushedLsn())) {
            wal.start();
            TimelineHistory history = identity.history().fork(wal.filledLsn(), 2, "test");
            wal.follow(history, () -> control.update(file -> file.promoted(history, 0)));
        }
    }

    @Test
    void aCrashBetweenAPromotionAndItsFirstCommitLeavesNothingInDoubtThatThePromotionKept() throws Exception {
        commit(0, 10);
        PendingCommit before = store.commit(commits(), 1000, CommitLevel.ON);
        primary.wal().orElseThrow().awaitFlushed(before.lsn());
        primary.close();
        decidePromotion();
        crash();
        assertEquals(2, primary.control().timeline());
        assertTrue(primary.inDoubt().isEmpty(), () -> primary.inDoubt().toString());
        assertTrue(store.contains(1000), "a standby shows all it has redone, and a promotion takes none of it back");
        PendingCommit after = store.commit(commits(), 1001, CommitLevel.ON);
        primary.wal().orElseThrow().awaitFlushed(after.lsn());
        crash();
        assertTrue(store.contains(1000));
        assertFalse(store.contains(1001));
        assertEquals(1, primary.inDoubt().orElseThrow().commits());
    }

    @Test
    void whatAnOperatorReleasesDoesNotReachBeyondTheEndOfTheLog() throws Exception {
        assertThrows(IllegalArgumentException.class, () -> primary.releaseByHand(Long.MAX_VALUE, "ann"));
        PendingCommit later = store.commit(commits(), 1000, CommitLevel.ON);
        commit(0, 1);
        assertFalse(later.isReleased());
    }

    @Test
    void nothingIsReleasedByHandOnAFencedServer() throws Exception {
        PendingCommit waiting = store.commit(commits(), 1000, CommitLevel.ON);
        primary.wal().orElseThrow().awaitFlushed(waiting.lsn());
        primary.superseded(new Term(2, 0), "test");
        assertThrows(IllegalStateException.class, () -> primary.releaseByHand(waiting.lsn(), "ann"));
        assertFalse(waiting.isReleased());
        crash();
        assertThrows(IllegalStateException.class, () -> primary.releaseByHand(waiting.lsn(), "ann"));
        assertEquals(waiting.lsn(), primary.inDoubt().orElseThrow().toLsn());
    }

    @Test
    void aResourceManagerThatComesDuringAHandoverIsGivenWhatItMissed() throws Exception {
        commit(0, 10);
        primary.close();
        long endLsn = ControlFile.read(disk).knownFlushedLsn();
        TestStore updated = new TestStore(disk);
        managers = new ResourceManagers();
        managers.add(updated);
        Redone redone = new Redone(endLsn, ControlFile.read(disk).checkpointLsn(), 0, Map.of());
        CountDownLatch running = new CountDownLatch(1);
        primary = new Primary(
                CONFIG,
                disk,
                Clock.SYSTEM,
                new ThreadWorkers(),
                PANIC,
                managers,
                Optional.of(redone),
                running::countDown);
        primary.start();
        assertTrue(running.await(1, TimeUnit.MINUTES));
        await(() -> updated.size() == 10);
        await(() -> managers.missing().isEmpty());
    }

    @Test
    void whatIsInDoubtIsReleasedByTheRuleOfADegradedModeThatGoesOn() throws Exception {
        PendingCommit waiting = store.commit(commits(), 1000, CommitLevel.ON);
        primary.wal().orElseThrow().awaitFlushed(waiting.lsn());
        primary.close();
        new DegradedLog(disk)
                .put(new DegradedPeriod(
                        1, primary.control().redoLsn(), 0, 1, 0, "local", "standby_unavailable=degrade", "test"));
        config = asking(new SynchronousConfig(
                StandbyNames.parse("*"), Unavailable.DEGRADE, 1, DegradeTo.LOCAL, 1, 0, 0, Exhausted.HANG, 1));
        crash();
        await(() -> primary.inDoubt().isEmpty());
        assertTrue(store.contains(1000));
    }
}
