package lockstep.primary;

import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import lockstep.commit.CommitQueue;
import lockstep.commit.LogCommits;
import lockstep.io.Step;
import lockstep.recovery.ControlFile;
import lockstep.redo.Redo;
import lockstep.redo.Redone;
import lockstep.transport.api.Lsn;
import lockstep.wal.SegmentSource;
import lockstep.wal.Wal;
import lockstep.wal.WalSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log of a primary as it is read: from the last checkpoint to its end before there are commits, and again for what that left
 * undone.
 *
 * <pre>
 *   what is redone                                             when
 *   what was released before the crash, or all of it           {@link #step}, before the server accepts commits
 *   what is {@link InDoubt}                                    as it is released, from {@link #requeue} on
 *   what a resource manager missed that has arrived since      {@link #admit}, while no commit is released
 * </pre>
 *
 * <p><b>After a crash</b> the log ends where the first invalid record is. What a torn last write may have left behind that
 * place is wiped out, so that it can never be taken for WAL again, and a standby that has more of the epoch before cuts it back.
 *
 * <p><b>Each start</b> but the first opens an epoch, which is in the control file before any byte of it is sent.
 *
 * <p><b>After a promotion</b> nothing is left to be redone: the standby of this process has done it, with the resource managers open.
 *
 * <p><b>Threads.</b> The worker {@code startup} does all of it, except that what is in doubt is redone by the one who releases. Any
 * may ask how far it is, or tell of an arrival.
 */
final class Recovery {
    private static final int BATCH = 1000;
    private static final long RETRY_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final Logger log = LoggerFactory.getLogger(Recovery.class);

    /** How far recovery is after a step. */
    enum Progress {
        /** There is more to be done. */
        GOES_ON,
        /** A resource manager is awaited that is not there. */
        BLOCKED,
        /** The log has been redone to its end. */
        DONE
    }

    private final Foundation base;
    private final boolean takesOver;
    private final InDoubt inDoubt = new InDoubt();
    private final Redo redo;
    private boolean crashed;
    private volatile boolean arrivals;

    /** The log as it grows, once it does. */
    private volatile Wal wal;

    /** @param handover what a standby has left that was promoted here, if one was */
    Recovery(Foundation base, Optional<Redone> handover) {
        this.base = base;
        takesOver = handover.isPresent();
        // One that came while the role changed was told to nobody.
        arrivals = takesOver;
        ControlFile file = base.control().get();
        redo = takesOver
                ? new Redo(base.identity(), this::source, base.managers(), inDoubt, file.redoLsn(), handover.get())
                : new Redo(base.identity(), this::source, base.managers(), inDoubt, file.redoLsn());
        if (!takesOver && file.state() == ControlFile.State.IN_PRODUCTION) {
            // A promotion keeps all WAL there is: what stands before the timeline begins was never in doubt on it.
            long keptLsn = base.identity().history().startLsn();
            redo.holdBackAfter(
                    Math.max(keptLsn, Math.max(file.redoLsn(), base.marks().settledLsn())));
        }
    }

    private WalSource source() {
        Wal growing = wal;
        return growing == null ? new SegmentSource(base.disk(), base.identity()) : growing.source();
    }

    /** Says where it begins. */
    void announce() {
        if (takesOver) {
            return;
        }
        ControlFile file = base.control().get();
        log.info(
                "recovery from {}, the last checkpoint is at {}; the server was {}",
                Lsn.text(file.redoLsn()),
                Lsn.text(file.checkpointLsn()),
                file.state() == ControlFile.State.SHUT_DOWN ? "shut down" : "interrupted");
    }

    /** Redoes the next records. */
    Progress step() throws IOException {
        if (takesOver) {
            return Progress.DONE;
        }
        for (int i = 0; i < BATCH; i++) {
            switch (redo.step(Long.MAX_VALUE)) {
                case APPLIED -> {}
                case BLOCKED -> {
                    return Progress.BLOCKED;
                }
                case WAIT, END, STOPPED -> {
                    return Progress.DONE;
                }
            }
        }
        return Progress.GOES_ON;
    }

    /**
     * Has the log end where its last record does, and a new epoch begin there.
     *
     * @param maxTornBytes how much the last write before a crash may have been
     * @return where the log goes on
     */
    long end(int maxTornBytes) throws IOException {
        long endLsn = redo.appliedLsn();
        if (takesOver) {
            return endLsn;
        }
        ControlFile file = base.control().get();
        redo.checkEnd(base.files().endLsn(), maxTornBytes, file.knownFlushedLsn());
        crashed = file.state() != ControlFile.State.SHUT_DOWN;
        if (crashed) {
            base.files().truncate(endLsn, redo.bytesEndLsn());
        }
        base.control()
                .update(old -> (base.isNew()
                                ? old
                                : old.with(
                                        old.epochs().next(endLsn, base.clock().micros())))
                        .with(ControlFile.State.IN_PRODUCTION));
        log.info(
                "the log ends at {} ({}); term {}",
                Lsn.text(endLsn),
                redo.endReason(),
                base.control().get().term());
        return endLsn;
    }

    /** Whether this server goes on where a standby stopped that was promoted. */
    boolean takesOver() {
        return takesOver;
    }

    /** Whether the log had not been ended in good order. */
    boolean hasCrashed() {
        return crashed;
    }

    /** Returns where the last record of the log begins. */
    long lastRecordLsn() {
        return redo.lastRecordLsn();
    }

    /** Returns the id of the next transaction. */
    int nextXid() {
        int seen = redo.lastXid();
        int known = base.control().get().nextXid();
        return seen != 0 && seen - known >= 0 ? LogCommits.xidAfter(seen) : known;
    }

    /** Puts what is in doubt into the queue, and redoes it from now on as it is released. */
    void requeue(CommitQueue queue) throws IOException {
        inDoubt.queue(queue, redo);
    }

    /** Returns what is in doubt. */
    Optional<InDoubtRange> inDoubt() {
        return inDoubt.range();
    }

    /** From now on reads the log as it grows. */
    void follow(Wal growing) {
        wal = growing;
    }

    /** Tells that a resource manager has arrived. */
    void arrived() {
        arrivals = true;
    }

    /** Gives resource managers that have arrived what they missed, while no commit is released; returns what a {@link Step} does. */
    long admit(LogCommits commits, CommitQueue queue) throws IOException {
        if (!arrivals) {
            return Step.UNTIL_WOKEN;
        }
        long endLsn = wal.filledLsn();
        if (commits.settledLsn() < endLsn) {
            return RETRY_NANOS;
        }
        arrivals = false;
        queue.whileHeld(base.workers(), () -> {
            redo.skipTo(commits.settledLsn());
            redo.admit();
        });
        return Step.UNTIL_WOKEN;
    }

    /** Returns up to where the log has been redone. */
    long redoneLsn() {
        return redo.appliedLsn();
    }

    /** Returns what it waits for; empty if for nothing. */
    String blockedReason() {
        return redo.blockedReason().orElse("");
    }

    /** Ends reading. */
    void close() throws IOException {
        redo.close();
    }
}
