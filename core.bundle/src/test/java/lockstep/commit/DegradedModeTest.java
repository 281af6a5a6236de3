package lockstep.commit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import lockstep.commit.DegradedMode.State;
import lockstep.commit.SynchronousConfig.DegradeTo;
import lockstep.commit.SynchronousConfig.Exhausted;
import lockstep.commit.SynchronousConfig.Unavailable;
import lockstep.io.Clock;
import lockstep.io.Step;
import org.junit.jupiter.api.Test;

class DegradedModeTest {
    private static final long TIMEOUT_MS = 10_000;
    private static final long RETURN_MS = 1_000;

    private final FakeStandby a = new FakeStandby("a").at(1000);
    private final FakeStandby b = new FakeStandby("b").at(1000);
    private final List<DegradedPeriod> journal = new ArrayList<>();
    private final List<State> states = new ArrayList<>();
    private StandbyProgress[] standbys = {a, b};
    private long localLsn = 1000;
    private long nanos = 5;
    private boolean journalFails;
    private int released;

    private final Clock clock = new Clock() {
        @Override
        public long nanos() {
            return nanos;
        }

        @Override
        public long micros() {
            return 1 + nanos / 1000;
        }
    };

    private StandbyPolicy policy;
    private DegradedMode mode;

    private static SynchronousConfig config(String names, Unavailable unavailable) {
        return config(names, unavailable, DegradeTo.LOCAL, 1, 0, 0, Exhausted.HANG);
    }

    private static SynchronousConfig config(
            String names,
            Unavailable unavailable,
            DegradeTo to,
            int minCopies,
            long maxMs,
            long maxWal,
            Exhausted exhausted) {
        return new SynchronousConfig(
                StandbyNames.parse(names),
                unavailable,
                TimeUnit.MILLISECONDS.toNanos(TIMEOUT_MS),
                to,
                minCopies,
                TimeUnit.MILLISECONDS.toNanos(maxMs),
                maxWal,
                exhausted,
                TimeUnit.MILLISECONDS.toNanos(RETURN_MS));
    }

    private void start(SynchronousConfig config, DegradedPeriod... open) {
        policy = new StandbyPolicy(() -> localLsn, () -> standbys, config.names(), 0);
        mode = new DegradedMode(
                policy,
                config,
                1,
                Optional.ofNullable(open.length == 0 ? null : open[0]),
                this::record,
                this::release,
                clock);
        mode.addListener(transition -> states.add(transition.to()));
        look();
    }

    private void record(DegradedPeriod period) throws IOException {
        if (journalFails) {
            throw new IOException("No space left on device");
        }
        journal.add(period);
    }

    private void release() {
        released++;
    }

    /** Has the worker look for as long as it wants to, at this moment. */
    private long look() {
        long next = mode.run();
        while (next == Step.AGAIN) {
            next = mode.run();
        }
        return next;
    }

    /** Lets time pass, and the worker look when it asked to. */
    private void pass(long ms) {
        long end = nanos + TimeUnit.MILLISECONDS.toNanos(ms);
        while (true) {
            long next = look();
            if (next == Step.UNTIL_WOKEN || nanos + next > end) {
                nanos = end;
                look();
                return;
            }
            nanos += next;
        }
    }

    private void write(long lsn) {
        localLsn = lsn;
        policy.releasedLsn(CommitLevel.ON);
    }

    private long releasedLsn() {
        return policy.releasedLsn(CommitLevel.ON);
    }

    private void allLeave() {
        a.streaming = false;
        b.streaming = false;
        look();
    }

    @Test
    void hangWaitsForEver() {
        start(config("*", Unavailable.HANG));
        allLeave();
        write(2000);
        pass(TimeUnit.DAYS.toMillis(1));
        assertEquals(State.WAITING, mode.state());
        assertEquals(0, releasedLsn());
        a.streaming = true;
        a.at(2000);
        look();
        assertEquals(State.NORMAL, mode.state());
        assertEquals(List.of(), journal);
    }

    @Test
    void waitDegradesAfterTheTimeAndNotBefore() {
        start(config("*", Unavailable.WAIT));
        releasedLsn();
        allLeave();
        write(2000);
        pass(TIMEOUT_MS - 1);
        assertEquals(State.WAITING, mode.state());
        assertEquals(1000, mode.status().nextInMicros());
        assertEquals(0, releasedLsn());
        pass(1);
        assertEquals(State.DEGRADED, mode.state());
        assertEquals(2000, releasedLsn());
        assertTrue(policy.outcome(CommitLevel.ON) instanceof CommitOutcome.LocalOnly);
        assertEquals(1, journal.size());
        assertEquals(1000, journal.get(0).startLsn(), "up to there the standby had it");
        assertTrue(journal.get(0).isOpen());
        assertEquals(1000, mode.status().bytesAtRisk());
        assertTrue(released > 0, "those that wait are released");
    }

