package lockstep.wal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import lockstep.io.Disk;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.transport.api.Lsn;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WalTimelineTest {
    private static final WalLayout LAYOUT = new WalLayout(1 << 20);
    private static final long START = LAYOUT.segmentStart(1);
    private static final int BUFFERS = 256 << 10;
    private static final int RMGR = 200;

    @TempDir
    Path directory;

    private final WalIdentity identity = new WalIdentity(7_000_000_000_000_000_001L, TimelineHistory.of(1), LAYOUT);
    private final RecordGroup group = new RecordGroup();
    private int xid;

    private Wal open(Disk disk, long endLsn, long lastRecordLsn) throws IOException {
        Wal wal = new Wal(
                new WalConfig(identity, BUFFERS, SyncMethod.FDATASYNC, false),
                disk,
                new SegmentFiles(disk, identity),
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                endLsn);
        wal.startInserting(lastRecordLsn);
        wal.start();
        return wal;
    }

    private long insert(Wal wal, int records, int dataBytes) {
        long end = 0;
        for (int i = 0; i < records; i++) {
            ByteBuffer data = group.clear().add(++xid, RMGR, 0x10, dataBytes);
            data.position(data.limit());
            end = wal.insert(group, Placement.NONE);
        }
        return end;
    }

    private List<Integer> read(Disk disk, WalIdentity log) throws IOException {
        List<Integer> xids = new ArrayList<>();
        try (WalSource source = new SegmentSource(disk, log)) {
            WalReader reader = new WalReader(source, log);
            reader.seek(LAYOUT.recordStart(START), WalReader.UNKNOWN);
            WalRecord record = new WalRecord();
            while (reader.next(record, Long.MAX_VALUE) == ReadResult.RECORD) {
                xids.add(record.xid());
            }
        }
        return xids;
    }

    @ParameterizedTest(name = "{0} bytes on the old timeline")
    @ValueSource(ints = {40, 8192 - 40, 500_000, 1_000_000, 1_300_000})
    void aLogIsReadAcrossTheSwitchToAnotherTimeline(int bytes) throws Exception {
        Disk disk = new FileDisk(directory);
        long fork;
        long end;
        try (Wal wal = open(disk, START, 0)) {
            insert(wal, 1, bytes);
            fork = insert(wal, 1, 100);
            wal.follow(identity.history().fork(fork, 2, "promoted"), () -> {});
            insert(wal, 1, 100);
            end = insert(wal, 3, 600_000);
        }
        assertEquals(List.of(1, 2, 3, 4, 5, 6), read(disk, identity));

        long forkSegment = LAYOUT.segmentOf(fork);
        assertEquals(1, identity.fileTimeline(forkSegment - 1));
        String old = LAYOUT.segmentName(1, forkSegment);
        List<String> names = disk.list(SegmentFiles.DIRECTORY);
        assertTrue(names.contains(old + ".partial"), names.toString());
        assertFalse(names.contains(old), names.toString());
        assertTrue(names.contains("00000002.history"), names.toString());

        List<String> dumped = PgWaldump.records(
                directory.resolve(SegmentFiles.DIRECTORY), 2, Lsn.text(LAYOUT.recordStart(fork)), Lsn.text(end));
        assertEquals(4, dumped.size());
    }

    @Test
    void aSwitchAtTheEndOfASegmentCopiesNothing() throws Exception {
        Disk disk = new FileDisk(directory);
        try (Wal wal = open(disk, START, 0)) {
            insert(wal, 1, 100);
            long fork = wal.switchSegment();
            wal.follow(identity.history().fork(fork, 2, "promoted"), () -> {});
            insert(wal, 1, 100);
        }
        assertEquals(List.of(1, 0, 2), read(disk, identity));
        assertTrue(disk.exists(SegmentFiles.DIRECTORY + "/" + LAYOUT.segmentName(1, 1)));
        assertTrue(disk.exists(SegmentFiles.DIRECTORY + "/" + LAYOUT.segmentName(2, 2)));
    }

    @Test
    void aReaderThatIsUnderWayGoesOverToTheNewTimelinesFile() throws Exception {
        Disk disk = new FileDisk(directory);
        try (Wal wal = open(disk, START, 0);
                WalSource source = new SegmentSource(disk, identity)) {
            WalReader reader = new WalReader(source, identity);
            reader.seek(LAYOUT.recordStart(START), WalReader.UNKNOWN);
            WalRecord record = new WalRecord();
            long fork = insert(wal, 1, 100);
            wal.awaitFlushed(fork);
            assertEquals(ReadResult.RECORD, reader.next(record, fork));
            assertEquals(ReadResult.WAIT, reader.next(record, fork));

            wal.follow(identity.history().fork(fork, 2, "promoted"), () -> {});
            long end = insert(wal, 1, 100);
            wal.awaitFlushed(end);
            assertEquals(ReadResult.RECORD, reader.next(record, end));
            assertEquals(2, record.xid());
        }
    }

    @Test
    void aPageOfAnAncestorBehindTheSwitchIsNoPartOfTheLog() throws Exception {
        Disk disk = new FileDisk(directory);
        long fork;
        try (Wal wal = open(disk, START, 0)) {
            fork = insert(wal, 1, 100);
            insert(wal, 1, 9000);
        }
        WalIdentity forked =
                new WalIdentity(identity.systemId(), identity.history().fork(fork, 2, "promoted"), LAYOUT);
        Path segments = directory.resolve(SegmentFiles.DIRECTORY);
        Files.move(segments.resolve(LAYOUT.segmentName(1, 1)), segments.resolve(LAYOUT.segmentName(2, 1)));
        assertEquals(List.of(1), read(disk, forked));
    }

    @Test
    void aTimelineThatLeftTheLogBeforeItsEndIsNotFollowed() throws Exception {
        Disk disk = new FileDisk(directory);
        try (Wal wal = open(disk, START, 0)) {
            long fork = insert(wal, 1, 100);
            insert(wal, 1, 100);
            assertThrows(
                    IllegalArgumentException.class,
                    () -> wal.follow(identity.history().fork(fork, 2, "promoted"), () -> {}));
        }
        assertEquals(List.of(1, 2), read(disk, identity));
    }

    @Test
    void aCrashAtAnyStepLeavesTheOldTimelineOrTheNewOne() throws Exception {
        FileDisk disk = new FileDisk(directory);
        long end;
        long last;
        try (Wal wal = open(disk, START, 0)) {
            insert(wal, 1, 20_000);
            last = insert(wal, 1, 100);
            end = insert(wal, 1, 100);
        }
        TimelineHistory next = identity.history().fork(end, 2, "promoted");
        boolean decided = false;
        int failAt = 0;
        for (; !decided; failAt++) {
            boolean[] made = new boolean[1];
            Wal wal = open(failing(disk, failAt), end, LAYOUT.recordStart(last));
            try {
                wal.follow(next, () -> made[0] = true);
            } catch (IOException crash) {
                // The process ends here; what it has left is looked at below.
            }
            wal.close();
            decided = made[0];
            assertEquals(
                    List.of(1, 2, 3), read(disk, new WalIdentity(identity.systemId(), TimelineHistory.of(1), LAYOUT)));
            if (decided) {
                WalIdentity started = new WalIdentity(identity.systemId(), TimelineHistory.read(disk, 2), LAYOUT);
                assertEquals(List.of(1, 2, 3), read(disk, started));
            }
        }
        assertTrue(failAt > 3, "several steps were made to fail");
    }

    /** A disk whose changes under the eyes of this test fail from the given one on. */
    private static Disk failing(Disk disk, int allowed) {
        Set<String> changes = Set.of("createEmpty", "writeAtomically", "rename");
        int[] done = new int[1];
        return (Disk) Proxy.newProxyInstance(
                Disk.class.getClassLoader(), new Class<?>[] {Disk.class}, (proxy, method, arguments) -> {
                    if (changes.contains(method.getName()) && done[0]++ >= allowed) {
                        throw new IOException("the disk fails in " + method.getName());
                    }
                    try {
                        return method.invoke(disk, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }
}
