package lockstep.recovery;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import lockstep.transport.api.Epoch;
import lockstep.transport.api.MessageCodec;
import org.junit.jupiter.api.Test;

class EpochsTest {
    @Test
    void aForkForgetsEpochsThatBeginFurtherOnAndGivesTheirNumbersToNobody() {
        Epochs known = Epochs.parse("1@0/100, 4@0/200, 5@0/400");
        assertEquals("1@0/100, 4@0/200, 6@0/300", known.fork(0x300, 0).toString());
        assertEquals("1@0/100, 4@0/200, 5@0/400, 6@0/400", known.fork(0x400, 0).toString());
        assertEquals(0x300, known.fork(0x300, 0).sharedLsn(known), "what the old primary has past the fork is its own");
    }

    @Test
    void twoCopiesOfALogThatAreStartedAtDifferentMomentsOpenDifferentEpochs() {
        Epochs log = Epochs.first(0x100);
        Set<Integer> numbers = new HashSet<>();
        for (int moment = 0; moment < 1000; moment++) {
            Epochs next = log.next(0x200, 812_345_678_000_000L + moment);
            assertTrue(next.continues(log));
            numbers.add(next.last().number());
        }
        assertTrue(numbers.size() > 990, numbers::toString);
    }

    @Test
    void numbersRiseForAsManyEpochsAsAMessageCanHold() {
        Epochs log = Epochs.first(0);
        int last = 1;
        for (int i = 1; i < MessageCodec.MAX_EPOCHS; i++) {
            last = new Epochs(List.of(new Epoch(last, i))).next(i + 1, i).last().number();
        }
        assertTrue(last > log.last().number());
    }
}