    @Test
    void whoComesBackInTimeKeepsTheServerFromDegrading() {
        start(config("*", Unavailable.WAIT));
        allLeave();
        pass(TIMEOUT_MS - 1);
        b.streaming = true;
        look();
        assertEquals(State.NORMAL, mode.state());
        pass(TIMEOUT_MS);
        assertEquals(List.of(State.WAITING, State.NORMAL), states);
    }

    @Test
    void degradeDoesSoAtOnce() {
        start(config("ANY 2 (a, b)", Unavailable.DEGRADE));
        a.streaming = false;
        look();
        assertEquals(State.DEGRADED, mode.state());
    }

    @Test
    void oneThatLeavesInGoodOrderIsNotWaitedFor() {
        start(config("FIRST 2 (a, b)", Unavailable.WAIT));
        mode.leaving();
        look();
        assertEquals(State.NORMAL, mode.state());
        a.obstacle = "LEAVING: it is being stopped";
        look();
        assertEquals(State.DEGRADED, mode.state());
    }

    @Test
    void whereAnotherTakesOverALeaveChangesNothing() {
        start(config("a, b", Unavailable.WAIT));
        mode.leaving();
        a.streaming = false;
        look();
        assertEquals(State.NORMAL, mode.state());
        assertEquals(1000, releasedLsn());
    }

    @Test
    void standbysThatLiveAndMakeNoProgressAreNotWaitedForEither() {
        start(config("a", Unavailable.WAIT));
        write(2000);
        pass(2 * TIMEOUT_MS);
        assertEquals(State.DEGRADED, mode.state());
        assertTrue(journal.get(0).reason().contains("alive"), journal.get(0).reason());
        pass(TIMEOUT_MS);
        assertEquals(List.of(State.DEGRADED), states, "it is not back before it has caught up");
        a.at(2000);
        pass(RETURN_MS);
        assertEquals(State.NORMAL, mode.state());
    }

    @Test
    void slowProgressIsProgress() {
        start(config("a", Unavailable.WAIT));
        for (int i = 0; i < 100; i++) {
            write(localLsn + 100);
            pass(TIMEOUT_MS / 3);
            a.at(localLsn);
        }
        assertEquals(List.of(), states);
    }

    @Test
    void degradedModeIsLeftWhenTheStandbysHaveCaughtUpForAWhile() {
        start(config("FIRST 2 (a, b)", Unavailable.DEGRADE));
        allLeave();
        write(5000);
        pass(10 * RETURN_MS);
        assertEquals(State.DEGRADED, mode.state());
        a.streaming = true;
        b.streaming = true;
        look();
        a.at(5000);
        pass(10 * RETURN_MS);
        assertEquals(State.RETURNING, mode.state(), "b has not caught up");
        write(6000);
        assertEquals(6000, releasedLsn(), "they are not asked yet");
        a.at(6000);
        b.at(6000);
        pass(RETURN_MS);
        assertEquals(State.NORMAL, mode.state());
        write(7000);
        assertEquals(6000, releasedLsn());
        assertEquals(new CommitOutcome.Replicated(CommitLevel.ON), policy.outcome(CommitLevel.ON));
        assertEquals(2, journal.size());
        assertTrue(journal.get(1).isSame(journal.get(0)));
        assertEquals(6000, journal.get(1).endLsn());
        assertEquals(List.of(State.DEGRADED, State.RETURNING, State.NORMAL), states);
    }

    @Test
    void whoComesBackOnlyForAMomentDoesNotEndIt() {
        start(config("a", Unavailable.DEGRADE));
        a.streaming = false;
        look();
        for (int i = 0; i < 10; i++) {
            a.streaming = true;
            pass(RETURN_MS / 2);
            a.streaming = false;
            pass(RETURN_MS / 2);
        }
        assertEquals(State.DEGRADED, mode.state());
        assertEquals(1, journal.size());
    }

    @Test
    void fewerAsksThoseThatAreLeft() {
        start(config("FIRST 2 (a, b)", Unavailable.DEGRADE, DegradeTo.FEWER, 1, 0, 0, Exhausted.HANG));
        a.streaming = false;
        look();
        write(2000);
        assertEquals(1000, releasedLsn(), "b is asked");
        b.at(2000);
        assertEquals(2000, releasedLsn());
        b.streaming = false;
        look();
        write(3000);
        assertEquals(3000, releasedLsn(), "nobody is left");
    }

    @Test
    void fewerDoesNotAskOneThatMakesNoProgress() {
        start(config("FIRST 2 (a, b)", Unavailable.WAIT, DegradeTo.FEWER, 1, 0, 0, Exhausted.HANG));
        write(2000);
        b.at(2000);
        pass(2 * TIMEOUT_MS);
        assertEquals(State.DEGRADED, mode.state());
        assertEquals(2000, releasedLsn());
    }

