package lockstep.redo;

import java.io.IOException;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import lockstep.commit.DegradedPeriod;
import lockstep.rmgr.ResourceManager;
import lockstep.rmgr.ResourceManagers;
import lockstep.transport.api.Lsn;
import lockstep.wal.CheckpointRecord;
import lockstep.wal.CommitRecord;
import lockstep.wal.LogNote;
import lockstep.wal.ReadResult;
import lockstep.wal.WalEnd;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalReader;
import lockstep.wal.WalRecord;
import lockstep.wal.WalSource;
import lockstep.wal.XlogInfo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Redoes the log: reads one record after the other and hands it to the resource manager it belongs to. Crash recovery on
 * a primary and continuous redo on a standby are the same walk; they differ in how far they may go.
 *
 * <p><b>Who gets what.</b> A record with a custom id goes to its resource manager. A commit record goes to all, because
 * only they know whether the transaction has changes of theirs. Checkpoint records go to the listener. PostgreSQL's other
 * records are not redone here: their pages belong to PostgreSQL.
 *
 * <p><b>The log of a PostgreSQL server</b> is only read: redo of its records belongs to PostgreSQL. The listener hears of each.
 * Such a log may begin inside a record, since receiving began at some segment.
 *
 * <p><b>Everybody has a position of their own.</b> The state of a resource manager on disk may be ahead of where redo
 * starts, since it was brought there at a moment of its own; what it already has is not given to it again. It may also be
 * behind, when its bundle arrives while redo has long gone on: before it takes part, it is given alone what it missed.
 *
 * <pre>
 *   the next record                                what happens
 *   is whole and somebody serves it                APPLIED
 *   has an id that nobody serves                   BLOCKED: redo stays before it until that bundle arrives
 *   is not whole yet, or beyond the limit          WAIT
 *   is not valid                                   END: the end of the log, or damage; the caller knows which
 *   is where redo shall stop                       STOPPED, for ever
 * </pre>
 *
 * <p><b>What is held back.</b> A primary that recovers must not show what it had not released. Behind the position given to {@link
 * #holdBackAfter} the log is read, to find its end, and not redone: the listener hears of each commit. Once {@link #goBack} has been
 * called, {@link #redoUpTo} redoes the log commit by commit, as they are released, and {@link #redoEarly} shows one that is
 * released before its turn.
 *
 * <p>For one thread at a time; the positions may be read from any.
 */
public final class Redo implements AutoCloseable {
    /** What became of a {@link #step}. */
    public enum Outcome {
        /** A record was redone. */
        APPLIED,
        /** The next record is not there yet. */
        WAIT,
        /** Nobody serves the next record. */
        BLOCKED,
        /** There is no valid record. */
        END,
        /** It has come to where it shall stop. */
        STOPPED
    }

    private static final Logger log = LoggerFactory.getLogger(Redo.class);

    private final WalIdentity identity;
    private final Supplier<WalSource> sources;
    private final ResourceManagers managers;
    private final RedoListener listener;
    private final RedoStop stop;
    private final long startLsn;
    private final WalSource source;
    private final WalReader reader;
    private final WalRecord record = new WalRecord();

    /** Those that take part, with the position up to which each has all of the log. */
    private final Map<ResourceManager, Long> positions = new HashMap<>();

    private volatile long appliedLsn;
    private volatile long lastRecordLsn;
    private volatile int lastXid;
    private volatile String blockedReason;
    private volatile long consistentLsn;
    private boolean stopped;

    /** As of which of their changes the resource managers take part. */
    private int admittedChanges = -1;

    /** Whether the reader stands where a record begins. */
    private boolean atRecord;

    private long shownLsn = Long.MAX_VALUE;

    /** Where the first record of a transaction begins that has not committed so far; {@link Long#MAX_VALUE} between two. */
    private long transactionLsn = Long.MAX_VALUE;

    /** Where what is held back begins; {@link Long#MAX_VALUE} if nothing is. */
    private long firstHeldLsn = Long.MAX_VALUE;

    private WalSource earlySource;
    private WalReader earlyReader;

    /** As below, to the end of the log. */
    public Redo(
            WalIdentity identity,
            Supplier<WalSource> sources,
            ResourceManagers managers,
            RedoListener listener,
            long startLsn) {
        this(identity, sources, managers, listener, RedoStop.NEVER, startLsn);
    }

    /**
     * Starts before {@code startLsn}, where a record begins, or where a segment begins that a record may reach into.
     *
     * @param sources how the log is read
     * @param stop where redo ends before the log does
     */
    public Redo(
            WalIdentity identity,
            Supplier<WalSource> sources,
            ResourceManagers managers,
            RedoListener listener,
            RedoStop stop,
            long startLsn) {
        this.identity = identity;
        this.sources = sources;
        this.managers = managers;
        this.listener = listener;
        this.stop = stop;
        this.startLsn = startLsn;
        source = sources.get();
        reader = reader(source, startLsn);
        appliedLsn = startLsn;
        atRecord = !identity.format().isPostgres();
    }

    /** From now on redoes only commits that end at or before {@code lsn}, or that a resource manager has on disk, and reads the rest. */
    public void holdBackAfter(long lsn) {
        shownLsn = lsn;
    }

    /**
     * Goes on where another one stopped; the resource managers are open.
     *
     * @param startLsn where redo would start otherwise: one that arrives later is given what it missed from there at most
     */
    public Redo(
            WalIdentity identity,
            Supplier<WalSource> sources,
            ResourceManagers managers,
            RedoListener listener,
            long startLsn,
            Redone redone) {
        this.identity = identity;
        this.sources = sources;
        this.managers = managers;
        this.listener = listener;
        this.stop = RedoStop.NEVER;
        this.startLsn = startLsn;
        source = sources.get();
        reader = reader(source, redone.lsn());
        atRecord = true;
        appliedLsn = redone.lsn();
        lastRecordLsn = redone.lastRecordLsn();
        lastXid = redone.lastXid();
        positions.putAll(redone.positions());
        positions.keySet().forEach(managers::setCaughtUp);
    }

    /** Returns all that another one needs to go on from here. */
    public Redone redone() {
        return new Redone(appliedLsn, lastRecordLsn, lastXid, positions);
    }

    private WalReader reader(WalSource from, long lsn) {
        WalReader made = new WalReader(from, identity);
        made.seek(lsn, WalReader.UNKNOWN);
        return made;
    }

    /**
     * Redoes the next record, if it ends at or before {@code limitLsn}.
     *
     * @throws IOException if the log cannot be read or a resource manager fails; redo stays where it was
     */
    public Outcome step(long limitLsn) throws IOException {
        admit();
        if (stopped) {
            return Outcome.STOPPED;
        }
        atRecord = atRecord || reader.seekFirst(startLsn, limitLsn);
        if (!atRecord) {
            return Outcome.WAIT;
        }
        return switch (reader.next(record, limitLsn)) {
            case RECORD -> stopsBefore() ? Outcome.STOPPED : apply();
            case WAIT -> Outcome.WAIT;
            case INVALID -> Outcome.END;
        };
    }

    private boolean stopsBefore() {
        if (stop.before(record)) {
            reader.seek(record.lsn(), record.prevLsn());
            stopped = true;
        }
        return stopped;
    }

    private Outcome apply() throws IOException {
        boolean dispatched = false;
        if (transactionLsn == Long.MAX_VALUE && record.xid() != 0) {
            transactionLsn = record.lsn();
        }
        try {
            dispatched = record.endLsn() > shownLsn ? hold() : dispatch(record, null);
        } finally {
            if (!dispatched) {
                reader.seek(record.lsn(), record.prevLsn());
            }
        }
        if (!dispatched) {
            return Outcome.BLOCKED;
        }
        if (record.xid() != 0 && (lastXid == 0 || record.xid() - lastXid > 0)) {
            lastXid = record.xid();
        }
        lastRecordLsn = record.lsn();
        appliedLsn = reader.endLsn();
        if (CommitRecord.isCommit(record)) {
            transactionLsn = Long.MAX_VALUE;
        }
        stopped = stop.after(record);
        return Outcome.APPLIED;
    }

    /** Passes a record by; returns whether there is somebody who will be able to redo it. */
    private boolean hold() throws IOException {
        if (isUnserved(record)) {
            return false;
        }
        blockedReason = null;
        firstHeldLsn = Math.min(firstHeldLsn, Math.min(transactionLsn, record.lsn()));
        if (CommitRecord.isCommit(record)) {
            listener.heldBack(record.xid(), CommitRecord.levelOf(record), transactionLsn, record.endLsn());
        } else if (CheckpointRecord.is(record)) {
            listener.checkpoint(record.lsn(), CheckpointRecord.decode(record.data()));
        }
        return true;
    }

    private boolean isUnserved(WalRecord next) {
        if (next.rmgr() < ResourceManager.FIRST_CUSTOM_ID || identity.format().isPostgres()) {
            return false;
        }
        Optional<ResourceManager> owner = managers.get(next.rmgr());
        if (owner.isPresent() && positions.containsKey(owner.get())) {
            return false;
        }
        block("redo waits before the record at " + Lsn.text(next.lsn()) + ": nobody serves resource manager "
                + next.rmgr() + ". Install and start the bundle that does");
        return true;
    }

    /** Returns to before the first record that was held back, if one was; {@link #redoUpTo} goes on from there. */
    public void goBack() {
        if (firstHeldLsn != Long.MAX_VALUE) {
            reader.seek(firstHeldLsn, WalReader.UNKNOWN);
            appliedLsn = firstHeldLsn;
        }
        shownLsn = Long.MAX_VALUE;
        firstHeldLsn = Long.MAX_VALUE;
    }

    /**
     * Redoes the next transaction. What lies before it belongs to none, and need not be there any more. Who has left meanwhile is
     * passed over: whoever comes in its place is given it later.
     *
     * @param fromLsn where its first record begins
     * @throws IOException if the log cannot be read, or a resource manager fails
     */
    public void redoUpTo(long fromLsn, long commitLsn) throws IOException {
        forgetDeparted();
        if (fromLsn > appliedLsn) {
            reader.seek(fromLsn, WalReader.UNKNOWN);
        }
        while (appliedLsn < commitLsn) {
            readKnown(reader, commitLsn);
            if (record.rmgr() < ResourceManager.FIRST_CUSTOM_ID || isTakingPart(record.rmgr())) {
                dispatch(record, null);
            }
            appliedLsn = reader.endLsn();
        }
    }

    /** Shows a commit before its turn comes. Errors as {@link #redoUpTo}. */
    public void redoEarly(int xid, long fromLsn, long commitLsn) throws IOException {
        forgetDeparted();
        if (earlyReader == null) {
            earlySource = sources.get();
            earlyReader = reader(earlySource, fromLsn);
        } else {
            earlyReader.seek(fromLsn, WalReader.UNKNOWN);
        }
        while (earlyReader.endLsn() < commitLsn) {
            readKnown(earlyReader, commitLsn);
            if (record.xid() == xid && isTakingPart(record.rmgr())) {
                dispatch(record, null);
            }
        }
        for (Map.Entry<ResourceManager, Long> taking : positions.entrySet()) {
            if (commitLsn > taking.getValue()) {
                taking.getKey().commitEarly(xid, commitLsn);
            }
        }
    }

    private void readKnown(WalReader from, long limitLsn) throws IOException {
        if (from.next(record, limitLsn) != ReadResult.RECORD) {
            throw new IOException("the WAL at " + Lsn.text(from.endLsn())
                    + ", which could be read when the server started, cannot be read any more: " + from.reason());
        }
    }

    private boolean isTakingPart(int rmgr) {
        return managers.get(rmgr).filter(positions::containsKey).isPresent();
    }

    /**
     * Hands a record on.
     *
     * @param only who alone gets it; null for all
     * @return whether there is somebody who serves it
     */
    private boolean dispatch(WalRecord next, ResourceManager only) throws IOException {
        if (identity.format().isPostgres()) {
            listener.passed(next);
            if (CheckpointRecord.is(next)) {
                listener.checkpoint(next.lsn(), CheckpointRecord.decode(next.data()));
            }
        } else if (next.rmgr() >= ResourceManager.FIRST_CUSTOM_ID) {
            if (isUnserved(next)) {
                return false;
            }
            ResourceManager owner = managers.get(next.rmgr()).orElseThrow();
            if (takes(owner, only, next)) {
                owner.redo(next);
            }
        } else if (CommitRecord.isCommit(next)) {
            for (ResourceManager manager : positions.keySet()) {
                if (takes(manager, only, next)) {
                    manager.commit(next.xid(), next.endLsn());
                }
            }
        } else if (only == null && CheckpointRecord.is(next)) {
            listener.checkpoint(next.lsn(), CheckpointRecord.decode(next.data()));
        } else if (only == null && next.rmgr() == XlogInfo.RMGR && next.info() == XlogInfo.NOOP) {
            Optional<String> degraded = LogNote.read(next, DegradedPeriod.NOTE);
            if (degraded.isPresent()) {
                listener.degraded(degraded.get());
            }
        }
        blockedReason = null;
        return true;
    }

    private boolean takes(ResourceManager manager, ResourceManager only, WalRecord next) {
        return (only == null || manager == only) && next.endLsn() > positions.get(manager);
    }

    private void block(String reason) {
        if (!reason.equals(blockedReason)) {
            blockedReason = reason;
            log.warn("{}", reason);
        }
    }

    /** Lets those take part who have arrived, and forgets those who have left. */
    public void admit() throws IOException {
        int changes = managers.changes();
        if (changes == admittedChanges) {
            return;
        }
        forgetDeparted();
        for (ResourceManager manager : managers.all()) {
            if (!positions.containsKey(manager)) {
                admit(manager);
            }
        }
        admittedChanges = changes;
    }

    private void forgetDeparted() {
        for (Iterator<ResourceManager> taking = positions.keySet().iterator(); taking.hasNext(); ) {
            ResourceManager manager = taking.next();
            if (managers.get(manager.id()).filter(present -> present == manager).isEmpty()) {
                taking.remove();
            }
        }
    }

    private void admit(ResourceManager manager) throws IOException {
        long held = manager.open();
        positions.put(manager, held);
        // Only what was released is ever brought to disk.
        shownLsn = Math.max(shownLsn, held);
        consistentLsn = Math.max(consistentLsn, held);
        boolean whole = false;
        try {
            checkHeld(manager, held);
            catchUp(manager, held);
            whole = true;
        } finally {
            if (!whole) {
                positions.remove(manager);
                manager.close();
            }
        }
        managers.setCaughtUp(manager);
    }

    /** A state that ends before redo starts would lose what lies between, and nobody would notice. */
    private void checkHeld(ResourceManager manager, long held) throws IOException {
        if (held != 0 && identity.layout().recordStart(held) < startLsn) {
            throw new IOException("the state of resource manager " + manager.name() + " holds the WAL up to "
                    + Lsn.text(held) + " only, but it had been brought to disk up to " + Lsn.text(startLsn)
                    + ", where redo starts: its files are damaged or older ones. Restore the data directory from a base"
                    + " backup");
        }
    }

    private void catchUp(ResourceManager manager, long held) throws IOException {
        long from = held == 0 ? startLsn : Math.max(startLsn, identity.layout().recordStart(held));
        long toLsn = Math.min(appliedLsn, firstHeldLsn);
        if (from >= toLsn) {
            return;
        }
        log.info(
                "resource manager {} is given what it missed, from {} to {}",
                manager.name(),
                Lsn.text(from),
                Lsn.text(toLsn));
        WalRecord missed = new WalRecord();
        try (WalSource missedSource = sources.get()) {
            WalReader behind = reader(missedSource, from);
            while (behind.endLsn() < toLsn && behind.next(missed, toLsn) == ReadResult.RECORD) {
                if (missed.rmgr() < ResourceManager.FIRST_CUSTOM_ID || missed.rmgr() == manager.id()) {
                    dispatch(missed, manager);
                }
            }
            if (behind.endLsn() < toLsn) {
                throw new IOException("the WAL that resource manager " + manager.name() + " missed, from "
                        + Lsn.text(from) + ", cannot be read at " + Lsn.text(behind.endLsn()) + ": "
                        + behind.reason());
            }
        }
    }

    /**
     * Forgets the part of a record that was read and not redone, because the log has been cut back to before it and other WAL will
     * come there.
     */
    public void forget() {
        reader.seek(reader.endLsn(), reader.lastRecordLsn());
    }

    /** Returns to an earlier place where a record begins or ends, in a log of which nothing was redone. */
    public void returnTo(long lsn) {
        if (!identity.format().isPostgres()) {
            throw new IllegalStateException("what has been redone cannot be undone");
        }
        if (lsn < appliedLsn) {
            reader.seek(lsn, WalReader.UNKNOWN);
            appliedLsn = lsn;
        }
    }

    /** Moves on without redoing: the log up to {@code lsn} has been applied by other means, as a primary does. */
    public void skipTo(long lsn) {
        appliedLsn = lsn;
    }

    /** Returns up to where the log has been redone. */
    public long appliedLsn() {
        return appliedLsn;
    }

    /**
     * Returns the furthest position that a resource manager had on the disk when it was opened. What was redone is a state the log
     * describes only from there on: before it, changes can be seen that come later in the log.
     */
    public long consistentLsn() {
        return consistentLsn;
    }

    /** Returns where the bytes of the last record that was redone end; see {@link WalReader#bytesEndLsn}. */
    public long bytesEndLsn() {
        return reader.bytesEndLsn();
    }

    /** Returns where the last record that was redone begins; 0 if there was none. */
    public long lastRecordLsn() {
        return lastRecordLsn;
    }

    /** Returns the newest transaction id of all records, as ids wrap around; 0 if none had one. */
    public int lastXid() {
        return lastXid;
    }

    /** Returns what redo waits for when it is blocked. */
    public Optional<String> blockedReason() {
        return Optional.ofNullable(blockedReason);
    }

    /** Returns why there is no valid record, after {@link Outcome#END}. */
    public String endReason() {
        return reader.reason();
    }

    /**
     * Judges whether the place where redo came to an {@link Outcome#END} is the end of the log; returns if it is.
     *
     * @param filesEndLsn the end of the newest segment file there is
     * @param maxTornBytes the most that can have been written and not flushed
     * @param knownFlushedLsn what is before it is known to have been on the disk
     * @throws lockstep.wal.WalCorruptionException if it is damage; names the segment and the position
     */
    public void checkEnd(long filesEndLsn, long maxTornBytes, long knownFlushedLsn) throws IOException {
        try (WalSource behind = sources.get()) {
            new WalEnd(behind, identity).check(reader, filesEndLsn, maxTornBytes, knownFlushedLsn);
        }
    }

    @Override
    public void close() throws IOException {
        source.close();
        if (earlySource != null) {
            earlySource.close();
        }
    }
}
