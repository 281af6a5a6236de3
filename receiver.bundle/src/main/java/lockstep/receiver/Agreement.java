package lockstep.receiver;

import java.io.IOException;
import java.util.Optional;
import lockstep.recovery.ControlFile;
import lockstep.recovery.ControlStore;
import lockstep.recovery.Epochs;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Term;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalIdentity;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A standby and its primary find out up to where both have the same log, before WAL is accepted. The primary has said who it is and
 * what course its log took ({@link ReplicationStarted}); here that is held against the log of this server, which is cut back if need
 * be, and follows the primary's.
 *
 * <p><b>Cutting back.</b> WAL comes before the primary has flushed it, so a primary that crashed may come back with less
 * than is here, and may have written other WAL at the same positions since. Its answer says where the last byte that both
 * share ends. Then, in this order:
 * <ol>
 *   <li>the WAL is cut back to there, durably;
 *   <li>the primary's epochs are stored in the control file, durably;
 *   <li>WAL is accepted.
 * </ol>
 * Between 1 and 2 a crash leaves WAL that is shorter and still of the old epoch, which is true. Were the epochs stored
 * first, a crash would leave the lost bytes with a claim to be of the new epoch, and the primary would have no means to tell.
 * Were WAL accepted before 2, bytes of the new epoch would pass for bytes of the old one, and be cut back next time though
 * they may have been redone by then.
 *
 * <p><b>Another timeline.</b> The answer also has the history of the primary's timelines. What is here past the place where both
 * histories part is treated as above: cut off, if it may have been lost, or refused. Then the standby follows the newer timeline
 * at once, even if it has not come to the place yet where that begins: from there on the WAL that comes is the new one's, and is
 * checked against that. A server that was a primary itself has agreed with nobody, and no WAL of it is ever cut off without an
 * operator's word ({@link Rewind}); until it agrees, the control file says so by its state.
 *
 * <p>No whole record below what a primary said it had flushed is ever cut: it may have been redone, and its commits may have
 * been acknowledged to clients. A primary that asks for that has lost flushed WAL, or is another one; a person has to decide.
 * A record of which the primary had flushed only a part is lost to it like one that it had not flushed at all; so what it
 * says at the beginning of a session, which may be less than it said before, replaces what was known.
 *
 * <p><b>Without one</b> the primary is refused, or asked anew from an earlier place: either ends the session.
 *
 * <p><b>Threads.</b> Used on the thread of the session that is heard. No lock.
 */
final class Agreement {
    private static final Logger log = LoggerFactory.getLogger(Agreement.class);

    private final ControlStore control;
    private final Wal wal;
    private final WalIdentity identity;
    private final ReceivedLog receivedLog;
    private final ArchivedWal archived;
    private final ContinuousRedo redo;
    private final Upstream upstream;
    private final Downstream downstream;
    private final Rewind rewind;

    /** What course a log took. */
    private record Course(TimelineHistory history, Epochs epochs) {}

    Agreement(
            ControlStore control,
            Wal wal,
            WalIdentity identity,
            ReceivedLog receivedLog,
            ArchivedWal archived,
            ContinuousRedo redo,
            Upstream upstream,
            Downstream downstream,
            Rewind rewind) {
        this.control = control;
        this.wal = wal;
        this.identity = identity;
        this.receivedLog = receivedLog;
        this.archived = archived;
        this.redo = redo;
        this.upstream = upstream;
        this.downstream = downstream;
        this.rewind = rewind;
    }

    /**
     * Comes to terms with a primary that was asked for WAL from the end of the log: cuts off what is here behind the place up to where
     * both are the same, if that may be, and follows the primary's log.
     *
     * @return whether WAL can be accepted
     */
    boolean reach(ReplicationStarted answer) throws IOException {
        Optional<Course> theirs = heard(answer);
        if (theirs.isEmpty() || !cutToShared(answer, theirs.get())) {
            return false;
        }
        follow(theirs.get());
        return true;
    }

    /**
     * Looks whether a primary has the very log that is being received already, so that nothing has to change for it.
     *
     * @param askedLsn from where it was asked for WAL
     * @return whether WAL can be accepted
     */
    boolean holdsFor(ReplicationStarted answer, long askedLsn) throws IOException {
        Optional<Course> theirs = heard(answer);
        if (theirs.isEmpty()) {
            return false;
        }
        Course ours = new Course(identity.history(), control.get().epochs());
        if (!theirs.get().equals(ours) || answer.startLsn() != askedLsn) {
            upstream.end("the log of " + upstream.speaker()
                    + " takes another course, and is asked for anew, without the session before");
            return false;
        }
        return true;
    }

    /** Returns what course the log takes of a primary that may be this server's; empty if it was refused. */
    private Optional<Course> heard(ReplicationStarted answer) throws IOException {
        if (!isOfThisSystem(answer)) {
            return Optional.empty();
        }
        Course theirs;
        try {
            theirs =
                    new Course(TimelineHistory.parse(answer.timeline(), answer.history()), new Epochs(answer.epochs()));
        } catch (IllegalArgumentException e) {
            upstream.refuse(RefusalCode.PROTOCOL, "the primary's timelines or epochs make no sense: " + e.getMessage());
            return Optional.empty();
        }
        heardOf(new Term(answer.timeline(), theirs.epochs().last().number()));
        return Optional.of(theirs);
    }