    @Test
    void neverAreThereFewerCopiesThanMinCopies() {
        start(config("FIRST 2 (a, b)", Unavailable.DEGRADE, DegradeTo.LOCAL, 2, 0, 0, Exhausted.HANG));
        a.streaming = false;
        look();
        write(2000);
        assertEquals(State.DEGRADED, mode.state());
        assertEquals(1000, releasedLsn());
        b.at(2000);
        assertEquals(2000, releasedLsn());
        b.streaming = false;
        write(3000);
        pass(TIMEOUT_MS);
        assertEquals(0, releasedLsn());
    }

    @Test
    void pastTheLongestTimeNewCommitsWait() {
        start(config("a", Unavailable.DEGRADE, DegradeTo.LOCAL, 1, 5_000, 0, Exhausted.HANG));
        a.streaming = false;
        look();
        write(2000);
        pass(4_999);
        assertEquals(2000, releasedLsn());
        pass(1);
        assertEquals(State.EXHAUSTED, mode.state());
        assertEquals(0, releasedLsn());
        assertEquals(Optional.empty(), policy.refusal(CommitLevel.ON));
        write(3000);
        a.streaming = true;
        a.at(3000);
        pass(RETURN_MS);
        assertEquals(State.NORMAL, mode.state());
        assertEquals(2000, journal.get(1).endLsn(), "what came later had its copies");
    }

    @Test
    void pastTheMostWalNewCommitsFailAndNothingPastItIsReleased() {
        start(config("a", Unavailable.DEGRADE, DegradeTo.LOCAL, 1, 0, 500, Exhausted.FAIL));
        releasedLsn();
        a.streaming = false;
        look();
        write(1400);
        assertEquals(1400, releasedLsn());
        write(1800);
        assertEquals(1500, releasedLsn(), "even before the worker looks");
        pass(1_000);
        assertEquals(State.EXHAUSTED, mode.state());
        assertTrue(policy.refusal(CommitLevel.ON).orElseThrow().contains("degraded_exhausted = fail"));
        assertEquals(Optional.empty(), policy.refusal(CommitLevel.LOCAL));
    }

    @Test
    void changesOfTheConfigurationApplyAtOnce() {
        start(config("x", Unavailable.HANG));
        write(2000);
        assertEquals(0, releasedLsn());
        mode.configure(config("a", Unavailable.HANG));
        assertEquals(1000, releasedLsn());
        mode.configure(config("", Unavailable.HANG));
        assertEquals(2000, releasedLsn());
        assertEquals(2, released);
    }

    @Test
    void hangEndsDegradedModeAndSoDoesAskingNobody() {
        start(config("x", Unavailable.DEGRADE));
        assertEquals(State.DEGRADED, mode.state());
        mode.configure(config("x", Unavailable.HANG));
        look();
        assertEquals(State.WAITING, mode.state());
        mode.configure(config("x", Unavailable.DEGRADE));
        look();
        assertEquals(State.DEGRADED, mode.state());
        mode.configure(config("", Unavailable.DEGRADE));
        look();
        assertEquals(State.NORMAL, mode.state());
        assertEquals(4, journal.size());
    }

    @Test
    void withoutARecordNothingIsReleased() {
        start(config("a", Unavailable.DEGRADE));
        journalFails = true;
        a.streaming = false;
        write(2000);
        look();
        assertEquals(State.NORMAL, mode.state());
        assertEquals(0, releasedLsn());
        journalFails = false;
        pass(1_000);
        assertEquals(2000, releasedLsn());
    }

    @Test
    void aServerThatStoppedInDegradedModeGoesOnInIt() {
        nanos = TimeUnit.HOURS.toNanos(1);
        DegradedPeriod open =
                new DegradedPeriod(1, 500, 0, 1 + TimeUnit.MINUTES.toMicros(59), 0, "local", "test", "why");
        a.streaming = false;
        start(config("a", Unavailable.WAIT), open);
        assertEquals(State.DEGRADED, mode.state());
        assertEquals(TimeUnit.MINUTES.toMicros(1), mode.status().forMicros());
        assertEquals(1000, releasedLsn());
        a.streaming = true;
        pass(RETURN_MS);
        assertEquals(State.NORMAL, mode.state());
        assertEquals(open.ended(1000, journal.get(0).endMicros()), journal.get(0));
    }

    @Test
    void aServerThatStoppedInDegradedModeAndIsToHangReleasesNothing() {
        a.streaming = false;
        start(config("a", Unavailable.HANG), new DegradedPeriod(1, 500, 0, 1, 0, "local", "test", "why"));
        assertEquals(0, releasedLsn());
        assertEquals(1, journal.size());
    }
}
