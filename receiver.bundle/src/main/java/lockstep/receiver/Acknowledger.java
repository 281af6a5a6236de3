package lockstep.receiver;

import java.util.function.LongSupplier;
import java.util.function.ToLongFunction;
import lockstep.commit.CommitLevel;
import lockstep.io.Clock;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.DownstreamStatus;
import lockstep.transport.api.Message.Reason;
import lockstep.transport.api.Message.StandbyReason;
import lockstep.transport.api.Message.StandbyStatus;
import lockstep.transport.api.Session;
import lockstep.wal.Wal;
import lockstep.wal.WalListener;

/**
 * Tells the primary how far this standby is, as soon as it is: on the very thread that has written or flushed the WAL, so that
 * no other stands between a flush and its acknowledgement, and on redo's when that has moved.
 *
 * <p>Never acknowledges WAL that has not been checked: the end of a record that has come in part is on the disk long before
 * its CRC can be known. It may be told to acknowledge no more than the standbys below this one have ({@code relay_ack}): then
 * whoever waits for this standby waits for two copies behind the primary's.
 *
 * <p><b>Lock.</b> {@code this} guards the session and what was sent last, so that messages leave one at a time and
 * positions never fall within a session.
 */
final class Acknowledger implements WalListener {
    private final ReceivedLog receivedLog;
    private final Wal wal;
    private final LongSupplier appliedLsn;
    private final ToLongFunction<CommitLevel> limitLsn;
    private final Clock clock;

    private Session session;
    private long sentWrittenLsn;
    private long sentFlushedLsn;
    private long sentAppliedLsn;
    private long sentNanos;
    private DownstreamStatus toldDownstream;
    private String fullDisk;

    /** @param limitLsn up to where others have what a level asks for; no more is acknowledged */
    Acknowledger(
            ReceivedLog receivedLog,
            Wal wal,
            LongSupplier appliedLsn,
            ToLongFunction<CommitLevel> limitLsn,
            Clock clock) {
        this.receivedLog = receivedLog;
        this.wal = wal;
        this.appliedLsn = appliedLsn;
        this.limitLsn = limitLsn;
        this.clock = clock;
        sentNanos = clock.nanos();
    }

    /** Acknowledges on this session from now on, beginning with how things stand. */
    synchronized void begin(Session opened) {
        session = opened;
        toldDownstream = null;
        sentWrittenLsn = 0;
        sentFlushedLsn = 0;
        sentAppliedLsn = 0;
        send(false);
        if (fullDisk != null) {
            session.send(new StandbyReason(Reason.DISK_FULL, wal.flushedLsn(), fullDisk));
        }
    }

    /** Says nothing more. */
    synchronized void end() {
        session = null;
    }

    @Override
    public void written(long lsn) {
        moved();
    }

    @Override
    public void flushed(long lsn) {
        moved();
    }

    /** Sends a status if there is something new to say. */
    synchronized void moved() {
        if (session != null
                && (written() != sentWrittenLsn || flushed() != sentFlushedLsn || applied() != sentAppliedLsn)) {
            send(false);
        }
    }

    /** Sends a status. */
    synchronized void send(boolean replyRequested) {
        if (session != null) {
            sentWrittenLsn = written();
            sentFlushedLsn = flushed();
            sentAppliedLsn = applied();
            sentNanos = clock.nanos();
            session.send(
                    new StandbyStatus(sentWrittenLsn, sentFlushedLsn, sentAppliedLsn, clock.micros(), replyRequested));
        }
    }

    /** Says something else; lost if there is no session. */
    synchronized void say(Message message) {
        if (session != null) {
            session.send(message);
        }
    }

    // What is acknowledged. Of the standbys below, others may count from one moment to the next: hence the greater of
    // now and before.

    private long written() {
        return Math.max(
                sentWrittenLsn, Math.min(receivedLog.writtenLsn(), limitLsn.applyAsLong(CommitLevel.REMOTE_WRITE)));
    }

    private long flushed() {
        return Math.max(sentFlushedLsn, Math.min(receivedLog.flushedLsn(), limitLsn.applyAsLong(CommitLevel.ON)));
    }

    private long applied() {
        return Math.max(
                sentAppliedLsn, Math.min(appliedLsn.getAsLong(), limitLsn.applyAsLong(CommitLevel.REMOTE_APPLY)));
    }

    /** Tells of the standbys below this one, if that is news. */
    synchronized void tell(DownstreamStatus status) {
        if (session != null && !status.equals(toldDownstream)) {
            toldDownstream = status;
            session.send(status);
        }
    }

    /** Returns how long the last status is ago. */
    synchronized long sentAgoNanos() {
        return clock.nanos() - sentNanos;
    }

    /** Says why this standby cannot go on, or that it can again. */
    synchronized void explain(Reason reason, long lsn, String detail) {
        if (session != null) {
            session.send(new StandbyReason(reason, lsn, detail));
        }
    }

    @Override
    public synchronized void diskFull(boolean full, String detail) {
        fullDisk = full ? detail : null;
        explain(
                full ? Reason.DISK_FULL : Reason.RECOVERED,
                wal.flushedLsn(),
                full ? detail : "there is room on the disk again: " + detail);
    }
}
