package lockstep.receiver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import lockstep.io.Clock;
import lockstep.io.DiskFile;
import lockstep.io.Workers;
import lockstep.recovery.ControlFile;
import lockstep.recovery.ControlStore;
import lockstep.recovery.EpochNote;
import lockstep.recovery.Epochs;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.DegradedRange;
import lockstep.transport.api.Message.Keepalive;
import lockstep.transport.api.Message.MoveRefused;
import lockstep.transport.api.Message.MoveRequest;
import lockstep.transport.api.Message.Reason;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.SessionSuccession;
import lockstep.transport.api.Message.StartReplication;
import lockstep.transport.api.Message.SwitchoverAnswer;
import lockstep.transport.api.Message.SwitchoverRequest;
import lockstep.transport.api.Message.TakeOver;
import lockstep.transport.api.Message.TookOver;
import lockstep.transport.api.Message.WalData;
import lockstep.transport.api.Session;
import lockstep.transport.api.Term;
import lockstep.wal.ReadResult;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalChecker;
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
 * Receives WAL: checks it, hands it to the WAL buffers, from where the WAL writer brings it to the disk, and has it
 * acknowledged.
 *
 * <p><b>Idea.</b> Three positions say it all: how far WAL has been <i>received</i> (the end of the WAL buffers), how far it
 * has been <i>checked</i> (the end of the last record whose CRC and link are right), and how far the primary has
 * <i>flushed</i>. Acknowledged is what is on the disk and checked; redone is what, besides, the primary cannot lose any
 * more. A new session asks from what has been received, in the middle of a record if need be: the checker goes on where it
 * stopped, so that changing the transport costs no byte twice and nothing on the disk.
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
 * <p><b>WAL that is not valid</b> is never stored past its last good record nor acknowledged. The primary is told, the
 * session ends, and the range is asked for again; when it is bad at the same place once more, after the retry interval.
 *
 * <p><b>WAL from the archive</b> ({@link WalSupply}) comes while there is no session, and takes the same way. Where both have WAL, the
 * archive's counts: it had been flushed by the primary. What is here besides and was never known to be flushed may be the only copy
 * of a commit, so it is cut back only where the archive has other bytes. An epoch that begins in such WAL is known from its first
 * record ({@link EpochNote}), and is stored in the control file before that WAL may be redone.
 *
 * <p><b>Back-pressure.</b> While the WAL buffers are full, because the disk is slow or has no room, the session's thread waits
 * here, and with it the transport and in the end the primary's sender; nothing piles up. Each piece is checked and stored in
 * one step of exactly the size there is room for, so that a session may end between any two.
 *
 * <p><b>Moving.</b> While the standby goes over to another session of the same log, WAL comes over both, and each byte counts
 * where it comes first: the later one is left out, by position. The new session is sent WAL from what had been received when
 * it was opened, so it lacks nothing; when it has come as far as the old one was when it was agreed on, it takes over,
 * acknowledgements too. A server whose log takes another course cannot be moved to like that: both sessions are ended then, and it
 * is asked like any other.
 *
 * <p><b>Threads.</b> Messages come on the threads of sessions, one at a time; positions may be read from any. What a batch of them
 * brought of a PostgreSQL server's log is flushed and acknowledged on the same thread, if it is little ({@link Wal#flushNow}):
 * between WAL that comes and the answer to it no thread has to be woken.
 */
final class WalReceiver implements Conversation {
    private static final Logger log = LoggerFactory.getLogger(WalReceiver.class);

    private static final long ROOM_WAIT_NANOS = TimeUnit.MICROSECONDS.toNanos(50);

    /** While the disk is full, the writer tries at its own pace. */
    private static final long FULL_DISK_WAIT_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private static final int ARCHIVE_PIECE_BYTES = 128 << 10;
    private static final long TICK_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long LEAVE_WAIT_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final Supplier<StandbyConfig> config;
    private final ControlStore control;
    private final Wal wal;
    private final WalIdentity identity;
    private final ContinuousRedo redo;
    private final Optional<CheckedLog> checkedLog;
    private final FlushMarks marks;
    private final MissingWal missing;
    private final Upstream upstream;
    private final Downstream downstream;
    private final Rewind rewind;
    private final Succession succession;
    private final Workers workers;
    private final Clock clock;
    private final LongSupplier beforeRound;
    private final Acknowledger acks;

