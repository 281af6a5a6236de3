package lockstep.primary;

import java.io.IOException;
import java.util.List;
import java.util.function.Predicate;
import lockstep.commit.DegradedLog;
import lockstep.commit.DegradedMode;
import lockstep.commit.DegradedPeriod;
import lockstep.commit.StandbyProgress;
import lockstep.commit.SynchronousConfig.DegradeTo;
import lockstep.send.WalSenders;
import lockstep.transport.api.Lsn;
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
        senders.tell(missing(periods, period.startLsn()), isMissing(period));
    }

    /** Those that go on acknowledging every commit lack nothing. */
    private static Predicate<StandbyProgress> isMissing(DegradedPeriod period) {
        boolean othersAreAsked = period.degradedTo().equalsIgnoreCase(DegradeTo.FEWER.name()) && period.isOpen();
        return standby ->
                !(othersAreAsked && standby.isStreaming() && standby.obstacle().isEmpty());
    }

    /**
     * Returns all that a standby with WAL up to a position lacks, in one range: from the first period to the end of all, which is not
     * known while one goes on.
     */
    static DegradedRange missing(DegradedLog periods, long standbyEndLsn) {
        List<DegradedPeriod> lacking = periods.periods().stream()
                .filter(period -> period.isOpen() || period.endLsn() > standbyEndLsn)
                .toList();
        if (lacking.isEmpty()) {
            return DegradedRange.NONE;
        }
        boolean goesOn = lacking.stream().anyMatch(DegradedPeriod::isOpen);
        return new DegradedRange(
                lacking.stream().mapToLong(DegradedPeriod::startLsn).min().orElseThrow(),
                goesOn
                        ? Lsn.INVALID
                        : lacking.stream()
                                .mapToLong(DegradedPeriod::endLsn)
                                .max()
                                .orElseThrow(),
                lacking.get(lacking.size() - 1).reason());
    }
}
