package lockstep.primary;

import java.io.IOException;
import java.util.Arrays;
import lockstep.commit.CommitQueue;
import lockstep.commit.DegradedPeriod;
import lockstep.commit.StandbyPolicy;
import lockstep.io.Clock;
import lockstep.transport.api.Lsn;
import lockstep.wal.Wal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Releases commits because an operator says so. What the policy has not seen on standbys may then be on this server only; that is
 * recorded <i>before</i> the release, as a degraded period is, so that no standby which lacks it takes over unasked. Any thread may
 * release; the queue sees to their order.
 */
final class HandRelease {
    private static final Logger log = LoggerFactory.getLogger(HandRelease.class);

    private final int timeline;
    private final Wal wal;
    private final StandbyPolicy policy;
    private final DegradedJournal journal;
    private final CommitQueue queue;
    private final Clock clock;

    HandRelease(int timeline, Wal wal, StandbyPolicy policy, DegradedJournal journal, CommitQueue queue, Clock clock) {
        this.timeline = timeline;
        this.wal = wal;
        this.policy = policy;
        this.journal = journal;
        this.queue = queue;
        this.clock = clock;
    }

    /**
     * Releases what waits up to a position.
     *
     * @return how many commits are released by it
     * @throws IllegalArgumentException if the position is past the end of the log
     */
    long release(long lsn, String operator) throws IOException {
        long endLsn = wal.filledLsn();
        if (lsn > endLsn) {
            throw new IllegalArgumentException(
                    "no commit is released: " + Lsn.text(lsn) + " is past the end of the log at " + Lsn.text(endLsn)
                            + ". Give the position of a commit that waits, as \"queue explain\" shows it");
        }
        record(lsn, operator);
        long before = waiting();
        queue.releaseByHand(lsn);
        long released = Math.max(0, before - waiting());
        log.warn(
                "operator {} has released commits up to {} by hand: {} that waited are on the disk of this server and may be on no"
                        + " other",
                operator,
                Lsn.text(lsn),
                released);
        return released;
    }

    private void record(long lsn, String operator) throws IOException {
        long safeLsn = policy.safeLsn();
        if (lsn > safeLsn) {
            long micros = clock.micros();
            journal.record(new DegradedPeriod(
                    timeline,
                    safeLsn,
                    lsn,
                    micros,
                    micros,
                    "local",
                    operator,
                    "an operator has released commits by hand"));
        }
    }

    private long waiting() {
        return Arrays.stream(queue.waiting())
                .mapToLong(CommitQueue.Waiting::waiters)
                .sum();
    }
}