    /** What comes over a session: WAL without a gap, once the primary has said from where, and that was right. */
    private static final class Stream {
        private final Session session;
        private final long askedLsn;
        private volatile boolean agreed;
        private long nextLsn;

        /** Where a successor takes over. */
        private long moveLsn;

        Stream(Session session, long askedLsn) {
            this.session = session;
            this.askedLsn = askedLsn;
        }
    }

    /** Used by one session's thread at a time, as is what follows. */
    private WalChecker checker;

    private volatile Stream present;

    /** The stream of a session that is to take the place of the present one; null if there is none. */
    private Stream coming;

    /** The primary has handed over: nothing that it says counts any more. */
    private volatile boolean takingOver;

    private long lastCorruptLsn = -1;

    /** Up to where the bytes are known to be those of the archive; on the worker {@code wal-receiver} and in sessions. */
    private long archivedLsn;

    private volatile long checkedLsn;

    /** The end of the last record that was seen to be settled; see {@link #settledLsn}. Redo may be behind it. */
    private volatile long settledRecordLsn;

    /** The end of a later record, which is looked at until it is settled. */
    private long settlingRecordLsn;

    private volatile long primaryFlushedLsn;
    private volatile long startLsn;
    private volatile long latestEndLsn;
    private volatile long sentMicros;
    private final AtomicLong corruptions = new AtomicLong();

    /**
     * Continues the WAL.
     *
     * @param lastRecordLsn where its last record begins, or {@link WalReader#UNKNOWN}
     * @param primaryFlushedLsn up to where the primary is known to have flushed
     * @param beforeRound see {@link Conversation#beforeRound}
     */
    WalReceiver(
            Supplier<StandbyConfig> config,
            ControlStore control,
            Wal wal,
            WalIdentity identity,
            ContinuousRedo redo,
            Optional<CheckedLog> checkedLog,
            FlushMarks marks,
            MissingWal missing,
            Upstream upstream,
            Downstream downstream,
            Rewind rewind,
            Succession succession,
            Workers workers,
            Clock clock,
            long lastRecordLsn,
            long primaryFlushedLsn,
            LongSupplier beforeRound) {
        this.config = config;
        this.control = control;
        this.wal = wal;
        this.identity = identity;
        this.redo = redo;
        this.checkedLog = checkedLog;
        this.marks = marks;
        this.missing = missing;
        this.upstream = upstream;
        this.downstream = downstream;
        this.rewind = rewind;
        this.succession = succession;
        this.workers = workers;
        this.clock = clock;
        this.primaryFlushedLsn = primaryFlushedLsn;
        this.beforeRound = beforeRound;
        checkFrom(wal.filledLsn(), lastRecordLsn);
        // What PostgreSQL wrote is redone by PostgreSQL alone: nothing of it is ever applied here, perhaps by standbys
        // of this one.
        long appliedByOthers = config.get().acknowledging().isPresent() ? Long.MAX_VALUE : Lsn.INVALID;
        LongSupplier appliedLsn = identity.format().isPostgres() ? () -> appliedByOthers : redo::appliedLsn;
        acks = new Acknowledger(wal, () -> checkedLsn, appliedLsn, downstream::acknowledgedLsn, clock);
        downstream.onProgress(acks::moved);
        wal.addListener(acks);
    }

    private void checkFrom(long lsn, long lastRecordLsn) {
        checkedLog.ifPresent(passed -> passed.goOnFrom(lsn));
        checker = checkedLog.isPresent()
                ? new WalChecker(identity, lsn, lastRecordLsn, checkedLog.get())
                : new WalChecker(identity, lsn, lastRecordLsn);
        checkedLsn = lsn;
    }

    /** Returns up to where WAL may be redone: checked, on this disk, and on the primary's. */
    long appliableLsn() {
        return Math.min(acks.flushedLsn(), primaryFlushedLsn);
    }

    /**
     * Returns the end of a record, or a position before where redo of a base backup begins: all WAL before it is on this disk, and
     * on the primary's, and no log is ever cut back below it.
     */
    long settledLsn() {
        long checked = checkedLsn;
        return checked <= Math.min(wal.flushedLsn(), primaryFlushedLsn)
                ? checked
                : Math.max(settledRecordLsn, Math.min(redo.appliedLsn(), acks.flushedLsn()));
    }

