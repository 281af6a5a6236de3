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
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import lockstep.commit.CommitLevel;
import lockstep.commit.Commits;
import lockstep.commit.PendingCommit;
import lockstep.io.Clock;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.recovery.Checkpointer;
import lockstep.recovery.ControlFile;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SenderConfig;
import lockstep.wal.SegmentFiles;
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
            true,
            new Checkpointer.Config(300_000, 8 << 20, new Retention.Config(0, -1, 8 << 20, 10)),
            new SenderConfig(10, 60_000));

    @TempDir
    Path directory;

    private FileDisk disk;
    private TestStore store;
    private ResourceManagers managers;
    private Primary primary;

    @BeforeEach
    void start() throws Exception {
        disk = new FileDisk(directory);
        store = new TestStore(disk);
        managers = new ResourceManagers();
        managers.add(store);
        open();
    }

    private void open() throws Exception {
        CountDownLatch changed = new CountDownLatch(1);
        primary = new Primary(
                CONFIG,
                disk,
                Clock.SYSTEM,
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                managers,
                changed::countDown);
        primary.start();
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
        Primary crashed = primary;
        store = new TestStore(disk);
        managers = new ResourceManagers();
        managers.add(store);
        open();
        assertFalse(crashed == primary);
    }

    @Test
    void whatWasAcknowledgedIsThereAfterACrash() throws Exception {
        commit(0, 500);
        crash();
        assertEquals(500, store.size());
        assertEquals(2, primary.control().epochs().last().number(), "a start after a crash opens an epoch");
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
    void anOrderlyStopOpensNoEpoch() throws Exception {
        commit(0, 10);
        primary.close();
        assertEquals(ControlFile.State.SHUT_DOWN, ControlFile.read(disk).state());
        open();
        assertEquals(10, store.size());
        assertEquals(1, primary.control().epochs().last().number());
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
        primary.configure(new PrimaryConfig(
                CONFIG.segmentBytes(),
                CONFIG.bufferBytes(),
                CONFIG.syncMethod(),
                CONFIG.commitLevel(),
                false,
                CONFIG.checkpoints(),
                CONFIG.senders()));
        await(remote::isReleased);
        assertTrue(store.contains(1000));
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
        ResourceManagers nobody = new ResourceManagers();
        TestStore late = new TestStore(disk);
        CountDownLatch running = new CountDownLatch(1);
        try (Primary waiting = new Primary(
                CONFIG, disk, Clock.SYSTEM, new ThreadWorkers(), (message, cause) -> {}, nobody, running::countDown)) {
            waiting.start();
            await(() -> waiting.reason().contains("resource manager 200"));
            assertEquals(Primary.State.RECOVERING, waiting.state());
            nobody.add(late);
            assertTrue(running.await(1, TimeUnit.MINUTES));
            assertEquals(10, late.size());
        }
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
}
