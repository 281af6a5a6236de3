package lockstep.receiver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import lockstep.io.Workers;
import lockstep.recovery.ControlStore;
import lockstep.transport.api.Lsn;
import lockstep.wal.ReadResult;
import lockstep.wal.Wal;
import lockstep.wal.WalChecker;
import lockstep.wal.WalCorruptionException;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalListener;
import lockstep.wal.WalReader;
import lockstep.wal.WalRecord;
import lockstep.wal.WalSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log of a standby: how much of it is here, how much of that counts, and the only way in and out: what is stored at its end,
 * after it has been checked, and what is cut off there.
 *
 * <p><b>Idea.</b> Three positions say it all: how far WAL has been <i>received</i> (the end of the WAL buffers), how far it
 * has been <i>checked</i> (the end of the last record whose CRC and link are right), and how far the primary has
 * <i>flushed</i>. Acknowledged is what is on the disk and checked; redone is what, besides, the primary cannot lose any
 * more.
 *
 * <pre>
 *   sessions ──▶ WalReceiver ──▶┐               ┌──▶ Acknowledger, Downstream: what is checked and on the disk
 *                Agreement ──cut┤  ReceivedLog  ├──▶ ContinuousRedo: what the primary has flushed, besides
 *   archive ───▶ ArchivedWal ──▶┘               └──▶ Restartpoints, SettledMark: what is never cut off any more
 * </pre>
 *
 * <p>Where WAL comes from is all the same here, and whether a cut may be is for others to decide.
 *
 * <p><b>WAL that is not valid</b> is never stored past its last good record. What has been stored of its record already is cut off.
 *
 * <p><b>Back-pressure.</b> While the WAL buffers are full, because the disk is slow or has no room, who has WAL waits ({@link
 * #awaitRoom}); nothing piles up. Each piece is checked and stored in one step of exactly the size there is room for, so that
 * it may end between any two.
 *
 * <p><b>Threads.</b> The log is changed by one at a time: the session's thread that is heard; while there is none the worker
 * {@code wal-receiver}; when the upstream has been closed the worker {@code startup}. Positions may be read from any.
 */
final class ReceivedLog implements WalListener {
    private static final long ROOM_WAIT_NANOS = TimeUnit.MICROSECONDS.toNanos(50);

    /** While the disk is full, the writer tries at its own pace. */
    private static final long FULL_DISK_WAIT_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private static final Logger log = LoggerFactory.getLogger(ReceivedLog.class);

    private final ControlStore control;
    private final Wal wal;
    private final WalIdentity identity;
    private final ContinuousRedo redo;
    private final Optional<CheckedLog> checkedLog;
    private final SettledMark mark;
    private final Downstream downstream;
    private final Workers workers;

    private WalChecker checker;
    private volatile long checkedLsn;

    /** The end of the last record that was seen to be settled; see {@link #settledLsn}. Redo may be behind it. */
    private volatile long settledRecordLsn;

    /** The end of a later record, which is looked at until it is settled. */
    private long settlingRecordLsn;

    private volatile long primaryFlushedLsn;
    private volatile boolean diskFull;

    /**
     * Continues the WAL.
     *
     * @param lastRecordLsn where its last record begins, or {@link WalReader#UNKNOWN}
     * @param primaryFlushedLsn up to where the primary is known to have flushed
     */
    ReceivedLog(
            ControlStore control,
            Wal wal,
            WalIdentity identity,
            ContinuousRedo redo,
            Optional<CheckedLog> checkedLog,
            SettledMark mark,
            Downstream downstream,
            Workers workers,
            long lastRecordLsn,
            long primaryFlushedLsn) {
        this.control = control;
        this.wal = wal;
        this.identity = identity;
        this.redo = redo;
        this.checkedLog = checkedLog;
        this.mark = mark;
        this.downstream = downstream;
        this.workers = workers;
        this.primaryFlushedLsn = primaryFlushedLsn;
        checkFrom(wal.filledLsn(), lastRecordLsn);
        wal.addListener(this);
    }

    private void checkFrom(long lsn, long lastRecordLsn) {
        checkedLog.ifPresent(passed -> passed.goOnFrom(lsn));
        checker = checkedLog.isPresent()
                ? new WalChecker(identity, lsn, lastRecordLsn, checkedLog.get())
                : new WalChecker(identity, lsn, lastRecordLsn);
        checkedLsn = lsn;
    }

    // How much is here, and counts.

    /** Returns up to where WAL is here; its last record may have come in part. */
    long endLsn() {
        return wal.filledLsn();
    }

    /** Returns the end of the last whole record that is here. */
    long checkedLsn() {
        return checkedLsn;
    }

    /** Returns up to where WAL is checked, and with the operating system. */
    long writtenLsn() {
        return Math.min(wal.writtenLsn(), checkedLsn);
    }

    /** Returns up to where WAL is checked, and on this disk. */
    long flushedLsn() {
        return Math.min(wal.flushedLsn(), checkedLsn);
    }

    /** Returns up to where the primary is known to have flushed. */
    long primaryFlushedLsn() {
        return primaryFlushedLsn;
    }

    /** Returns up to where WAL may be redone: checked, on this disk, and on the primary's. */
    long appliableLsn() {
        return Math.min(flushedLsn(), primaryFlushedLsn);
    }

    /**
     * Returns the end of a record, or a position before where redo of a base backup begins: all WAL before it is on this disk, and
     * on the primary's, and no log is ever cut back below it.
     */
    long settledLsn() {
        long checked = checkedLsn;
        return checked <= Math.min(wal.flushedLsn(), primaryFlushedLsn)
                ? checked
                : Math.max(settledRecordLsn, Math.min(redo.appliedLsn(), flushedLsn()));
    }

    /** Reads for the end of the last whole record that is here and that the primary had flushed. */
    long lastSettledLsn() throws IOException {
        long applied = redo.appliedLsn();
        long limit = Math.min(primaryFlushedLsn, checkedLsn);
        try (WalSource source = wal.source()) {
            WalReader reader = new WalReader(source, identity);
            reader.seek(applied, WalReader.UNKNOWN);
            WalRecord record = new WalRecord();
            while (reader.next(record, limit) == ReadResult.RECORD) {
                // The last one counts.
            }
            return Math.max(applied, reader.endLsn());
        }
    }

    /** Returns whether all whole records that are here are on the disk. */
    boolean isAllFlushed() {
        return flushedLsn() >= checkedLsn;
    }

    /** Returns how much WAL is here that the primary is known to have flushed, and that has not been redone. */
    long aheadOfRedoBytes() {
        return Math.min(primaryFlushedLsn, wal.filledLsn()) - redo.appliedLsn();
    }

    /** The primary is known to have flushed up to here; less than before says nothing. */
    void primaryFlushed(long lsn) {
        if (lsn > primaryFlushedLsn) {
            primaryFlushedLsn = lsn;
            redo.limitMoved();
            downstream.primaryFlushed();
        }
    }

    /** A session begins: what its primary says replaces what was known, also if it is less. */
    void newPrimaryFlushed(long lsn) {
        primaryFlushedLsn = lsn;
        redo.limitMoved();
    }

    /** Lets redo have all whole records that are here, because no primary will ever say how far it had flushed them. */
    void countAll() {
        primaryFlushed(checkedLsn);
    }

    /** Remembers how things stand, for after a restart. */
    void remember() {
        try {
            mark.remember(this::settledLsn);
        } catch (IOException e) {
            log.warn("could not remember in {} up to where WAL is on both disks: {}", SettledMark.PATH, e.getMessage());
        }
    }

    // What is stored.

    /** Returns how much of so many bytes there is room for. */
    int roomBytes(long wantedBytes) {
        return (int) Math.min(wal.receiveRoomBytes(), wantedBytes);
    }

    /** Waits a moment for room. */
    void awaitRoom() {
        if (diskFull) {
            workers.pause(FULL_DISK_WAIT_NANOS);
        } else {
            wal.wakeWriter();
            workers.pause(ROOM_WAIT_NANOS);
        }
    }

    /**
     * Checks and stores a piece for which there is room.
     *
     * @throws WalCorruptionException if it is not good: only the records before that are here then
     */
    void store(ByteBuffer piece) throws IOException {
        long lsn = wal.filledLsn();
        if (settlingRecordLsn <= appliableLsn()) {
            settledRecordLsn = settlingRecordLsn;
            settlingRecordLsn = checkedLsn;
        }
        try {
            checker.accept(lsn, piece);
        } catch (WalCorruptionException e) {
            long good = checker.checkedLsn();
            long lastRecordLsn = checker.lastRecordLsn();
            if (good < lsn) {
                cutBack(good, lastRecordLsn);
            } else {
                wal.receive(lsn, piece.duplicate().limit(piece.position() + (int) (good - lsn)));
                checkFrom(good, lastRecordLsn);
                wal.wakeWriter();
            }
            throw e;
        }
        checkedLsn = checker.checkedLsn();
        wal.receive(lsn, piece);
    }

    @Override
    public void diskFull(boolean full, String detail) {
        diskFull = full;
    }

    boolean isDiskFull() {
        return diskFull;
    }

    // What is cut off.

    /** Cuts the WAL back, in memory and on the disk, to a place that is not below {@link #lastSettledLsn}. */
    void cutBack(long lsn) throws IOException {
        cutBack(lsn, WalReader.UNKNOWN);
    }

    private void cutBack(long lsn, long lastRecordLsn) throws IOException {
        downstream.endSessions("this server cuts its WAL back to " + Lsn.text(lsn));
        checkedUpTo(lsn);
        wal.awaitFlushed(lsn);
        redo.whileHeld(() -> wal.truncate(lsn));
        checkFrom(lsn, lastRecordLsn);
    }

    private void checkedUpTo(long lsn) {
        checkedLsn = lsn;
        settledRecordLsn = Math.min(settledRecordLsn, lsn);
        settlingRecordLsn = settledRecordLsn;
    }

    /**
     * Cuts off WAL that had been settled, while redo is held. First nothing is claimed of it any more: a crash in the midst of the
     * cut must not make damage of it.
     */
    void cutOffSettled(long lsn) throws IOException {
        checkedUpTo(lsn);
        control.update(present -> present.rewound(lsn));
        mark.cutBack(lsn);
        wal.truncate(lsn);
        checkFrom(lsn, WalReader.UNKNOWN);
        primaryFlushedLsn = Math.min(primaryFlushedLsn, lsn);
    }

    /**
     * Counts all valid WAL that is here as part of the log, because no primary will say more of it, and cuts off the rest of a
     * record that has come in part. The upstream has been closed.
     *
     * @return where the log ends now
     */
    long keepAll() throws IOException {
        long endLsn = checkedLsn;
        if (wal.filledLsn() > endLsn) {
            cutBack(endLsn, checker.lastRecordLsn());
        }
        wal.awaitFlushed(endLsn);
        primaryFlushedLsn = Math.max(primaryFlushedLsn, endLsn);
        return endLsn;
    }

    /**
     * Ends the log where recovery has ended, and cuts off all that is here past that. The upstream has been closed.
     *
     * @param endLsn up to where the log has been redone
     */
    void endAt(long endLsn) throws IOException {
        if (wal.filledLsn() > endLsn) {
            log.info("the WAL is cut off at {}, where recovery has ended", Lsn.text(endLsn));
            downstream.endSessions("the log ends at " + Lsn.text(endLsn) + ", where recovery has ended");
            redo.whileHeld(() -> cutOffSettled(endLsn));
        }
        primaryFlushedLsn = Math.max(primaryFlushedLsn, endLsn);
    }

    /** Remembers how things stand. The writer has ended, and the upstream been closed. */
    void close() {
        wal.removeListener(this);
        remember();
    }
}