    /** Redo has moved. */
    void applied() {
        acks.moved();
    }

    @Override
    public void begin(Session session) {
        takingOver = false;
        coming = null;
        present = ask(session, false);
    }

    @Override
    public boolean canMove() {
        Stream stream = present;
        return stream != null && stream.agreed && !takingOver;
    }

    @Override
    public void beginSuccessor(Session session) {
        coming = ask(session, true);
    }

    private Stream ask(Session session, boolean succeeds) {
        ControlFile file = control.get();
        Stream stream = new Stream(session, wal.filledLsn());
        session.send(downstream.status());
        if (succeeds) {
            session.send(new SessionSuccession());
        }
        session.send(new StartReplication(
                config.get().name(),
                config.get().slotName(),
                file.systemId(),
                identity.history().timelineBefore(stream.askedLsn),
                file.epochs().last().number(),
                stream.askedLsn,
                file.heardTerm()));
        return stream;
    }

    private Stream streamOf(Session session) {
        if (coming != null && coming.session == session) {
            return coming;
        }
        return present != null && present.session == session ? present : null;
    }

    @Override
    public void received(Session session, Message message) throws IOException {
        if (takingOver) {
            return;
        }
        Stream stream = streamOf(session);
        if (stream == null) {
            return;
        }
        if (message instanceof WalData data && stream.agreed) {
            sentMicros = data.sentAtMicros();
            latestEndLsn = data.endLsn();
            take(stream, data);
            primaryFlushed(data.flushedLsn());
        } else if (message instanceof Keepalive keepalive) {
            if (!stream.agreed) {
                // Whose flush position it tells is not known yet.
                return;
            }
            sentMicros = keepalive.sentAtMicros();
            latestEndLsn = keepalive.endLsn();
            primaryFlushed(keepalive.flushedLsn());
            // On a session to come, a status would say that this standby has moved over to it.
            if (keepalive.replyRequested() && stream == present) {
                acks.send(false);
            }
        } else if (message instanceof ReplicationStarted started && !stream.agreed) {
            started(stream, started);
        } else if (message instanceof DegradedRange degraded) {
            missing.told(degraded);
            downstream.degraded(degraded);
        } else if (message instanceof MoveRequest asked) {
            move(asked.scheme());
        } else if (message instanceof SwitchoverRequest asked && stream == present && stream.agreed) {
            acks.say(succession.answer(asked.primaryName()));
        } else if (message instanceof TakeOver handedOver && stream == present && stream.agreed) {
            takeOver(handedOver.endLsn());
        } else {
            upstream.refuse(
                    RefusalCode.PROTOCOL,
                    "the primary sent " + message.getClass().getSimpleName() + ", which has no place here");
        }
    }

    @SuppressWarnings("FutureReturnValueIgnored") // all that is left to do when it completes is done here
    private void move(String scheme) {
        upstream.moveTo(scheme).whenComplete((there, stays) -> {
            if (stays != null) {
                acks.say(new MoveRefused(scheme, stays.getMessage()));
            }
        });
    }

    /**
     * The primary has handed over. Nothing comes from it any more, and no other session is opened before it is decided what becomes
     * of it: the primary takes the next question for WAL as the word that this server has not taken over.
     */
    private void takeOver(long endLsn) {
        if (wal.filledLsn() != endLsn || acks.flushedLsn() != endLsn) {
            decline("the primary's WAL ends at " + Lsn.text(endLsn) + ", this standby has it up to "
                    + Lsn.text(wal.filledLsn()) + " and has flushed it up to " + Lsn.text(acks.flushedLsn()));
            return;
        }
        takingOver = true;
        upstream.openNoOther(true);
        if (!succession.takeOver()) {
            takingOver = false;
            upstream.openNoOther(false);
            decline("it is being promoted by an operator");
        }
    }

    /** Tells the primary that handed over that this server has taken its place. */
    void tookOver(TimelineHistory history) {
        acks.say(new TookOver(history.timeline(), history.startLsn()));
    }

    /** Tells the primary that handed over that this server goes on as a standby, for now. */
    void decline(String why) {
        acks.say(new SwitchoverAnswer("", why));
    }

    private void primaryFlushed(long lsn) {
        if (lsn > primaryFlushedLsn) {
            primaryFlushedLsn = lsn;
            redo.limitMoved();
            downstream.primaryFlushed();
        }
    }

