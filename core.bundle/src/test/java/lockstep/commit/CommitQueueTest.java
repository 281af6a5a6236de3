package lockstep.commit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import lockstep.commit.StandbyNames.Method;
import lockstep.io.Clock;
import lockstep.io.FileDisk;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CommitQueueTest {
    /** A store that writes down what it is told. */
    private static final class Store implements Visibility {
        private final List<Long> settled = new ArrayList<>();
        private final List<Long> early = new ArrayList<>();
        private int published;

        @Override
        public void settle(PendingCommit commit) {
            settled.add(commit.lsn());
        }

        @Override
        public void releaseEarly(PendingCommit commit) {
            early.add(commit.lsn());
        }

        @Override
        public void publish() {
            published++;
        }
    }

    private final Map<CommitLevel, Long> released = new EnumMap<>(CommitLevel.class);
    private final Store store = new Store();

    @TempDir
    private Path directory;

    private CommitQueue queue;

    @BeforeEach
    void start() throws IOException {
        queue = new CommitQueue(
                level -> released.getOrDefault(level, 0L),
                Clock.SYSTEM,
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                marks(1));
    }

    private ReleaseMarks marks(int epoch) throws IOException {
        ReleaseMarks marks = new ReleaseMarks(new FileDisk(directory), 1, number -> number == 1 ? Long.MAX_VALUE : 0);
        marks.beginEpoch(epoch, Long.MAX_VALUE);
        return marks;
    }

    private PendingCommit join(CommitLevel level, long lsn) {
        PendingCommit commit = new PendingCommit(store);
        queue.join(commit, level, lsn - 50, lsn);
        return commit;
    }

    private void release(CommitLevel level, long lsn) {
        released.put(level, lsn);
        queue.release();
    }

    @Test
    void oneReleaseFreesThePrefixAndNobodyBeyondIt() {
        PendingCommit before = join(CommitLevel.ON, 100);
        PendingCommit at = join(CommitLevel.ON, 200);
        PendingCommit beyond = join(CommitLevel.ON, 300);
        release(CommitLevel.ON, 200);
        assertTrue(before.isReleased());
        assertTrue(at.isReleased());
        assertFalse(beyond.isReleased());
        assertEquals(List.of(100L, 200L), store.settled);
        assertEquals(1, store.published, "a batch is published once");
    }

    @Test
    void aLocalCommitOvertakesOneThatWaitsForAStandbyAndSettlesAfterIt() {
        PendingCommit remote = join(CommitLevel.ON, 100);
        PendingCommit local = join(CommitLevel.LOCAL, 200);
        release(CommitLevel.LOCAL, 200);
        assertTrue(local.isReleased());
        assertFalse(remote.isReleased());
        assertEquals(List.of(200L), store.early);
        assertEquals(List.of(), store.settled);
        assertEquals(50, queue.settledLsn(1000), "redo must start where the waiting commit begins");
        release(CommitLevel.ON, 100);
        assertEquals(List.of(100L, 200L), store.settled);
        assertEquals(1000, queue.settledLsn(1000));
    }

    @Test
    void whoAsksInTheMiddleOfAReleaseIsNotToldThatAllIsSettled() {
        List<Long> seen = new ArrayList<>();
        Visibility asking = new Visibility() {
            @Override
            public void settle(PendingCommit commit) {
                seen.add(queue.settledLsn(1000));
            }

            @Override
            public void releaseEarly(PendingCommit commit) {}

            @Override
            public void publish() {
                seen.add(queue.settledLsn(1000));
            }
        };
        for (long lsn = 100; lsn <= 300; lsn += 100) {
            queue.join(new PendingCommit(asking), CommitLevel.ON, lsn - 50, lsn);
        }
        release(CommitLevel.ON, 300);
        assertEquals(List.of(50L, 150L, 250L, 1000L), seen);
    }

    @Test
    void aReleasedPositionNeverGoesBack() {
        release(CommitLevel.ON, 500);
        release(CommitLevel.ON, 0);
        PendingCommit commit = join(CommitLevel.ON, 400);
        queue.release();
        assertTrue(commit.isReleased());
    }

    @Test
    void aCommitAtOffIsVisibleWithTheLocalFlush() {
        PendingCommit commit = join(CommitLevel.OFF, 100);
        commit.acknowledge();
        assertTrue(commit.isAcknowledged());
        assertEquals(List.of(), store.settled);
        release(CommitLevel.LOCAL, 100);
        assertTrue(commit.isReleased());
        assertEquals(List.of(100L), store.settled);
    }

    @Test
    void tenThousandWaitingThreadsAndStagesAreReleasedInOrder() throws InterruptedException {
        int stages = 10_000;
        int threads = 200;
        List<Long> order = new ArrayList<>();
        List<PendingCommit> blocking = new ArrayList<>();
        for (int i = 1; i <= stages; i++) {
            PendingCommit commit = join(CommitLevel.ON, i * 100L);
            commit.completion().thenAccept(done -> order.add(done.lsn()));
            if (i % (stages / threads) == 0) {
                blocking.add(commit);
            }
        }
        CountDownLatch woken = new CountDownLatch(threads);
        for (PendingCommit commit : blocking) {
            Thread thread = new Thread(
                    () -> {
                        try {
                            if (commit.await(TimeUnit.MINUTES.toNanos(1))) {
                                woken.countDown();
                            }
                        } catch (InterruptedException e) {
                            Thread.currentThread().interrupt();
                        }
                    },
                    "waiter");
            thread.start();
        }
        Random random = new Random(1);
        for (long lsn = 0; lsn < stages * 100L; lsn += random.nextInt(5000)) {
            release(CommitLevel.ON, lsn);
        }
        release(CommitLevel.ON, stages * 100L);
        assertEquals(stages, order.size());
        assertEquals(order.stream().sorted().toList(), order);
        assertTrue(woken.await(1, TimeUnit.MINUTES));
    }

    @Test
    void aTimeoutEndsTheWaitAndNotTheCommit() throws InterruptedException {
        PendingCommit commit = join(CommitLevel.ON, 100);
        assertFalse(commit.await(1));
        release(CommitLevel.ON, 100);
        assertTrue(commit.isReleased());
        assertEquals(List.of(100L), store.settled);
    }

    @Test
    void anInterruptionEndsTheWaitAndNotTheCommit() {
        PendingCommit commit = join(CommitLevel.ON, 100);
        Thread.currentThread().interrupt();
        assertThrows(InterruptedException.class, () -> commit.await(TimeUnit.MINUTES.toNanos(1)));
        assertEquals(1, waitersAt(CommitLevel.ON));
        release(CommitLevel.ON, 100);
        assertEquals(List.of(100L), store.settled);
    }

    @Test
    void whoGivesUpIsInDoubtUntilTheCommitIsReleased() throws InterruptedException {
        PendingCommit timedOut = join(CommitLevel.ON, 100);
        PendingCommit cancelled = join(CommitLevel.ON, 200);
        assertEquals(
                new CommitOutcome.InDoubt("it waits to be as safe as on says"),
                timedOut.outcome(),
                "nobody has given up yet");
        assertFalse(timedOut.await(1));
        assertEquals(new CommitOutcome.InDoubt("the client's wait timed out"), timedOut.outcome());
        cancelled.cancel();
        assertFalse(cancelled.await(TimeUnit.DAYS.toNanos(1)));
        assertEquals(new CommitOutcome.InDoubt("the client cancelled the wait"), cancelled.outcome());
        assertEquals(List.of(), store.settled, "invisible to everyone");
        release(CommitLevel.ON, 200);
        assertEquals(List.of(100L, 200L), store.settled);
        assertEquals(new CommitOutcome.Replicated(CommitLevel.ON), timedOut.outcome());
        assertEquals(new CommitOutcome.Replicated(CommitLevel.ON), cancelled.outcome());
    }

    @Test
    void cancelWakesTheClientThatWaits() throws InterruptedException {
        PendingCommit commit = join(CommitLevel.ON, 100);
        CountDownLatch returned = new CountDownLatch(1);
        Thread client = new Thread(
                () -> {
                    try {
                        if (!commit.await(TimeUnit.DAYS.toNanos(1))) {
                            returned.countDown();
                        }
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                },
                "client");
        client.start();
        commit.cancel();
        assertTrue(returned.await(1, TimeUnit.MINUTES));
    }

    @Test
    void byHandCommitsGoAsFarAsTheyAreOnTheDiskAndAreToldThatTheyAreLocalOnly() {
        PendingCommit first = join(CommitLevel.ON, 100);
        PendingCommit second = join(CommitLevel.REMOTE_APPLY, 200);
        PendingCommit unflushed = join(CommitLevel.ON, 300);
        PendingCommit beyond = join(CommitLevel.ON, 400);
        released.put(CommitLevel.ON, 100L);
        released.put(CommitLevel.LOCAL, 200L);
        queue.releaseByHand(300);
        assertEquals(new CommitOutcome.Replicated(CommitLevel.ON), first.outcome(), "it has what it asked for");
        assertEquals(new CommitOutcome.LocalOnly("an operator has released it by hand"), second.outcome());
        assertFalse(unflushed.isReleased());
        release(CommitLevel.LOCAL, 400);
        assertTrue(unflushed.isReleased());
        assertFalse(beyond.isReleased());
        assertTrue(queue.isReleased(200, 400));
        assertFalse(queue.isReleased(400, 400));
        assertFalse(queue.isReleased(500, 400));
    }

    @Test
    void aCommitIsToldWhatItGotWhateverTheRuleByWhichItWasReleased() throws IOException {
        FakeStandby standby = new FakeStandby("a").at(300, 200, 100);
        StandbyPolicy policy =
                new StandbyPolicy(() -> 400, () -> new StandbyProgress[] {standby}, StandbyNames.parse("a"), 0);
        policy.lower(
                policy.names(),
                1,
                Method.FIRST,
                CommitLevel.REMOTE_WRITE,
                0,
                Long.MAX_VALUE,
                "degraded to remote_write");
        queue = new CommitQueue(new Fence(policy), Clock.SYSTEM, (message, cause) -> {}, marks(1));
        PendingCommit flushed = join(CommitLevel.ON, 200);
        PendingCommit written = join(CommitLevel.REMOTE_WRITE, 250);
        PendingCommit unflushed = join(CommitLevel.ON, 300);
        PendingCommit unwritten = join(CommitLevel.REMOTE_WRITE, 350);
        queue.release();
        assertEquals(new CommitOutcome.Replicated(CommitLevel.ON), flushed.outcome());
        assertEquals(new CommitOutcome.Replicated(CommitLevel.REMOTE_WRITE), written.outcome());
        assertEquals(new CommitOutcome.LocalOnly("degraded to remote_write"), unflushed.outcome());
        assertFalse(unwritten.isReleased());
        assertEquals(List.of(200L, 250L, 300L), store.settled);
    }

    @Test
    void whoWaitsIsToldAtOnceThatAFenceHasGoneUpAndNothingIsReleasedAnyMore() throws Exception {
        Fence fence = new Fence(level -> level == CommitLevel.LOCAL ? 100 : 0);
        queue = new CommitQueue(fence, Clock.SYSTEM, (message, cause) -> {}, marks(1));
        PendingCommit local = join(CommitLevel.LOCAL, 100);
        PendingCommit waiting = join(CommitLevel.ON, 200);
        queue.release();
        assertFalse(waiting.isAbandoned());
        fence.raise("there is another primary");
        PendingCommit late = join(CommitLevel.LOCAL, 300);
        queue.release();
        assertTrue(local.isReleased(), "what was released stays so");
        assertFalse(waiting.await(TimeUnit.MINUTES.toNanos(1)));
        assertEquals(new CommitOutcome.InDoubt("there is another primary"), waiting.outcome());
        assertFalse(late.await(TimeUnit.MINUTES.toNanos(1)));
        assertEquals(waiting.outcome(), late.outcome());
    }

    @Test
    void whoAsksIsToldOfACommitReleasedBeforeAnEarlierOne() {
        join(CommitLevel.ON, 100);
        join(CommitLevel.LOCAL, 200);
        release(CommitLevel.LOCAL, 200);
        assertFalse(queue.isReleased(100, 200));
        assertTrue(queue.isReleased(200, 200));
        release(CommitLevel.ON, 200);
        assertTrue(queue.isReleased(100, 200));
    }

    private long waitersAt(CommitLevel level) {
        return Stream.of(queue.waiting())
                .filter(waiting -> waiting.level() == level)
                .mapToLong(CommitQueue.Waiting::waiters)
                .sum();
    }

    @Test
    void whatWasReleasedIsRememberedByLevelBeforeItIsVisible() throws IOException {
        List<Long> remembered = new ArrayList<>();
        Visibility asking = new Visibility() {
            @Override
            public void settle(PendingCommit commit) {}

            @Override
            public void releaseEarly(PendingCommit commit) {}

            @Override
            public void publish() {
                try (ReleaseMarks asOnDisk = marks(1)) {
                    remembered.add(asOnDisk.releasedLsn(CommitLevel.REMOTE_WRITE));
                    remembered.add(asOnDisk.releasedLsn(CommitLevel.ON));
                } catch (IOException e) {
                    throw new AssertionError(e);
                }
            }
        };
        queue.join(new PendingCommit(asking), CommitLevel.ON, 50, 100);
        queue.join(new PendingCommit(asking), CommitLevel.REMOTE_WRITE, 150, 200);
        queue.join(new PendingCommit(asking), CommitLevel.ON, 250, 300);
        released.put(CommitLevel.ON, 120L);
        release(CommitLevel.REMOTE_WRITE, 230);
        assertEquals(List.of(230L, 120L), remembered);
    }

    @Test
    void whatWasReleasedBeforeARestartIsReleasedAtOnceAndTheRestWaits() throws IOException {
        join(CommitLevel.ON, 100);
        release(CommitLevel.ON, 100);
        released.clear();
        start();
        PendingCommit before = new PendingCommit(store);
        PendingCommit after = new PendingCommit(store);
        queue.rejoin(before, CommitLevel.ON, 50, 100);
        queue.rejoin(after, CommitLevel.ON, 150, 200);
        queue.release();
        assertTrue(before.isReleased());
        assertFalse(after.isReleased());
    }

    @Test
    void marksOfAnEpochThatThisLogDoesNotHaveCountForNothing() throws IOException {
        try (ReleaseMarks other = marks(7)) {
            other.setSettled(500);
            other.write();
        }
        try (ReleaseMarks marks = marks(1)) {
            assertEquals(0, marks.settledLsn());
        }
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void whateverIsReleasedWhenCommitsSettleInLogOrder(long seed) {
        Random random = new Random(seed);
        CommitLevel[] levels = CommitLevel.values();
        int commits = 2000;
        List<PendingCommit> all = new ArrayList<>();
        for (int i = 1; i <= commits; i++) {
            all.add(join(levels[random.nextInt(levels.length)], i * 10L));
            if (random.nextInt(10) == 0) {
                CommitLevel level = levels[1 + random.nextInt(levels.length - 1)];
                release(level, Math.max(released.getOrDefault(level, 0L), random.nextInt(i * 10)));
                long firstWaiting = all.stream()
                        .filter(commit -> !commit.isReleased())
                        .mapToLong(PendingCommit::lsn)
                        .findFirst()
                        .orElse(Long.MAX_VALUE);
                assertTrue(store.settled.stream().allMatch(lsn -> lsn < firstWaiting));
            }
        }
        for (CommitLevel level : levels) {
            release(level, commits * 10L);
        }
        assertTrue(all.stream().allMatch(PendingCommit::isReleased));
        assertEquals(all.stream().map(PendingCommit::lsn).toList(), store.settled);
    }
}
