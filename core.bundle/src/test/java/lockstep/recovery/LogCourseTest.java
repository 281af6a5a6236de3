package lockstep.recovery;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import lockstep.commit.CommitPosition;
import lockstep.commit.CommitStatus;
import lockstep.transport.api.Epoch;
import lockstep.wal.TimelineHistory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LogCourseTest {
    /** Epoch 1 up to 0x2000, epoch 2 up to 0x3000, where the standby was promoted: timeline 2 and epoch 3. */
    private static final LogCourse PROMOTED = new LogCourse(
            TimelineHistory.of(1).fork(0x3000, 2, "promoted"),
            new Epochs(List.of(new Epoch(1, 0x1000), new Epoch(2, 0x2000), new Epoch(3, 0x3000))));

    @ParameterizedTest(name = "{0}, released {1}: {2}")
    @CsvSource({
        // The ancestors' part of the log.
        "1/1/0/1800, true, COMMITTED",
        "1/1/0/2000, true, COMMITTED",
        "1/2/0/3000, true, COMMITTED",
        "1/2/0/2800, false, IN_DOUBT",
        // Lost in the crash that ended epoch 1, or with the old primary.
        "1/1/0/2008, true, LOST",
        "1/2/0/3008, true, LOST",
        "1/2/0/3008, false, LOST",
        // The old primary went on alone in an epoch whose number the promotion used as well.
        "1/3/0/2800, true, LOST",
        "1/3/0/3800, true, LOST",
        // The present timeline.
        "2/3/0/3800, true, COMMITTED",
        "2/3/0/3800, false, IN_DOUBT",
        // Newer than what this server has heard of, where it has nothing; and where it has something else.
        "3/4/0/4800, false, IN_DOUBT",
        "2/4/0/4800, false, IN_DOUBT",
        "3/4/0/3800, true, IN_DOUBT",
        "2/4/0/3800, true, LOST",
        "0/4/0/3800, true, IN_DOUBT",
        // A bare position.
        "0/0/0/2800, true, COMMITTED",
        "0/0/0/9000, false, IN_DOUBT",
    })
    void aServerTellsWhatHasBecomeOfACommit(String position, boolean released, CommitStatus expected) {
        assertEquals(expected, PROMOTED.status(CommitPosition.parse(position), released));
    }

    @ParameterizedTest(name = "{0}: {1}")
    @CsvSource(
            delimiter = '|',
            value = {
                "3/4/0/4800 | this log has no timeline 3, its newest is 2: a server that has it can tell",
                "2/4/0/4800 | this log has no epoch 4, its newest is 3: a server that has it can tell",
                "1/2/0/3008 | this log left timeline 1 at 0/3000",
                "1/1/0/2008 | epoch 1 of this log begins at 0/1000 and ends at 0/2000",
                "2/3/0/3800 | ''",
            })
    void whereALogCannotHaveTheCommitTheAnswerSaysWhy(String position, String reason) {
        assertEquals(
                reason, PROMOTED.answer(CommitPosition.parse(position), false).reason());
    }

    @ParameterizedTest
    @CsvSource({"1008, 1/1/0/1008", "2000, 1/1/0/2000", "2008, 1/2/0/2008", "3000, 1/2/0/3000", "3008, 2/3/0/3008"})
    void aPositionNamesTheTimelineAndTheEpochOfTheRecordThatEndsThere(String lsn, String text) {
        CommitPosition position = PROMOTED.position(Long.parseLong(lsn, 16));
        assertEquals(text, position.toString());
        assertEquals(position, CommitPosition.parse(text));
    }

    @Test
    void aBareLsnIsAPositionWithoutTimelineAndEpoch() {
        assertEquals(new CommitPosition(0, 0, 0x16_B374_D848L), CommitPosition.parse("16/B374D848"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "1", "1/2/3", "a/1/0/1000", "1/1/0/x", "1/2/3/4/5"})
    void whatIsNoPositionIsRefused(String text) {
        assertThrows(IllegalArgumentException.class, () -> CommitPosition.parse(text));
    }
}