    // The beginning of a session.

    private void started(Stream stream, ReplicationStarted answer) throws IOException {
        ControlFile file = control.get();
        long endLsn = wal.filledLsn();
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
            compare(stream, answer, file, endLsn);
        }
    }

    /** Finds out up to where both logs are the same, and cuts off what is here behind that place, if that may be. */
    private void compare(Stream stream, ReplicationStarted answer, ControlFile file, long endLsn) throws IOException {
        TimelineHistory history;
        Epochs epochs;
        try {
            history = TimelineHistory.parse(answer.timeline(), answer.history());
            epochs = new Epochs(answer.epochs());
        } catch (IllegalArgumentException e) {
            upstream.refuse(RefusalCode.PROTOCOL, "the primary's timelines or epochs make no sense: " + e.getMessage());
            return;
        }
        heardOf(new Term(answer.timeline(), epochs.last().number()));
        if (stream == coming || stream.askedLsn < endLsn) {
            join(stream, answer, history.equals(identity.history()) && epochs.equals(file.epochs()));
            return;
        }
        long forkLsn =
                Math.min(identity.history().sharedLsn(history), file.epochs().sharedLsn(epochs));
        long keepLsn = Math.min(answer.startLsn(), forkLsn);
        boolean mine = file.state() != ControlFile.State.IN_RECOVERY;
        if (keepLsn < endLsn) {
            if (rewind.isRequested()) {
                if (!rewind(keepLsn, endLsn)) {
                    return;
                }
            } else if (!mine && keepLsn >= lastSettledLsn()) {
                log.warn(
                        "the WAL is cut back from {} to {}: the rest is not part of the primary's log, and was never flushed"
                                + " by the one it came from",
                        Lsn.text(endLsn),
                        Lsn.text(keepLsn));
                cutBack(keepLsn, WalReader.UNKNOWN);
            } else {
                diverged(answer, keepLsn, endLsn);
                return;
            }
        }
        if (keepLsn < answer.startLsn()) {
            control.update(present -> present.rewound(keepLsn));
            upstream.end("the primary is asked anew, from " + Lsn.text(keepLsn) + ", where both logs part");
            return;
        }
        agree(stream, answer, history, epochs);
    }

    /** Keeps what it has heard of, whatever comes of it: who is asked next shall know. PostgreSQL's servers have no use for it. */
    private void heardOf(Term term) throws IOException {
        ControlFile file = control.get();
        if (!file.format().isPostgres() && file.isForeign(term) && term.compareTo(file.fencedBy()) > 0) {
            control.update(present -> present.fenced(term));
        }
    }

    /** Takes WAL over this session too, or in the place of one that has ended meanwhile. */
    private void join(Stream stream, ReplicationStarted answer, boolean isSameCourse) {
        if (!isSameCourse || answer.startLsn() != stream.askedLsn) {
            upstream.end("the log of " + upstream.speaker()
                    + " takes another course, and is asked for anew, without the session before");
            return;
        }
        agreed(stream, answer);
        stream.moveLsn = wal.filledLsn();
        if (stream == present) {
            goOn(stream, answer);
        } else if (stream.nextLsn >= stream.moveLsn) {
            moveOver();
        }
    }

    private void goOn(Stream stream, ReplicationStarted answer) {
        upstream.streaming("streaming WAL from " + Lsn.text(startLsn) + " on timeline " + answer.timeline());
        acks.begin(stream.session);
    }

    private void agreed(Stream stream, ReplicationStarted answer) {
        stream.agreed = true;
        stream.nextLsn = answer.startLsn();
        if (stream == present) {
            startLsn = answer.startLsn();
            primaryFlushedLsn = answer.flushedLsn();
            redo.limitMoved();
        } else {
            primaryFlushed(answer.flushedLsn());
        }
    }

    /** Goes on over the session to come alone. */
    private void moveOver() {
        present = coming;
        coming = null;
        startLsn = present.nextLsn;
        upstream.moved("at " + Lsn.text(startLsn));
        acks.begin(present.session);
    }

    private void diverged(ReplicationStarted answer, long keepLsn, long endLsn) throws IOException {
        boolean mine = control.get().state() != ControlFile.State.IN_RECOVERY;
        upstream.refuse(
                RefusalCode.START_AHEAD,
                "the primary at " + upstream.speaker() + ", on timeline " + answer.timeline()
                        + ", has the log of this server only up to " + Lsn.text(keepLsn) + ", this server has it up to "
                        + Lsn.text(endLsn) + " on timeline "
                        + identity.history().timelineBefore(endLsn)
                        + (mine
                                ? ", which it wrote itself as a primary"
                                : "; the primary before had flushed it up to " + Lsn.text(primaryFlushedLsn)
                                        + ", and it has been redone here up to " + Lsn.text(redo.appliedLsn()))
                        + ". The primary has lost WAL, or has replaced another one. If it is the one to go on with, stop this"
                        + " server and run: lockstep rewind DIR --from " + upstream.speaker());
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
            cutOffSettled(keepLsn);
            if (identity.format().isPostgres()) {
                redo.returnTo(keepLsn);
            }
        });
        if (!possible[0]) {
            upstream.backOff("it cannot be rewound");
        }
        return possible[0];
    }

    /**
     * Cuts off WAL that had been settled, while redo is held. First nothing is claimed of it any more: a crash in the midst of the
     * cut must not make damage of it.
     */
    private void cutOffSettled(long lsn) throws IOException {
        checkedLsn = lsn;
        settledRecordLsn = Math.min(settledRecordLsn, lsn);
        settlingRecordLsn = settledRecordLsn;
        control.update(present -> present.rewound(lsn));
        marks.remember(Math.min(lsn, marks.primaryFlushedLsn()), Math.min(lsn, marks.flushedLsn()));
        wal.truncate(lsn);
        checkFrom(lsn, WalReader.UNKNOWN);
        primaryFlushedLsn = Math.min(primaryFlushedLsn, lsn);
    }

    /** Returns the end of the last whole record that is here and that the primary had flushed. */
    private long lastSettledLsn() throws IOException {
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

    private void agree(Stream stream, ReplicationStarted answer, TimelineHistory history, Epochs epochs)
            throws IOException {
        if (!history.equals(identity.history())) {
            log.info("this standby follows {}", history);
            wal.follow(history, () -> control.update(present -> present.following(history, epochs)));
            downstream.endSessions("this server follows timeline " + history.timeline());
        } else if (!epochs.equals(control.get().epochs()) || control.get().state() != ControlFile.State.IN_RECOVERY) {
            control.update(present -> present.following(history, epochs));
            downstream.endSessions("this server has learned of a new epoch of the log");
        }
        rewind.done();
        archivedLsn = 0;
        agreed(stream, answer);
        goOn(stream, answer);
    }

    /** Cuts the WAL back, in memory and on the disk. */
    private void cutBack(long lsn, long lastRecordLsn) throws IOException {
        downstream.endSessions("this server cuts its WAL back to " + Lsn.text(lsn));
        checkedLsn = lsn;
        settledRecordLsn = Math.min(settledRecordLsn, lsn);
        settlingRecordLsn = settledRecordLsn;
        wal.awaitFlushed(lsn);
        redo.whileHeld(() -> wal.truncate(lsn));
        checkFrom(lsn, lastRecordLsn);
    }

    // WAL.

    private void take(Stream stream, WalData data) throws IOException {
        if (data.startLsn() != stream.nextLsn) {
            upstream.refuse(
                    RefusalCode.PROTOCOL,
                    "WAL from " + Lsn.text(data.startLsn()) + " came, expected from " + Lsn.text(stream.nextLsn));
            return;
        }
        ByteBuffer bytes = data.bytes().duplicate();
        int known = (int) Math.min(wal.filledLsn() - stream.nextLsn, bytes.remaining());
        stream.nextLsn += bytes.remaining();
        if (!store(bytes.position(bytes.position() + known), bytes.limit())) {
            return;
        }
        if (stream == coming && stream.nextLsn >= stream.moveLsn) {
            moveOver();
        } else if (known > 0 && stream == present) {
            // What was acknowledged before it had been sent over this session did not count there.
            acks.send(false);
        }
    }

    /** Stores what comes, as there is room; returns whether all could be. */
    private boolean store(ByteBuffer bytes, int end) throws IOException {
        while (bytes.position() < end) {
            int room = (int) Math.min(wal.receiveRoomBytes(), end - bytes.position());
            if (room == 0) {
                if (upstream.isEnding()) {
                    return false;
                }
                waitForRoom();
                continue;
            }
            bytes.limit(bytes.position() + room);
            try {
                store(bytes);
            } catch (WalCorruptionException e) {
                corrupted(e);
                return false;
            }
            bytes.limit(end).position(bytes.position() + room);
        }
        return true;
    }

    private void waitForRoom() {
        if (acks.isDiskFull()) {
            workers.pause(FULL_DISK_WAIT_NANOS);
        } else {
            wal.wakeWriter();
            workers.pause(ROOM_WAIT_NANOS);
        }
    }

    /** Checks and stores a piece for which there is room; of one that is not good, only the records before that. */
    private void store(ByteBuffer piece) throws IOException {
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

    private void corrupted(WalCorruptionException found) {
        String text = "WAL that came from the primary is not valid, and is asked for again from " + Lsn.text(checkedLsn)
                + ": " + found.getMessage();
        log.error("{}", text);
        corruptions.incrementAndGet();
        acks.explain(Reason.CRC_MISMATCH, found.lsn(), text);
        boolean again = lastCorruptLsn == found.lsn();
        lastCorruptLsn = found.lsn();
        if (again) {
            upstream.backOff(text);
        } else {
            upstream.end(text);
        }
    }

    // WAL from the archive, while there is no session.

    /** Returns from where on WAL is of use that the archive has: all before it is here, and the primary's. */
    long neededFromArchiveLsn() throws IOException {
        return Math.max(archivedLsn, Math.min(lastSettledLsn(), wal.filledLsn()));
    }

    /**
     * Takes the segment of the archive that holds {@link #neededFromArchiveLsn}, and lets redo have it.
     *
     * @param stopped whether the server is stopping, so that the rest can wait
     * @return whether it is WAL to its end; if not, nothing was written in the rest of it
     * @throws WalCorruptionException if it is not valid; the records before are taken
     */
    boolean takeArchived(DiskFile segment, BooleanSupplier stopped) throws IOException {
        WalLayout layout = identity.layout();
        long fromLsn = neededFromArchiveLsn();
        long settled = lastSettledLsn();
        long segmentEndLsn = layout.segmentStart(layout.segmentOf(fromLsn) + 1);
        long bothLsn = Math.min(wal.filledLsn(), segmentEndLsn);
        long sameLsn = sameUpTo(segment, fromLsn, bothLsn);
        if (sameLsn < bothLsn) {
            if (isUnwritten(segment, sameLsn & -WalLayout.ALIGNMENT)) {
                return false;
            }
            log.warn(
                    "the WAL is cut back from {} to {}: the archive has other WAL there, so the primary lost it in a crash",
                    Lsn.text(wal.filledLsn()),
                    Lsn.text(fromLsn));
            cutBack(fromLsn, WalReader.UNKNOWN);
        }
        boolean whole = true;
        try {
            storeArchived(segment, segmentEndLsn, stopped);
        } catch (WalCorruptionException e) {
            whole = false;
            if (!isUnwritten(segment, checkedLsn)) {
                throw e;
            }
        } finally {
            archivedLsn = Math.min(segmentEndLsn, wal.filledLsn());
            learnEpochs(settled);
            primaryFlushed(Math.min(checkedLsn, segmentEndLsn));
            wal.wakeWriter();
        }
        return whole;
    }

    private void storeArchived(DiskFile segment, long segmentEndLsn, BooleanSupplier stopped) throws IOException {
        ByteBuffer piece = ByteBuffer.allocateDirect(ARCHIVE_PIECE_BYTES);
        while (wal.filledLsn() < segmentEndLsn && !stopped.getAsBoolean()) {
            long lsn = wal.filledLsn();
            int room = (int) Math.min(Math.min(wal.receiveRoomBytes(), piece.capacity()), segmentEndLsn - lsn);
            if (room == 0) {
                waitForRoom();
                continue;
            }
            read(segment, lsn, piece.clear().limit(room));
            store(piece.flip());
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
        ByteBuffer theirs = ByteBuffer.allocateDirect(ARCHIVE_PIECE_BYTES);
        ByteBuffer ours = ByteBuffer.allocateDirect(ARCHIVE_PIECE_BYTES);
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

    /**
     * Goes over to another timeline, which may begin further on. What is here past the place where the two part is cut off if it
     * was never known to be flushed by a primary.
     *
     * @return whether it is a timeline of this log
     */
    boolean follow(TimelineHistory next) throws IOException {
        long sharedLsn = identity.history().sharedLsn(next);
        if (!next.contains(identity.timeline()) || sharedLsn < Math.min(lastSettledLsn(), wal.filledLsn())) {
            return false;
        }
        if (sharedLsn < wal.filledLsn()) {
            cutBack(sharedLsn, WalReader.UNKNOWN);
            archivedLsn = Math.min(archivedLsn, sharedLsn);
        }
        wal.follow(next, () -> control.update(present -> present.with(next)));
        downstream.endSessions("this server follows timeline " + next.timeline());
        return true;
    }

    /** Stores the epochs that begin in WAL from the archive. */
    private void learnEpochs(long fromLsn) throws IOException {
        Epochs known = control.get().epochs();
        Epochs learnt = known;
        try (WalSource source = wal.source()) {
            WalReader reader = new WalReader(source, identity);
            reader.seek(fromLsn, WalReader.UNKNOWN);
            WalRecord record = new WalRecord();
            while (reader.next(record, checkedLsn) == ReadResult.RECORD) {
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

    /** Lets redo have all whole records that are here, because no primary will ever say how far it had flushed them. */
    void countAll() {
        primaryFlushed(checkedLsn);
    }

    /** Returns whether all whole records that are here are on the disk. */
    boolean isAllFlushed() {
        return acks.flushedLsn() >= checkedLsn;
    }

    /** Returns how much WAL is here that the primary is known to have flushed, and that has not been redone. */
    long aheadOfRedoBytes() {
        return Math.min(primaryFlushedLsn, wal.filledLsn()) - redo.appliedLsn();
    }

    /** Returns the end of the last whole record that is here. */
    long lastCheckedLsn() {
        return checkedLsn;
    }

    @Override
    public long beforeRound() {
        return beforeRound.getAsLong();
    }

    @Override
    public void endOfBatch() {
        if (identity.format().isPostgres()) {
            wal.flushNow();
        } else {
            // A primary of our own sends before it has flushed, and tells of that while the writer is at work here.
            wal.wakeWriter();
        }
    }

    @Override
    public boolean ended(Session session) {
        if (coming != null && coming.session == session) {
            coming = null;
            return true;
        }
        acks.end();
        wal.wakeWriter();
        present = coming;
        coming = null;
        if (present == null || !present.agreed) {
            return false;
        }
        acks.begin(present.session);
        return true;
    }

    // The clock.

    @Override
    public long tick() {
        if (acks.sentAgoNanos() >= TimeUnit.MILLISECONDS.toNanos(config.get().statusIntervalMs())) {
            acks.send(false);
        }
        acks.tell(downstream.status());
        remember();
        return TICK_NANOS;
    }

    private void remember() {
        try {
            long settled = settledLsn();
            marks.remember(settled, settled);
        } catch (IOException e) {
            log.warn("could not remember how far the primary has flushed: {}", e.getMessage());
        }
    }

    @Override
    public void probe() {
        acks.send(true);
    }

    @Override
    public void leave() {
        long deadline = clock.nanos() + LEAVE_WAIT_NANOS;
        wal.wakeWriter();
        while (wal.flushedLsn() < wal.filledLsn() && !acks.isDiskFull() && clock.nanos() < deadline) {
            workers.pause(ROOM_WAIT_NANOS);
        }
        acks.send(false);
        acks.explain(
                Reason.LEAVING,
                wal.flushedLsn(),
                "the standby \"" + config.get().name() + "\" is being stopped");
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
        wal.removeListener(acks);
        acks.end();
        remember();
    }

    /** Tells the primary that this server stops because its disk failed. */
    void panic(String message) {
        acks.explain(Reason.FSYNC_ERROR, wal.flushedLsn(), message);
    }

    // Status.

    Acknowledger acks() {
        return acks;
    }

    long primaryFlushedLsn() {
        return primaryFlushedLsn;
    }

    long startLsn() {
        return startLsn;
    }

    long latestEndLsn() {
        return latestEndLsn;
    }

    long sentMicros() {
        return sentMicros;
    }

    long corruptions() {
        return corruptions.get();
    }
}
