package lockstep.recovery;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class EpochsTest {
    @Test
    void aForkForgetsEpochsThatBeginFurtherOnAndGivesTheirNumbersToNobody() {
        Epochs known = Epochs.parse("1@0/100, 4@0/200, 5@0/400");
        assertEquals("1@0/100, 4@0/200, 6@0/300", known.fork(0x300).toString());
        assertEquals("1@0/100, 4@0/200, 5@0/400, 6@0/400", known.fork(0x400).toString());
        assertEquals(0x300, known.fork(0x300).sharedLsn(known), "what the old primary has past the fork is its own");
    }
}
