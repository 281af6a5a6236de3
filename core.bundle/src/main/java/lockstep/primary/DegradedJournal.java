package lockstep.primary;

import java.io.IOException;
import java.util.Optional;
import java.util.function.Predicate;
import lockstep.commit.DegradedLog;
import lockstep.commit.DegradedMode;
import lockstep.commit.DegradedPeriod;
import lockstep.commit.StandbyProgress;
import lockstep.commit.SynchronousConfig.DegradeTo;
import lockstep.send.WalSenders;
import lockstep.transport.api.Message.DegradedRange;
import lockstep.wal.LogNote;
import lockstep.wal.Wal;

/**
 * Where a primary records its degraded periods: in the log, in the file, and with the standbys, in this order. A standby that
 * is told has a reason not to take over; that there is a reason must not be lost with the primary.
 */
final class DegradedJournal implements DegradedMode.Journal {
    private final Wal wal;
    private final DegradedLog periods;
    private final WalSenders senders;

    DegradedJournal(Wal wal, DegradedLog periods, WalSenders senders) {
        this.wal = wal;
        this.periods = periods;
        this.senders = senders;
    }

    @Override
    public void record(DegradedPeriod period) throws IOException {
        wal.awaitFlushed(LogNote.write(wal, DegradedPeriod.NOTE, period.toString()));
        periods.put(period);
        senders.tell(range(period), isMissing(period));
    }

    /** Those that go on acknowledging every commit lack nothing. */
    private static Predicate<StandbyProgress> isMissing(DegradedPeriod period) {
        boolean othersAreAsked = period.degradedTo().equalsIgnoreCase(DegradeTo.FEWER.name()) && period.isOpen();
        return standby ->
                !(othersAreAsked && standby.isStreaming() && standby.obstacle().isEmpty());
    }

    private static DegradedRange range(DegradedPeriod period) {
        return new DegradedRange(period.startLsn(), period.endLsn(), period.reason());
    }

    /** Returns all that a standby with WAL up to a position lacks, in one range: from the first period to the last. */
    static DegradedRange missing(DegradedLog periods, long standbyEndLsn) {
        Optional<DegradedPeriod> first = Optional.empty();
        DegradedPeriod last = null;
        for (DegradedPeriod period : periods.periods()) {
            if (period.isOpen() || period.endLsn() > standbyEndLsn) {
                first = first.or(() -> Optional.of(period));
                last = period;
            }
        }
        return last == null
                ? DegradedRange.NONE
                : new DegradedRange(first.orElseThrow().startLsn(), last.endLsn(), last.reason());
    }
}
