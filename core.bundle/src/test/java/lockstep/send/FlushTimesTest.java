package lockstep.send;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FlushTimesTest {
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    private final FlushTimes times = new FlushTimes();

    @Test
    void whoHasAllIsNotBehindHoweverLongAgoThatWas() {
        times.flushed(100, 5 * SECOND);
        assertEquals(0, times.microsBehind(100, 1000 * SECOND));
        assertEquals(0, times.microsBehind(101, 1000 * SECOND));
    }

    @Test
    void whoLacksSomethingHasLackedItSinceItWasFlushed() {
        times.flushed(100, 0);
        times.flushed(200, 10 * SECOND);
        times.flushed(300, 20 * SECOND);
        assertEquals(20_000_000, times.microsBehind(100, 30 * SECOND));
        assertEquals(10_000_000, times.microsBehind(200, 30 * SECOND));
        assertEquals(10_000_000, times.microsBehind(299, 30 * SECOND));
        assertEquals(70_000_000, times.microsBehind(299, 90 * SECOND));
    }

    @Test
    void whatIsCutOffWasNeverThere() {
        times.flushed(100, 0);
        times.flushed(200, 10 * SECOND);
        times.flushed(150, 20 * SECOND);
        assertEquals(0, times.microsBehind(150, 30 * SECOND));
        times.flushed(250, 40 * SECOND);
        assertEquals(10_000_000, times.microsBehind(150, 50 * SECOND));
    }

    /** A year of flushes of any pace, looked back on from its end. */
    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void anAgeIsRightToAPartOfItselfAndNeverTooLong(long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        int count = 200_000;
        long[] at = new long[count];
        long now = 0;
        for (int i = 0; i < count; i++) {
            now += 1 + (long) (10_000 * Math.pow(10, random.nextInt(8) * random.nextDouble()));
            at[i] = now;
            times.flushed(i + 1, now);
        }
        now += 1_000;
        for (int i = 0; i < count; i++) {
            long age = (now - at[i]) / 1000;
            long told = times.microsBehind(i, now);
            assertTrue(told <= age, () -> told + " us is longer than " + age);
            assertTrue(told >= age - age / 16 - 1, () -> told + " us is much less than " + age);
        }
    }
}
