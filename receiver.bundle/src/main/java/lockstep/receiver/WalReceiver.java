package lockstep.receiver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import lockstep.io.Clock;
import lockstep.io.Workers;
import lockstep.recovery.ControlFile;
import lockstep.recovery.ControlStore;
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
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalCorruptionException;
import lockstep.wal.WalIdentity;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Receives WAL over sessions: hands it to the log, which checks and stores it ({@link ReceivedLog}), and has it acknowledged.
 *
 * <p><b>Idea.</b> A session asks from what has been received, in the middle of a record if need be: the log goes on where it
 * stopped, so that changing the transport costs no byte twice and nothing on the disk. WAL is taken once the primary has said what
 * course its log took, and that is the one of this server ({@link Agreement}).
 *
 * <p><b>WAL that is not valid</b> is neither stored nor acknowledged. The primary is told, the session ends, and the range is
 * asked for again; when it is bad at the same place once more, after the retry interval.
 *
 * <p><b>Back-pressure.</b> While there is no room in the log the session's thread waits here, and with it the transport and in the
 * end the primary's sender. A session may end meanwhile, between any two pieces of what it brought.
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

    private static final long TICK_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long LEAVE_WAIT_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LEAVE_LOOK_NANOS = TimeUnit.MICROSECONDS.toNanos(50);

    private final Supplier<StandbyConfig> config;
    private final ControlStore control;
    private final Wal wal;
    private final WalIdentity identity;
    private final ReceivedLog receivedLog;
    private final Agreement agreement;
    private final WalSupply supply;
    private final MissingWal missing;
    private final Upstream upstream;
    private final Downstream downstream;
    private final Succession succession;
    private final Workers workers;
    private final Clock clock;
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

    /** Changed by one session's thread at a time, as is what follows. */
    private volatile Stream present;

    /** The stream of a session that is to take the place of the present one; null if there is none. */
    private Stream coming;

    /** The primary has handed over: nothing that it says counts any more. */
    private volatile boolean takingOver;

    private long lastCorruptLsn = -1;

    private volatile long startLsn;
    private volatile long latestEndLsn;
    private volatile long sentMicros;
    private final AtomicLong corruptions = new AtomicLong();

    WalReceiver(
            Supplier<StandbyConfig> config,
            ControlStore control,
            Wal wal,
            WalIdentity identity,
            ReceivedLog receivedLog,
            Agreement agreement,
            WalSupply supply,
            ContinuousRedo redo,
            MissingWal missing,
            Upstream upstream,
            Downstream downstream,
            Succession succession,
            Workers workers,
            Clock clock) {
        this.config = config;
        this.control = control;
        this.wal = wal;
        this.identity = identity;
        this.receivedLog = receivedLog;
        this.agreement = agreement;
        this.supply = supply;
        this.missing = missing;
        this.upstream = upstream;
        this.downstream = downstream;
        this.succession = succession;
        this.workers = workers;
        this.clock = clock;
        // What PostgreSQL wrote is redone by PostgreSQL alone: nothing of it is ever applied here, perhaps by standbys
        // of this one.
        long appliedByOthers = config.get().acknowledging().isPresent() ? Long.MAX_VALUE : Lsn.INVALID;
        LongSupplier appliedLsn = identity.format().isPostgres() ? () -> appliedByOthers : redo::appliedLsn;
        acks = new Acknowledger(receivedLog, wal, appliedLsn, downstream::acknowledgedLsn, clock);
        downstream.onProgress(acks::moved);
        wal.addListener(acks);
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
            receivedLog.primaryFlushed(data.flushedLsn());
        } else if (message instanceof Keepalive keepalive) {
            if (!stream.agreed) {
                // Whose flush position it tells is not known yet.
                return;
            }
            sentMicros = keepalive.sentAtMicros();
            latestEndLsn = keepalive.endLsn();
            receivedLog.primaryFlushed(keepalive.flushedLsn());
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
        if (wal.filledLsn() != endLsn || receivedLog.flushedLsn() != endLsn) {
            decline("the primary's WAL ends at " + Lsn.text(endLsn) + ", this standby has it up to "
                    + Lsn.text(wal.filledLsn()) + " and has flushed it up to " + Lsn.text(receivedLog.flushedLsn()));
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

    // The beginning of a session.

    private void started(Stream stream, ReplicationStarted answer) throws IOException {
        if (stream == coming || stream.askedLsn < wal.filledLsn()) {
            if (agreement.holdsFor(answer, stream.askedLsn)) {
                join(stream, answer);
            }
        } else if (agreement.reach(answer)) {
            agreed(stream, answer);
            goOn(stream, answer);
        }
    }

    /** Takes WAL over this session too, or in the place of one that has ended meanwhile. */
    private void join(Stream stream, ReplicationStarted answer) {
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
            receivedLog.newPrimaryFlushed(answer.flushedLsn());
        } else {
            receivedLog.primaryFlushed(answer.flushedLsn());
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
            int room = receivedLog.roomBytes(end - bytes.position());
            if (room == 0) {
                if (upstream.isEnding()) {
                    return false;
                }
                receivedLog.awaitRoom();
                continue;
            }
            bytes.limit(bytes.position() + room);
            try {
                receivedLog.store(bytes);
            } catch (WalCorruptionException e) {
                corrupted(e);
                return false;
            }
            bytes.limit(end).position(bytes.position() + room);
        }
        return true;
    }

    private void corrupted(WalCorruptionException found) {
        String text = "WAL that came from the primary is not valid, and is asked for again from "
                + Lsn.text(receivedLog.checkedLsn()) + ": " + found.getMessage();
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

    @Override
    public long beforeRound() {
        return supply.beforeRound();
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
        receivedLog.remember();
        return TICK_NANOS;
    }

    @Override
    public void probe() {
        acks.send(true);
    }

    @Override
    public void leave() {
        long deadline = clock.nanos() + LEAVE_WAIT_NANOS;
        wal.wakeWriter();
        while (wal.flushedLsn() < wal.filledLsn() && !receivedLog.isDiskFull() && clock.nanos() < deadline) {
            workers.pause(LEAVE_LOOK_NANOS);
        }
        acks.send(false);
        acks.explain(
                Reason.LEAVING,
                wal.flushedLsn(),
                "the standby \"" + config.get().name() + "\" is being stopped");
    }

    /** Acknowledges nothing more. The writer has ended, and the upstream been closed. */
    void close() {
        wal.removeListener(acks);
        acks.end();
    }

    /** Tells the primary that this server stops because its disk failed. */
    void panic(String message) {
        acks.explain(Reason.FSYNC_ERROR, wal.flushedLsn(), message);
    }

    // Status.

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
