package lockstep.send;

import lockstep.recovery.ControlFile;
import lockstep.recovery.Epochs;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.StartReplication;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;

/**
 * Judges whether a standby that asks for WAL can have it, and from where: both must have the same log, the standby no more
 * of it than this server, and this server still all that the standby lacks. What the standby holds of an epoch past its end
 * is not part of the log; it is told to cut that off. So it is with what it holds of an earlier timeline past the place where
 * this server's log left that. Of an epoch that this log never had only the one who asks can say where it began: it finds the
 * place in the answer, and asks from there, if that may be. A server that is a standby too may have less than one that asks it: who
 * asks tries elsewhere, or later.
 *
 * <p>A standby that has heard of a primary beside this one is refused before all else, and this server told ({@link
 * SendingServer#superseded}); whether the peer may speak for a standby at all has been judged before ({@link Doorman}).
 *
 * <p>A peer that knows no epochs ({@code flushedWalOnly}) needs none: it only ever gets WAL that the primary has flushed, which no
 * crash takes back. It is never cut back either; within a timeline there is nothing to cut, and past the place where this log left
 * the peer's timeline it is refused. Thread-safe.
 */
final class Admission {
    /** What became of a request. */
    sealed interface Answer {}

    /**
     * The standby is sent WAL.
     *
     * @param answer what it is told
     * @param from from where it is sent WAL, and why from there, for people
     */
    record Admitted(ReplicationStarted answer, String from) implements Answer {}

    /** The standby can have no WAL from here. */
    record Refused(Refusal refusal) implements Answer {}

    private final Wal wal;
    private final SendingServer server;

    Admission(Wal wal, SendingServer server) {
        this.wal = wal;
        this.server = server;
    }

    /** @param flushedWalOnly whether the one who asks gets only what the primary has flushed */
    Answer judge(StartReplication asked, boolean flushedWalOnly) {
        ControlFile control = server.control();
        Epochs epochs = control.epochs();
        long endLsn = flushedWalOnly ? server.primaryFlushedLsn() : server.endLsn();
        String standby = "standby \"" + asked.standbyName() + "\"";
        if (asked.systemId() != control.systemId()) {
            return refused(
                    RefusalCode.SYSTEM_MISMATCH,
                    standby + " belongs to system " + Long.toUnsignedString(asked.systemId()) + ", this server to "
                            + Long.toUnsignedString(control.systemId())
                            + ". Give the standby an empty data directory, or the address of its own primary");
        }
        TimelineHistory history = wal.config().identity().history();
        if (control.isForeign(asked.newestTerm())) {
            server.superseded(asked.newestTerm(), standby);
            // A standby may only be late to hear of it.
            return refused(
                    server.isStandby() ? RefusalCode.NOT_READY : RefusalCode.TIMELINE_MISMATCH,
                    standby + " knows of term " + asked.newestTerm()
                            + ", which is none of this server's log: that is of term " + control.term() + " at "
                            + Lsn.text(endLsn));
        }
        if (!history.contains(asked.timeline())) {
            return refused(
                    RefusalCode.TIMELINE_MISMATCH,
                    standby + " is on timeline " + asked.timeline() + " at " + Lsn.text(asked.startLsn())
                            + ", this server at " + Lsn.text(endLsn) + " on " + history);
        }
        long timelineEndLsn = history.endOf(asked.timeline());
        if (flushedWalOnly && asked.startLsn() > timelineEndLsn) {
            return refused(
                    RefusalCode.TIMELINE_MISMATCH,
                    standby + " asks for WAL from " + Lsn.text(asked.startLsn()) + " on timeline " + asked.timeline()
                            + ", which this server's log left at " + Lsn.text(timelineEndLsn) + ": " + history);
        }
        long startLsn = flushedWalOnly
                ? asked.startLsn()
                : Math.min(Math.min(asked.startLsn(), timelineEndLsn), epochs.endOf(asked.epoch(), Long.MAX_VALUE));
        if (!flushedWalOnly && !epochs.contains(asked.epoch())) {
            startLsn = Math.min(startLsn, endLsn);
        }
        if (startLsn > endLsn && server.isStandby()) {
            return refused(
                    RefusalCode.NOT_READY,
                    standby + " has WAL up to " + Lsn.text(startLsn) + ", this server, a standby too, only up to "
                            + Lsn.text(endLsn) + " so far");
        }
        if (startLsn > endLsn) {
            return refused(
                    RefusalCode.START_AHEAD,
                    standby + " has WAL up to " + Lsn.text(startLsn) + ", this server only up to " + Lsn.text(endLsn)
                            + " in the same epoch " + asked.epoch()
                            + ": one of the two is a copy that went its own way");
        }
        long oldestLsn = wal.files().oldestLsn(endLsn);
        if (startLsn < oldestLsn) {
            return refused(
                    RefusalCode.WAL_REMOVED,
                    standby + " needs WAL from " + Lsn.text(startLsn) + ", this server has it from "
                            + Lsn.text(oldestLsn)
                            + ". Run \"rebuild\" on the standby, so that it takes a new base backup");
        }
        return new Admitted(
                new ReplicationStarted(
                        control.systemId(),
                        control.timeline(),
                        control.segmentBytes(),
                        startLsn,
                        server.primaryFlushedLsn(),
                        epochs.list(),
                        history.text()),
                "from " + Lsn.text(startLsn)
                        + (startLsn < asked.startLsn()
                                ? ", cut back from " + Lsn.text(asked.startLsn()) + ": the rest of epoch "
                                        + asked.epoch() + " is not part of this log"
                                : ""));
    }

    private static Refused refused(RefusalCode code, String text) {
        return new Refused(new Refusal(code, text));
    }
}