    private boolean isOfThisSystem(ReplicationStarted answer) {
        ControlFile file = control.get();
        long endLsn = receivedLog.endLsn();
        if (answer.systemId() != file.systemId()) {
            upstream.refuse(
                    RefusalCode.SYSTEM_MISMATCH,
                    "the primary at " + upstream.speaker() + " belongs to system "
                            + Long.toUnsignedString(answer.systemId()) + ", this standby to "
                            + Long.toUnsignedString(file.systemId())
                            + ". Correct primary_conninfo, or give the standby an empty data directory");
        } else if (answer.segmentBytes() != file.segmentBytes()) {
            upstream.refuse(
                    RefusalCode.SYSTEM_MISMATCH,
                    "the primary at " + upstream.speaker() + " has WAL segments of " + answer.segmentBytes()
                            + " bytes, this standby of " + file.segmentBytes());
        } else if (answer.timeline() < file.timeline()) {
            upstream.refuse(
                    RefusalCode.TIMELINE_MISMATCH,
                    "the primary at " + upstream.speaker() + " is on timeline " + answer.timeline()
                            + " and has been replaced: this standby follows timeline " + file.timeline());
        } else if (answer.startLsn() > endLsn || answer.startLsn() < 0) {
            upstream.refuse(
                    RefusalCode.PROTOCOL,
                    "the primary at " + upstream.speaker() + " wants to send WAL from " + Lsn.text(answer.startLsn())
                            + ", this standby asked from " + Lsn.text(endLsn));
        } else {
            return true;
        }
        return false;
    }

    /** Keeps what it has heard of, whatever comes of it: who is asked next shall know. PostgreSQL's servers have no use for it. */
    private void heardOf(Term term) throws IOException {
        ControlFile file = control.get();
        if (!file.format().isPostgres() && file.isForeign(term) && term.compareTo(file.fencedBy()) > 0) {
            control.update(present -> present.fenced(term));
        }
    }

    /**
     * Finds out up to where both logs are the same, and cuts off what is here behind that place, if that may be.
     *
     * @return whether they are the same now up to where the primary begins
     */
    private boolean cutToShared(ReplicationStarted answer, Course theirs) throws IOException {
        ControlFile file = control.get();
        long endLsn = receivedLog.endLsn();
        long forkLsn = Math.min(
                identity.history().sharedLsn(theirs.history()), file.epochs().sharedLsn(theirs.epochs()));
        long keepLsn = Math.min(answer.startLsn(), forkLsn);
        boolean mine = file.state() != ControlFile.State.IN_RECOVERY;
        if (keepLsn < endLsn) {
            if (rewind.isRequested()) {
                if (!rewind(keepLsn, endLsn)) {
                    return false;
                }
            } else if (!mine && keepLsn >= receivedLog.lastSettledLsn()) {
                log.warn(
                        "the WAL is cut back from {} to {}: the rest is not part of the primary's log, and was never flushed"
                                + " by the one it came from",
                        Lsn.text(endLsn),
                        Lsn.text(keepLsn));
                receivedLog.cutBack(keepLsn);
            } else {
                diverged(answer, mine, keepLsn, endLsn);
                return false;
            }
        }
        if (keepLsn < answer.startLsn()) {
            control.update(present -> present.rewound(keepLsn));
            upstream.end("the primary is asked anew, from " + Lsn.text(keepLsn) + ", where both logs part");
            return false;
        }
        return true;
    }

    private void diverged(ReplicationStarted answer, boolean mine, long keepLsn, long endLsn) {
        upstream.refuse(
                RefusalCode.START_AHEAD,
                "the primary at " + upstream.speaker() + ", on timeline " + answer.timeline()
                        + ", has the log of this server only up to " + Lsn.text(keepLsn) + ", this server has it up to "
                        + Lsn.text(endLsn) + " on timeline "
                        + identity.history().timelineBefore(endLsn)
                        + (mine
                                ? ", which it wrote itself as a primary"
                                : "; the primary before had flushed it up to "
                                        + Lsn.text(receivedLog.primaryFlushedLsn())
                                        + ", and it has been redone here up to " + Lsn.text(redo.appliedLsn()))
                        + ". The primary has lost WAL, or has replaced another one. If it is the one to go on with, stop this"
                        + " server and run: lockstep rewind DIR --from '" + upstream.speaker() + "'");
    }

    /** Cuts off what is no part of the primary's log, at an operator's request; returns whether that could be done. */
    private boolean rewind(long keepLsn, long endLsn) throws IOException {
        boolean[] possible = new boolean[1];
        redo.whileHeld(() -> {
            long heldLsn = Math.max(
                    Math.max(redo.appliedLsn(), redo.consistentLsn()),
                    control.get().redoLsn());
            possible[0] = heldLsn <= keepLsn || identity.format().isPostgres();
            if (!possible[0]) {
                rewind.impossible(keepLsn, heldLsn);
                return;
            }
            wal.awaitFlushed(endLsn);
            rewind.keepAside(wal.files(), keepLsn, endLsn);
            receivedLog.cutOffSettled(keepLsn);
            if (identity.format().isPostgres()) {
                redo.returnTo(keepLsn);
            }
        });
        if (!possible[0]) {
            upstream.backOff("it cannot be rewound");
        }
        return possible[0];
    }

    /** Goes on with the primary's log, which is this server's up to here. */
    private void follow(Course theirs) throws IOException {
        TimelineHistory history = theirs.history();
        Epochs epochs = theirs.epochs();
        if (!history.equals(identity.history())) {
            log.info("this standby follows {}", history);
            wal.follow(history, () -> control.update(present -> present.following(history, epochs)));
            downstream.endSessions("this server follows timeline " + history.timeline());
        } else if (!epochs.equals(control.get().epochs()) || control.get().state() != ControlFile.State.IN_RECOVERY) {
            control.update(present -> present.following(history, epochs));
            downstream.endSessions("this server has learned of a new epoch of the log");
        }
        rewind.done();
        archived.compareAnew();
    }
}
