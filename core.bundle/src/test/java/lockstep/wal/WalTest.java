package lockstep.wal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.transport.api.Lsn;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WalTest {
    private static final WalLayout LAYOUT = new WalLayout(1 << 20);
    private static final int TIMELINE = 1;
    private static final int BUFFERS = 256 << 10;
    private static final int RMGR = 200;

    @TempDir
    Path directory;

    private final WalIdentity identity =
            new WalIdentity(7_000_000_000_000_000_001L, TimelineHistory.of(TIMELINE), LAYOUT);

    private Wal open(SyncMethod method) throws IOException {
        FileDisk disk = new FileDisk(directory);
        WalConfig config = new WalConfig(identity, BUFFERS, method, false);
        Wal wal = new Wal(
                config,
                disk,
                new SegmentFiles(disk, identity),
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                LAYOUT.segmentStart(1));
        wal.startInserting(0);
        return wal;
    }

    private List<String> dump(long endLsn) throws IOException, InterruptedException {
        return PgWaldump.records(
                directory.resolve(SegmentFiles.DIRECTORY),
                TIMELINE,
                Lsn.text(LAYOUT.recordStart(LAYOUT.segmentStart(1))),
                Lsn.text(endLsn));
    }

    private static RecordGroup group(RecordGroup group, int xid, int dataBytes) {
        ByteBuffer data = group.add(xid, RMGR, 0x10, dataBytes);
        while (data.hasRemaining()) {
            data.put((byte) xid);
        }
        return group;
    }

    @ParameterizedTest
    @EnumSource(SyncMethod.class)
    void pgWaldumpReadsWhatManyThreadsInserted(SyncMethod method) throws Exception {
        int threads = 8;
        int groups = 2000;
        long endLsn;
        AtomicLong lastPlaced = new AtomicLong();
        try (Wal wal = open(method)) {
            wal.start();
            ExecutorService executor = Executors.newFixedThreadPool(threads);
            List<Future<Void>> done = new ArrayList<>();
            for (int thread = 0; thread < threads; thread++) {
                Random random = new Random(thread);
                Callable<Void> inserts = () -> {
                    RecordGroup group = new RecordGroup();
                    for (int i = 0; i < groups; i++) {
                        group.clear();
                        group(group, i + 1, random.nextInt(600));
                        group(group, i + 1, random.nextInt(40));
                        wal.insert(group, (start, end) -> {
                            assertTrue(start < end && start >= lastPlaced.get(), "places follow each other");
                            lastPlaced.set(end);
                        });
                    }
                    return null;
                };
                done.add(executor.submit(inserts));
            }
            for (Future<Void> one : done) {
                one.get();
            }
            executor.shutdown();
            endLsn = wal.filledLsn();
            wal.awaitFlushed(endLsn);
        }
        assertEquals(threads * groups * 2, dump(endLsn).size());
    }

    @Test
    void whoComesToALogThatIsHeldWaitsAndIsPartOfItOrIsToldWhyNot() throws Exception {
        int threads = 40;
        AtomicLong placed = new AtomicLong();
        long heldLsn;
        try (Wal wal = open(SyncMethod.FDATASYNC)) {
            wal.start();
            ExecutorService executor = Executors.newFixedThreadPool(threads);
            Callable<Void> inserts = () -> {
                RecordGroup group = new RecordGroup();
                while (true) {
                    wal.insert(group(group.clear(), 1, 100), (start, end) -> placed.incrementAndGet());
                }
            };
            List<Future<Void>> clients = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                clients.add(executor.submit(inserts));
            }
            for (int round = 0; round < 20; round++) {
                long seen = placed.get();
                wal.holdInserting();
                long countHeld = placed.get();
                heldLsn = wal.reservedLsn();
                wal.awaitFlushed(heldLsn);
                assertEquals(heldLsn, wal.filledLsn(), "all places that were taken are filled");
                long endLsn = wal.insertWhileHeld(group(new RecordGroup(), 2, 10), Placement.NONE);
                wal.awaitFlushed(endLsn);
                assertEquals(endLsn, wal.reservedLsn());
                assertEquals(countHeld, placed.get());
                wal.resumeInserting();
                while (placed.get() == Math.max(seen, countHeld)) {
                    Thread.onSpinWait();
                }
            }
            wal.holdInserting();
            Thread.currentThread().interrupt();
            assertThrows(IllegalStateException.class, () -> wal.insert(group(new RecordGroup(), 3, 1), Placement.NONE));
            assertTrue(Thread.interrupted());
            wal.endInserting(() -> new IllegalStateException("another server goes on"));
            long count = placed.get();
            heldLsn = wal.reservedLsn();
            for (Future<Void> client : clients) {
                Throwable told =
                        assertThrows(ExecutionException.class, client::get).getCause();
                assertEquals("another server goes on", told.getMessage());
            }
            assertThrows(IllegalStateException.class, wal::switchSegment);
            assertEquals(heldLsn, wal.filledLsn());
            assertEquals(count, placed.get());
            executor.shutdown();
            wal.awaitFlushed(heldLsn);
        }
        assertEquals(placed.get() + 20, dump(heldLsn).size());
    }

    @Test
    void aRecordLargerThanTheBuffersCrossesSegments() throws Exception {
        long endLsn;
        try (Wal wal = open(SyncMethod.FDATASYNC)) {
            wal.start();
            wal.insert(group(new RecordGroup(), 1, 3 << 20), Placement.NONE);
            endLsn = wal.insert(group(new RecordGroup(), 2, 100), Placement.NONE);
        }
        assertEquals(2, dump(endLsn).size());
    }

    @Test
    void aSwitchedSegmentEndsAndTheNextBeginsWithARecord() throws Exception {
        long endLsn;
        try (Wal wal = open(SyncMethod.FDATASYNC)) {
            wal.start();
            wal.insert(group(new RecordGroup(), 1, 100), Placement.NONE);
            long next = wal.switchSegment();
            assertEquals(LAYOUT.segmentStart(2), next);
            assertEquals(next, wal.switchSegment(), "a segment that has just begun is not switched");
            endLsn = wal.insert(group(new RecordGroup(), 2, 100), Placement.NONE);
        }
        List<String> records = dump(endLsn);
        assertEquals(3, records.size());
        assertTrue(records.get(1).contains("SWITCH"), records.get(1));
    }

    @Test
    void pgWaldumpShowsTheNameOfARestorePoint() throws Exception {
        long endLsn;
        try (Wal wal = open(SyncMethod.FDATASYNC)) {
            wal.start();
            RecordGroup group = new RecordGroup();
            new RestorePointRecord(1, "before the upgrade")
                    .encode(group.add(0, XlogInfo.RMGR, XlogInfo.RESTORE_POINT, RestorePointRecord.BYTES));
            endLsn = wal.insert(group, Placement.NONE);
        }
        String line = dump(endLsn).get(0);
        assertTrue(line.contains("desc: RESTORE_POINT before the upgrade"), line);
    }

    @Test
    void everyLengthAroundAPageEndIsRead() throws Exception {
        long endLsn = 0;
        int records = 0;
        try (Wal wal = open(SyncMethod.FDATASYNC)) {
            wal.start();
            RecordGroup group = new RecordGroup();
            for (int length = 0; length < 300; length++) {
                endLsn = wal.insert(group(group.clear(), length + 1, length), Placement.NONE);
                endLsn = wal.insert(group(group.clear(), length + 1, 8192 - length), Placement.NONE);
                records += 2;
            }
        }
        assertEquals(records, dump(endLsn).size());
    }

    @Test
    void listenersHearOfARangeBeforeItIsFlushed() throws Exception {
        try (Wal wal = open(SyncMethod.DIRECT_DATASYNC)) {
            AtomicLong filled = new AtomicLong(wal.filledLsn());
            wal.addListener(new WalListener() {
                @Override
                public void filled(long fromLsn, long toLsn) {
                    assertEquals(filled.get(), fromLsn);
                    assertTrue(wal.flushedLsn() < toLsn);
                    filled.set(toLsn);
                }

                @Override
                public void flushed(long lsn) {
                    assertEquals(filled.get(), lsn);
                }
            });
            wal.start();
            long endLsn = 0;
            for (int i = 0; i < 1000; i++) {
                endLsn = wal.insert(group(new RecordGroup(), i + 1, i), Placement.NONE);
            }
            wal.awaitFlushed(endLsn);
            assertEquals(endLsn, filled.get());
        }
    }

    @Test
    void aLittleIsFlushedByTheThreadThatWantsItSo() throws IOException {
        try (Wal wal = open(SyncMethod.FDATASYNC)) {
            long end = wal.insert(group(new RecordGroup(), 1, 100), Placement.NONE);
            wal.flushNow();
            assertEquals(end, wal.flushedLsn());
            // Much is the writer's, which is not there yet.
            long much = wal.insert(group(new RecordGroup(), 2, BUFFERS * 3 / 4), Placement.NONE);
            wal.flushNow();
            assertEquals(end, wal.flushedLsn());
            wal.start();
            wal.awaitFlushed(much);
        }
    }

    @Test
    void whoWantsToFlushWhileAnotherDoesLeavesItToThat() throws IOException {
        try (Wal wal = open(SyncMethod.FDATASYNC)) {
            long start = wal.flushedLsn();
            List<Long> seen = new ArrayList<>();
            wal.addListener(new WalListener() {
                @Override
                public void written(long lsn) {
                    wal.flushNow();
                    seen.add(wal.flushedLsn());
                }
            });
            long end = wal.insert(group(new RecordGroup(), 1, 100), Placement.NONE);
            wal.flushNow();
            assertEquals(List.of(start), seen);
            assertEquals(end, wal.flushedLsn());
        }
    }
}
