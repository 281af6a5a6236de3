package lockstep.retention;

import static org.junit.jupiter.api.Assertions.assertEquals;

import lockstep.wal.WalLayout;
import org.junit.jupiter.api.Test;

class BoundsTest {
    private static final int MB = 1 << 20;
    private static final WalLayout LAYOUT = new WalLayout(MB);

    private static Bounds at(long endLsn, long keepMb, long slotMb, long maxWalMb) {
        return Bounds.of(
                LAYOUT, endLsn, new Retention.Config(keepMb * MB, slotMb < 0 ? -1 : slotMb * MB, maxWalMb * MB, 10));
    }

    @Test
    void aSlotGoesThroughItsStatesSegmentBySegment() {
        long restartLsn = 10L * MB + 100;
        assertEquals(WalStatus.RESERVED, at(10L * MB + 200, 0, 4, 1).status(restartLsn));
        assertEquals(WalStatus.RESERVED, at(12L * MB + MB - 1, 0, 4, 1).status(restartLsn));
        assertEquals(WalStatus.EXTENDED, at(13L * MB, 0, 4, 1).status(restartLsn));
        assertEquals(WalStatus.EXTENDED, at(15L * MB - 1, 0, 4, 1).status(restartLsn));
        assertEquals(WalStatus.UNRESERVED, at(15L * MB, 0, 4, 1).status(restartLsn));
        assertEquals(WalStatus.NONE, at(15L * MB, 0, 4, 1).status(0));
    }

    @Test
    void theSafeSizeEndsWhereTheSlotBecomesUnreserved() {
        long restartLsn = 10L * MB + 100;
        assertEquals(5L * MB - 200, at(10L * MB + 200, 0, 4, 1).safeBytes(restartLsn));
        assertEquals(1, at(15L * MB - 1, 0, 4, 1).safeBytes(restartLsn));
        assertEquals(0, at(15L * MB, 0, 4, 1).safeBytes(restartLsn));
        assertEquals(-MB, at(16L * MB, 0, 4, 1).safeBytes(restartLsn));
    }

    @Test
    void whatIsKeptForAllIsSafeForSlotsToo() {
        long restartLsn = 10L * MB;
        assertEquals(WalStatus.EXTENDED, at(17L * MB - 1, 6, 4, 1).status(restartLsn));
        assertEquals(WalStatus.UNRESERVED, at(17L * MB, 6, 4, 1).status(restartLsn));
        assertEquals(10L * MB, at(16L * MB + 5, 6, 4, 1).keepLsn());
    }

    @Test
    void withoutABoundNothingIsUnreserved() {
        Bounds unbounded = at(1_000_000L * MB, 0, -1, 1);
        assertEquals(WalStatus.EXTENDED, unbounded.status(1));
        assertEquals(Long.MAX_VALUE, unbounded.safeBytes(1));
        assertEquals(0, unbounded.slotLsn());
    }

    @Test
    void theLargestSizesAreNoLessThanOthers() {
        Bounds largest = Bounds.of(LAYOUT, 10L * MB, new Retention.Config(Long.MAX_VALUE, Long.MAX_VALUE, MB, 10));
        assertEquals(0, largest.keepLsn());
        assertEquals(Long.MAX_VALUE, largest.safeBytes(MB));
        assertEquals(0, largest.slotLsn());
    }

    @Test
    void aBoundOfNothingIsTheRestOfTheSegment() {
        assertEquals(100, at(11L * MB - 100, 0, 0, 1).safeBytes(10L * MB));
        assertEquals(0, at(11L * MB, 0, 0, 1).safeBytes(10L * MB));
    }

    @Test
    void aKeptSizeThatIsNoWholeSegmentIsRoundedUp() {
        assertEquals(
                9L * MB,
                Bounds.of(LAYOUT, 10L * MB, new Retention.Config(1, -1, MB, 10)).keepLsn());
    }
}
