package lockstep.recovery;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import lockstep.io.FileDisk;
import lockstep.transport.api.Term;
import lockstep.wal.TimelineHistory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ControlFileTest {
    private static final TimelineHistory ON_TWO = TimelineHistory.of(1).fork(0x300, 2, "promoted");

    @TempDir
    Path directory;

    /** On timeline 2, which began in epoch 9. */
    private static ControlFile control(ControlFile.State state) {
        return new ControlFile(
                7,
                1 << 20,
                2,
                state,
                0x100,
                0x100,
                0x100,
                3,
                0x300,
                0x300,
                Epochs.parse("1@0/100, 4@0/200, 9@0/300"),
                Term.NONE);
    }

    @ParameterizedTest
    @CsvSource({
        "2/9, false",
        "2/4, false",
        "2/0, false",
        "1/9, false",
        "1/5, false",
        "3/0, true",
        "3/1, true",
        "2/10, true",
        "2/5, true",
    })
    void aTermIsForeignIfItsTimelineIsNewerOrItsEpochNoneOfThisTimelinesLog(String term, boolean foreign) {
        assertEquals(foreign, control(ControlFile.State.IN_PRODUCTION).isForeign(Term.parse(term)));
    }

    @Test
    void whatAServerHasHeardOfIsInTheFile() throws IOException {
        FileDisk disk = new FileDisk(directory);
        ControlFile fenced = control(ControlFile.State.IN_PRODUCTION).fenced(new Term(2, 10));
        fenced.write(disk);
        assertEquals(fenced, ControlFile.read(disk));
        assertTrue(Files.readString(directory.resolve("control")).contains("\nfenced_by = 2/10\n"));
    }

    @Test
    void aStandbyTellsTheTermThatItFollowsOrTheForeignOneThatItHasHeardOf() {
        ControlFile standby = control(ControlFile.State.IN_RECOVERY);
        assertEquals(new Term(2, 9), standby.heardTerm());
        assertEquals(new Term(2, 12), standby.fenced(new Term(2, 12)).heardTerm());
    }

    @Test
    void aServerThatWasAPrimaryTellsWhatItHasHeardFromOthersAndNotTheEpochThatItOpenedItself() {
        ControlFile before = control(ControlFile.State.IN_PRODUCTION);
        assertEquals(new Term(2, 0), before.heardTerm());
        assertEquals(new Term(2, 5), before.fenced(new Term(2, 5)).heardTerm());
    }

    @Test
    void aStandbyKeepsAForeignTermUntilItFollowsOneThatIsNoOlder() {
        ControlFile standby = control(ControlFile.State.IN_RECOVERY).fenced(new Term(2, 12));
        assertEquals(
                new Term(2, 12), standby.following(ON_TWO, standby.epochs()).fencedBy());
        Epochs theirs = Epochs.parse("1@0/100, 4@0/200, 9@0/300, 12@0/400");
        assertEquals(Term.NONE, standby.following(ON_TWO, theirs).fencedBy());
        assertEquals(Term.NONE, standby.with(ON_TWO.fork(0x400, 3, "promoted")).fencedBy());
        assertEquals(
                Term.NONE,
                standby.promoted(ON_TWO.fork(0x400, 3, "promoted"), 0).fencedBy());
    }

    @Test
    void whoGoesOverToAnotherTimelineForgetsTheEpochsThatTheOldOneHasPastTheFork() {
        ControlFile standby =
                control(ControlFile.State.IN_RECOVERY).with(Epochs.parse("1@0/100, 4@0/200, 9@0/300, 12@0/500"));
        ControlFile followed = standby.with(ON_TWO.fork(0x400, 3, "promoted"));
        assertEquals(new Term(3, 9), followed.term());
    }

    @ParameterizedTest
    @CsvSource({"1", "1/", "a/b", "1/2/3", "-1/2"})
    void whatIsNoTermIsRefused(String text) {
        assertThrows(IllegalArgumentException.class, () -> Term.parse(text));
    }
}
