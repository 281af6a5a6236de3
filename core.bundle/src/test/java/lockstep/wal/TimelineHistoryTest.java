package lockstep.wal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import lockstep.io.Disk;
import lockstep.io.FileDisk;
import lockstep.wal.TimelineHistory.Ancestor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TimelineHistoryTest {
    private static final TimelineHistory THREE = new TimelineHistory(
            3,
            List.of(
                    new Ancestor(1, 0x5325258, "no recovery target specified"),
                    new Ancestor(2, 0x6000000, "no recovery target specified")));

    @TempDir
    Path directory;

    @Test
    void eachTimelineOfAHistoryHasItsOwnAndASuccessor() {
        TimelineHistory third = TimelineHistory.of(1)
                .fork(0x1000, 2, "first")
                .fork(0x1000, 5, "second, at once")
                .fork(0x3000, 7, "third");
        assertEquals(TimelineHistory.of(1), third.historyOf(1));
        assertEquals(third, third.historyOf(7));
        assertEquals(
                third.ancestors().subList(0, third.ancestors().size() - 1),
                third.historyOf(5).ancestors());
        assertEquals(7, third.successorOf(5));
        assertEquals(
                5,
                third.successorOf(
                        third.ancestors().get(third.ancestors().size() - 2).timeline()));
    }

    @Test
    void theTextIsByteForByteWhatPostgresqlWrites() {
        assertEquals(
                "1\t0/5325258\tno recovery target specified\n\n2\t0/6000000\tno recovery target specified\n",
                THREE.text());
        assertEquals(THREE, TimelineHistory.parse(3, THREE.text()));
    }

    @Test
    void commentsBlankLinesAndOtherSpacesAreReadOver() {
        assertEquals(
                new TimelineHistory(2, List.of(new Ancestor(1, 0x1_0000_0028L, "before 2000-01-01"))),
                TimelineHistory.parse(2, "# by hand\n\n  1   1/28  before 2000-01-01\n"));
    }

    @Test
    void aTextThatIsNoHistoryIsRefusedWithTheLine() {
        assertTrue(assertThrows(IllegalArgumentException.class, () -> TimelineHistory.parse(2, "1\tfour\tx\n"))
                .getMessage()
                .contains("1\tfour\tx"));
        assertThrows(IllegalArgumentException.class, () -> TimelineHistory.parse(2, "2\t0/28\tx\n"));
        assertThrows(IllegalArgumentException.class, () -> TimelineHistory.parse(3, "2\t0/28\tx\n1\t0/30\tx\n"));
        assertThrows(IllegalArgumentException.class, () -> TimelineHistory.parse(3, "1\t0/28\tx\n2\t0/20\tx\n"));
    }

    @Test
    void aPositionIsOfTheTimelineThatWroteItsByte() {
        assertEquals(1, THREE.timelineAt(0x5325257));
        assertEquals(2, THREE.timelineAt(0x5325258));
        assertEquals(1, THREE.timelineBefore(0x5325258));
        assertEquals(3, THREE.timelineAt(0x6000000));
        assertEquals(0x6000000, THREE.startLsn());
        assertEquals(0x5325258, THREE.endOf(1));
        assertEquals(Long.MAX_VALUE, THREE.endOf(3));
        assertFalse(THREE.contains(4));
    }

    @Test
    void aForkKeepsOnlyAncestorsThatTheLogHasReached() {
        TimelineHistory late = THREE.fork(0x7000000, 4, "promoted");
        assertEquals(THREE.ancestors(), late.ancestors().subList(0, 2));
        assertEquals(new Ancestor(3, 0x7000000, "promoted"), late.ancestors().get(2));

        TimelineHistory early = THREE.fork(0x5000000, 4, "promoted");
        assertEquals(List.of(new Ancestor(1, 0x5000000, "promoted")), early.ancestors());

        TimelineHistory atTheSwitch = THREE.fork(0x6000000, 4, "promoted");
        assertEquals(
                List.of(1, 2),
                atTheSwitch.ancestors().stream().map(Ancestor::timeline).toList());
    }

    @Test
    void twoLogsAreOneUpToWhereTheirHistoriesPart() {
        TimelineHistory one = TimelineHistory.of(1);
        assertEquals(0x5325258, one.sharedLsn(THREE));
        assertEquals(0x5325258, THREE.sharedLsn(one));
        assertEquals(Long.MAX_VALUE, THREE.sharedLsn(THREE));
        assertEquals(0x6000000, THREE.sharedLsn(THREE.fork(0x6000000, 4, "promoted")));
        assertEquals(0x5000000, THREE.sharedLsn(one.fork(0x5000000, 2, "promoted")));
        assertEquals(0, TimelineHistory.of(7).sharedLsn(one));
    }

    @Test
    void theFileIsReadBackAndANewTimelineTakesNoNumberThatHasAFile() throws IOException {
        Disk disk = new FileDisk(directory);
        disk.createDirectories(SegmentFiles.DIRECTORY);
        THREE.write(disk);
        assertEquals(List.of("00000003.history"), disk.list(SegmentFiles.DIRECTORY));
        assertEquals(THREE, TimelineHistory.read(disk, 3));
        assertEquals(4, TimelineHistory.unused(disk, 1));
        assertEquals(8, TimelineHistory.unused(disk, 7));
        assertTrue(assertThrows(IOException.class, () -> TimelineHistory.read(disk, 2))
                .getMessage()
                .contains("00000002.history"));
    }
}
