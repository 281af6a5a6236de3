package lockstep.retention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import lockstep.io.Clock;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.retention.ReplicationSlots.Slot;
import lockstep.wal.Placement;
import lockstep.wal.RecordGroup;
import lockstep.wal.SegmentFiles;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalConfig;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalLayout;
import lockstep.wal.XlogInfo;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RetentionTest {
    private static final int MB = 1 << 20;
    private static final WalLayout LAYOUT = new WalLayout(MB);

    @TempDir
    Path directory;

    private ReplicationSlots slots;
    private SegmentFiles files;
    private Wal wal;
    private Retention retention;
    private Retention.Config config = new Retention.Config(0, 3L * MB, MB, 10);
    private long attachedLsn = Long.MAX_VALUE;
    private long unarchivedLsn = Long.MAX_VALUE;
    private long endedBeforeLsn;
    private long nanos;
    private String ended = "";

    private final Clock clock = new Clock() {
        @Override
        public long nanos() {
            return nanos;
        }

        @Override
        public long micros() {
            return TimeUnit.NANOSECONDS.toMicros(nanos) + 1;
        }
    };

    private final Retention.Attached attached = new Retention.Attached() {
        @Override
        public long oldestNeededLsn() {
            return attachedLsn;
        }

        @Override
        public void endBefore(long lsn) {
            if (attachedLsn < lsn) {
                endedBeforeLsn = lsn;
                attachedLsn = Long.MAX_VALUE;
            }
        }
    };

    private final ReplicationSlots.User user = new ReplicationSlots.User() {
        @Override
        public String description() {
            return "s1";
        }

        @Override
        public void invalidated(String text) {
            ended = text;
        }
    };

    @BeforeEach
    void open() throws Exception {
        FileDisk disk = new FileDisk(directory);
        slots = ReplicationSlots.open(disk, clock, 10);
        WalIdentity identity = new WalIdentity(1, TimelineHistory.of(1), LAYOUT);
        files = new SegmentFiles(disk, identity);
        WalConfig walConfig = new WalConfig(identity, 256 << 10, SyncMethod.FDATASYNC, false);
        wal = new Wal(
                walConfig,
                disk,
                files,
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                MB);
        wal.startInserting(0);
        wal.start();
        retention = new Retention(wal, slots, attached, () -> 2L * MB, () -> unarchivedLsn, () -> config, clock);
    }

    @AfterEach
    void close() {
        wal.close();
    }

    /** Writes up to the start of a segment. */
    private void writeTo(int segment) {
        while (LAYOUT.segmentOf(wal.filledLsn()) < segment) {
            RecordGroup group = new RecordGroup();
            group.add(0, XlogInfo.RMGR, XlogInfo.NOOP, 8);
            wal.insert(group, Placement.NONE);
            wal.awaitFlushed(wal.switchSegment());
        }
    }

    private void removeAll() throws Exception {
        retention.remove(wal.flushedLsn());
    }

    private long firstSegment() throws Exception {
        return files.oldestLsn(wal.flushedLsn()) / MB;
    }

    @Test
    void withoutAnybodyWhoNeedsItWalIsKeptFromThePriorRedoPositionOn() throws Exception {
        writeTo(8);
        retention.remove(5L * MB + 100);
        assertEquals(5, firstSegment());
        config = new Retention.Config(2L * MB, 3L * MB, MB, 10);
        removeAll();
        assertEquals(6, firstSegment());
    }

    @Test
    void theLeastOfAllNeedsCounts() throws Exception {
        writeTo(8);
        config = new Retention.Config(0, -1, MB, 10);
        retention.createSlot("s1", true);
        attachedLsn = 4L * MB;
        unarchivedLsn = 3L * MB;
        removeAll();
        assertEquals(2, firstSegment());
        Slot slot = slots.acquire("s1", 7L * MB + 3, user);
        removeAll();
        assertEquals(3, firstSegment());
        unarchivedLsn = Long.MAX_VALUE;
        removeAll();
        assertEquals(4, firstSegment());
        attachedLsn = Long.MAX_VALUE;
        removeAll();
        assertEquals(7, firstSegment());
        slot.release(user);
        retention.dropSlot("s1");
        removeAll();
        assertEquals(8, firstSegment());
    }

    @Test
    void aSlotIsLostByTheCheckpointThatRemovesAndNotBefore() throws Exception {
        retention.createSlot("s1", true);
        slots.acquire("s1", 2L * MB + 7, user);
        writeTo(5);
        removeAll();
        assertEquals(2, firstSegment(), "three segments besides the present one are allowed");
        assertEquals(WalStatus.EXTENDED, retention.slots().get(0).walStatus());
        writeTo(6);
        assertEquals(WalStatus.UNRESERVED, retention.slots().get(0).walStatus());
        assertTrue(retention.slots().get(0).safeWalBytes() <= 0);
        retention.remove(2L * MB);
        assertEquals("", ended, "nothing was removed that it needs");
        removeAll();
        assertTrue(ended.contains("0/200007"), ended);
        assertEquals(6, firstSegment(), "a lost slot holds nothing");
        SlotView lost = retention.slots().get(0);
        assertEquals(WalStatus.LOST, lost.walStatus());
        assertEquals("wal_removed", lost.invalidationReason());
        assertEquals(2L * MB + 7, lost.restartLsn());
        assertEquals(Long.MAX_VALUE, lost.safeWalBytes());
    }

    @Test
    void aSlotWhoseWalIsNotThereIsLostWhateverItsFileSays() throws Exception {
        writeTo(8);
        removeAll();
        slots.create("s1", 2L * MB);
        removeAll();
        assertEquals(WalStatus.LOST, retention.slots().get(0).walStatus());
    }

    @Test
    void aStandbyWithoutASlotIsBoundedToo() throws Exception {
        writeTo(6);
        attachedLsn = 3L * MB;
        removeAll();
        assertEquals(3, firstSegment());
        assertEquals(0, endedBeforeLsn);
        writeTo(7);
        removeAll();
        assertEquals(4L * MB, endedBeforeLsn);
        assertEquals(7, firstSegment());
    }

    @Test
    void nothingThatIsNotArchivedIsRemovedForAnybody() throws Exception {
        writeTo(4);
        unarchivedLsn = 2L * MB;
        retention.createSlot("s1", true);
        writeTo(9);
        removeAll();
        assertEquals(2, firstSegment());
        assertEquals(WalStatus.UNRESERVED, retention.slots().get(0).walStatus());
        assertEquals("", ended, "its WAL is still there");
    }

    @Test
    void theTimeThatIsLeftFollowsThePresentRate() throws Exception {
        config = new Retention.Config(0, 100L * MB, MB, 10);
        retention.createSlot("s1", true);
        assertEquals(-1, retention.slots().get(0).secondsToFull());
        nanos = TimeUnit.SECONDS.toNanos(10);
        writeTo(6);
        retention.observe();
        // 5 MB in 10 seconds; it holds from segment 2 on and is lost at the start of segment 103.
        assertEquals((103 - 6) * 2, retention.slots().get(0).secondsToFull());
        nanos = TimeUnit.MINUTES.toNanos(10);
        retention.observe();
        nanos = TimeUnit.MINUTES.toNanos(20);
        retention.observe();
        assertEquals(-1, retention.slots().get(0).secondsToFull(), "nothing is written any more");
    }

    @Test
    void aSlotThatNobodyReservedHoldsNothing() throws Exception {
        retention.createSlot("s1", false);
        writeTo(6);
        removeAll();
        assertEquals(6, firstSegment());
        SlotView slot = retention.slots().get(0);
        assertEquals(WalStatus.NONE, slot.walStatus());
        assertEquals(0, slot.restartLsn());
        assertFalse(slot.active());
    }
}
