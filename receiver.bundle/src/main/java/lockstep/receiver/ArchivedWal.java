package lockstep.receiver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.BooleanSupplier;
import lockstep.io.DiskFile;
import lockstep.recovery.ControlStore;
import lockstep.recovery.EpochNote;
import lockstep.recovery.Epochs;
import lockstep.transport.api.Lsn;
import lockstep.wal.ReadResult;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalCorruptionException;
import lockstep.wal.WalEnd;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalLayout;
import lockstep.wal.WalReader;
import lockstep.wal.WalRecord;
import lockstep.wal.WalSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes WAL from the archive into the log, while there is no session. {@link WalSupply} says when, and gets the segments.
 *
 * <p><b>Idea.</b> Where both have WAL, the archive's counts: it had been flushed by the primary. What is here besides and was never
 * known to be flushed may be the only copy of a commit, so it is cut back only where the archive has other bytes: first the two are
 * compared, then what is new is stored like WAL of a session.
 *
 * <p>An epoch that begins in such WAL is known from its first record ({@link EpochNote}), and is stored in the control file before
 * that WAL may be redone.
 *
 * <p><b>Threads.</b> The worker {@code wal-receiver}, but for {@link #compareAnew}. No lock: there is a session or there is none.
 */
final class ArchivedWal {
    private static final int PIECE_BYTES = 128 << 10;

    private static final Logger log = LoggerFactory.getLogger(ArchivedWal.class);

    private final ControlStore control;
    private final Wal wal;
    private final WalIdentity identity;
    private final ReceivedLog receivedLog;
    private final Downstream downstream;

    /** Up to where the bytes are known to be those of the archive. */
    private long sameLsn;

    ArchivedWal(ControlStore control, Wal wal, WalIdentity identity, ReceivedLog receivedLog, Downstream downstream) {
        this.control = control;
        this.wal = wal;
        this.identity = identity;
        this.receivedLog = receivedLog;
        this.downstream = downstream;
    }

    /** Returns from where on WAL is of use that the archive has: all before it is here, and the primary's. */
    long neededLsn() throws IOException {
        return Math.max(sameLsn, Math.min(receivedLog.lastSettledLsn(), receivedLog.endLsn()));
    }

    /** A primary has been agreed with, whose log is the one from now on. On the thread of its session. */
    void compareAnew() {
        sameLsn = 0;
    }

    /**
     * Takes the segment of the archive that holds {@link #neededLsn}, and lets redo have it.
     *
     * @param stopped whether the server is stopping, so that the rest can wait
     * @return whether it is WAL to its end; if not, nothing was written in the rest of it
     * @throws WalCorruptionException if it is not valid; the records before are taken
     */
    boolean take(DiskFile segment, BooleanSupplier stopped) throws IOException {
        WalLayout layout = identity.layout();
        long fromLsn = neededLsn();
        long settled = receivedLog.lastSettledLsn();
        long segmentEndLsn = layout.segmentStart(layout.segmentOf(fromLsn) + 1);
        long bothLsn = Math.min(receivedLog.endLsn(), segmentEndLsn);
        long differsLsn = sameUpTo(segment, fromLsn, bothLsn);
        if (differsLsn < bothLsn) {
            if (isUnwritten(segment, differsLsn & -WalLayout.ALIGNMENT)) {
                return false;
            }
            log.warn(
                    "the WAL is cut back from {} to {}: the archive has other WAL there, so the primary lost it in a crash",
                    Lsn.text(receivedLog.endLsn()),
                    Lsn.text(fromLsn));
            receivedLog.cutBack(fromLsn);
        }
        boolean whole = true;
        try {
            store(segment, segmentEndLsn, stopped);
        } catch (WalCorruptionException e) {
            whole = false;
            if (!isUnwritten(segment, receivedLog.checkedLsn())) {
                throw e;
            }
        } finally {
            sameLsn = Math.min(segmentEndLsn, receivedLog.endLsn());
            learnEpochs(settled);
            receivedLog.primaryFlushed(Math.min(receivedLog.checkedLsn(), segmentEndLsn));
            wal.wakeWriter();
        }
        return whole;
    }

    private void store(DiskFile segment, long segmentEndLsn, BooleanSupplier stopped) throws IOException {
        ByteBuffer piece = ByteBuffer.allocateDirect(PIECE_BYTES);
        while (receivedLog.endLsn() < segmentEndLsn && !stopped.getAsBoolean()) {
            long lsn = receivedLog.endLsn();
            int room = receivedLog.roomBytes(Math.min(piece.capacity(), segmentEndLsn - lsn));
            if (room == 0) {
                receivedLog.awaitRoom();
                continue;
            }
            read(segment, lsn, piece.clear().limit(room));
            receivedLog.store(piece.flip());
        }
    }

    private void read(DiskFile segment, long lsn, ByteBuffer bytes) throws IOException {
        int wanted = bytes.remaining();
        if (segment.read(bytes, identity.layout().offsetInSegment(lsn)) < wanted) {
            throw new IOException("the restored segment ends before " + Lsn.text(lsn + wanted));
        }
    }

    /** Returns up to where the bytes in the archive's segment are those that are here. */
    private long sameUpTo(DiskFile segment, long fromLsn, long toLsn) throws IOException {
        ByteBuffer theirs = ByteBuffer.allocateDirect(PIECE_BYTES);
        ByteBuffer ours = ByteBuffer.allocateDirect(PIECE_BYTES);
        try (WalSource source = wal.source()) {
            long lsn = fromLsn;
            while (lsn < toLsn) {
                int read = source.read(lsn, ours.clear().limit((int) Math.min(ours.capacity(), toLsn - lsn)));
                if (read == 0) {
                    throw new IOException("the WAL at " + Lsn.text(lsn) + " is not in the segment files any more");
                }
                read(segment, lsn, theirs.clear().limit(read));
                int differs = theirs.flip().mismatch(ours.flip());
                if (differs >= 0) {
                    return lsn + differs;
                }
                lsn += read;
            }
            return toLsn;
        }
    }

    private boolean isUnwritten(DiskFile segment, long lsn) throws IOException {
        return WalEnd.isUnwritten(segment, identity.layout(), lsn);
    }

    /** Stores the epochs that begin in WAL from the archive. */
    private void learnEpochs(long fromLsn) throws IOException {
        Epochs known = control.get().epochs();
        Epochs learnt = known;
        try (WalSource source = wal.source()) {
            WalReader reader = new WalReader(source, identity);
            reader.seek(fromLsn, WalReader.UNKNOWN);
            WalRecord record = new WalRecord();
            while (reader.next(record, receivedLog.checkedLsn()) == ReadResult.RECORD) {
                learnt = EpochNote.read(record).orElse(learnt);
            }
        }
        if (!learnt.continues(known)) {
            throw new IOException("the epochs " + learnt + " of the archive's WAL do not continue this server's "
                    + known + ": they are logs of two servers that went their own ways. Correct restore_command");
        }
        if (!learnt.equals(known)) {
            Epochs next = learnt;
            control.update(present -> present.with(next));
        }
    }

    /**
     * Goes over to another timeline, which may begin further on. What is here past the place where the two part is cut off if it
     * was never known to be flushed by a primary.
     *
     * @return whether it is a timeline of this log
     */
    boolean follow(TimelineHistory next) throws IOException {
        long sharedLsn = identity.history().sharedLsn(next);
        if (!next.contains(identity.timeline())
                || sharedLsn < Math.min(receivedLog.lastSettledLsn(), receivedLog.endLsn())) {
            return false;
        }
        if (sharedLsn < receivedLog.endLsn()) {
            receivedLog.cutBack(sharedLsn);
            sameLsn = Math.min(sameLsn, sharedLsn);
        }
        wal.follow(next, () -> control.update(present -> present.with(next)));
        downstream.endSessions("this server follows timeline " + next.timeline());
        return true;
    }
}
