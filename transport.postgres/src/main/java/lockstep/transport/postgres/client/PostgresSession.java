package lockstep.transport.postgres.client;

import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Epoch;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.BackupEnded;
import lockstep.transport.api.Message.BackupStarted;
import lockstep.transport.api.Message.BaseBackupRequest;
import lockstep.transport.api.Message.Keepalive;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.StandbyStatus;
import lockstep.transport.api.Message.StartReplication;
import lockstep.transport.api.Message.WalData;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.postgres.protocol.ReplicationMessage;
import lockstep.transport.postgres.protocol.ReplicationMessage.ServerKeepalive;
import lockstep.transport.postgres.protocol.ReplicationMessage.StatusUpdate;
import lockstep.transport.postgres.protocol.ReplicationMessage.WalPiece;
import lockstep.wal.TimelineHistory;
import lockstep.wal.WalFormat;
import lockstep.wal.WalLayout;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A session with a PostgreSQL server: says in PostgreSQL's words what a standby asks, and in Lockstep's what the server answers.
 *
 * <pre>
 *   Lockstep                            PostgreSQL
 *   BaseBackupRequest             →     IDENTIFY_SYSTEM, SHOW wal_segment_size, [CREATE_ and] READ_REPLICATION_SLOT
 *   BackupStarted, BackupEnded    ←     no files: the log begins at the start of the segment that the slot holds, or else of
 *                                       the server's present one
 *   StartReplication              →     IDENTIFY_SYSTEM, TIMELINE_HISTORY, START_REPLICATION at the exact byte
 *   ReplicationStarted            ←     the first word of the copy; before it, an error is a {@link Refusal}
 *   WalData, Keepalive            ←     w, k
 *   StandbyStatus                 →     r
 *   close                         →     CopyDone, Terminate
 * </pre>
 *
 * <p><b>Threads.</b> The session's own thread ({@link #run}) does all of it, one request after the other, and sleeps in the socket while
 * a copy goes on. Others put requests before it, and send positions themselves.
 *
 * <p><b>What is flushed.</b> A PostgreSQL server sends only WAL that it has flushed, so all that it has is flushed, and its log is
 * never cut back: it has one epoch. Positions on both sides mean the same.
 *
 * <p><b>Timelines.</b> The standby is told the server's newest timeline and its history first, and follows that at once. The WAL
 * then comes timeline by timeline, each at the position where the one before ended, so that the standby hears of one stream. When
 * the server itself goes over to another, the session ends, and the next one begins with the new history.
 *
 * <p>What else Lockstep's servers tell each other has no words here, and is not sent.
 */
final class PostgresSession implements Session, ServerConnection.Copying {
    private static final Logger log = LoggerFactory.getLogger(PostgresSession.class);

    private static final long LAST_WORDS_MS = 1_000;
    private static final int FIRST_WITH_READ_SLOT = 15;

    /** A PostgreSQL server has no epochs; this stands for all of its log. */
    private static final List<Epoch> EPOCHS = List.of(new Epoch(1, 0));

    private static final String DUPLICATE_OBJECT = "42710";
    private static final String NO_SUCH_OBJECT = "42704";

    /** What a server says of itself. */
    private record Identity(long systemId, int timeline, long flushedLsn, int segmentBytes, String history) {
        WalLayout layout() {
            return new WalLayout(segmentBytes);
        }
    }

    /** Who waits for the session. Called on the session's thread. */
    interface Waiting {
        /** Takes the open session; returns who handles its messages, or null if it is wanted no more. */
        SessionHandler opened(PostgresSession session);

        /** Hears that there will be no session, or that one that was not taken has ended. */
        void failed(String why, Throwable reason);
    }

    private final ServerConnection connection;
    private final Waiting waiting;
    private final boolean makesSlot;

    /** What the standby asks; nothing when it asks no more. */
    private final BlockingQueue<Optional<Message>> requests = new LinkedBlockingQueue<>();

    private final CountDownLatch over = new CountDownLatch(1);
    private volatile Peer peer = new Peer("", "", false);
    /** Null before the session is open. */
    private volatile SessionHandler handler;

    private int version;
    private boolean delivered;

    /** Where the next byte of WAL must begin. */
    private long nextLsn;

    /** What agrees to a request, as soon as the server has begun to send. */
    private ReplicationStarted agreement;

    /** Why the session ends; null while it goes on. Written under the session's lock, as is what follows. */
    private volatile String cause;

    /** Sees to it that the session ends in time; null while it goes on. */
    private Thread farewell;

    /** @param makesSlot whether a slot that is not there is made, as on a server that has been promoted */
    PostgresSession(ServerConnection.Opening opening, boolean makesSlot, Waiting waiting) throws IOException {
        this.waiting = waiting;
        this.makesSlot = makesSlot;
        connection = new ServerConnection(opening);
    }

    ServerConnection connection() {
        return connection;
    }

    // The standby's side.

    @Override
    public void send(Message message) {
        if (cause != null) {
            return;
        }
        if (message instanceof StandbyStatus status) {
            try {
                connection.send(new StatusUpdate(
                        status.writtenLsn(),
                        status.flushedLsn(),
                        status.appliedLsn(),
                        status.sentAtMicros(),
                        status.replyRequested()));
            } catch (IOException e) {
                // Whoever reads hears it as well, and perhaps the server's reason first.
                log.debug("a status for {} could not be sent", peer.address(), e);
            }
        } else if (message instanceof BaseBackupRequest || message instanceof StartReplication) {
            requests.add(Optional.of(message));
        }
    }

    @Override
    public boolean isWritable() {
        return cause == null;
    }

    @Override
    public Peer peer() {
        return peer;
    }

    @Override
    public void close(String why) {
        boolean open = handler != null;
        synchronized (this) {
            if (cause != null) {
                return;
            }
            cause = why;
            requests.add(Optional.empty());
            if (open) {
                farewell = new Thread(this::endInTime, "postgres-farewell");
                farewell.setDaemon(true);
                farewell.start();
            }
        }
        try {
            if (open) {
                connection.endCopy();
            } else {
                connection.close();
            }
        } catch (IOException e) {
            log.debug("the connection with {} has ended", peer.address(), e);
        }
    }

    /** Gives the server some time to end its side; then the connection is closed anyway. */
    private void endInTime() {
        try {
            if (!over.await(LAST_WORDS_MS, TimeUnit.MILLISECONDS)) {
                connection.close();
            }
        } catch (InterruptedException | IOException e) {
            log.debug("closing the connection with {} failed", peer.address(), e);
        }
    }

    // The session's thread.

    /** Connects, and does what the standby asks, until the session ends. */
    void run(int timeoutMs) {
        try {
            connection.open(timeoutMs);
            if (isTaken()) {
                serve();
            }
            connection.terminate();
            end("the session has ended", null);
        } catch (IOException e) {
            end(String.valueOf(e.getMessage()), e);
        } catch (InterruptedException | RuntimeException | Error e) {
            log.error("the session with {} failed, which is a defect; it is closed", peer.address(), e);
            end("the session failed: " + e, e);
        }
    }

    /** Returns whether somebody takes the open session. */
    private boolean isTaken() throws IOException {
        peer = new Peer(connection.address(), "", false);
        String text = connection.parameter("server_version");
        try {
            version = Integer.parseInt(text.split("[^0-9]", 2)[0]);
            WalFormat.of(version);
        } catch (IllegalArgumentException e) {
            throw new IOException("the server is PostgreSQL \"" + text + "\": expected a version from 13 to 18", e);
        }
        handler = waiting.opened(this);
        return handler != null;
    }

    private void serve() throws IOException, InterruptedException {
        for (Optional<Message> next = requests.take(); next.isPresent() && cause == null; next = requests.take()) {
            try {
                if (next.get() instanceof BaseBackupRequest request) {
                    backup(request);
                } else if (next.get() instanceof StartReplication request) {
                    start(request);
                }
            } catch (RefusedException e) {
                deliver(new Refusal(e.code, e.getMessage()));
            } catch (ServerException e) {
                if (e.isFatal()) {
                    throw e;
                }
                deliver(new Refusal(code(e), e.getMessage() + advice(e)));
            } catch (IllegalArgumentException | ArithmeticException e) {
                throw new IOException("the server's answer makes no sense: " + e.getMessage(), e);
            }
            endOfBatch();
        }
    }

    private void end(String why, Throwable because) {
        Thread closing;
        synchronized (this) {
            if (cause == null) {
                cause = why;
            }
            closing = farewell;
        }
        try {
            connection.end();
        } catch (IOException e) {
            log.debug("closing the connection with {} failed", peer.address(), e);
        }
        try {
            if (handler != null) {
                handler.closed(cause);
            } else {
                waiting.failed(cause, because);
            }
        } catch (RuntimeException | Error e) {
            log.error("session with {}: ending it failed, which is a defect", peer.address(), e);
        }
        over.countDown();
        try {
            if (closing != null) {
                closing.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    // What the log is like.

    private Identity identify() throws IOException {
        List<List<String>> system = connection.command("IDENTIFY_SYSTEM");
        int segmentBytes = bytes(value(connection.command("SHOW wal_segment_size"), 0));
        int timeline = Integer.parseInt(value(system, 1));
        String history =
                timeline == TimelineHistory.FIRST ? "" : value(connection.command("TIMELINE_HISTORY " + timeline), 1);
        return new Identity(
                Long.parseUnsignedLong(value(system, 0)),
                timeline,
                Lsn.parse(value(system, 2)).value(),
                segmentBytes,
                history);
    }

    private static String value(List<List<String>> rows, int column) {
        String found = find(rows, column);
        if (found == null) {
            throw new IllegalArgumentException("the server's answer has no column " + (column + 1));
        }
        return found;
    }

    private static String find(List<List<String>> rows, int column) {
        return rows.isEmpty() || rows.get(0).size() <= column
                ? null
                : rows.get(0).get(column);
    }

    /** Reads a size such as {@code 16MB}. */
    private static int bytes(String text) {
        int shift = text.endsWith("GB") ? 30 : text.endsWith("MB") ? 20 : -1;
        if (shift < 0) {
            throw new IllegalArgumentException("wal_segment_size is " + text + ": expected a number and MB or GB");
        }
        return Math.toIntExact(Long.parseLong(text.substring(0, text.length() - 2)) << shift);
    }

    // The beginning of a log.

    private void backup(BaseBackupRequest request) throws IOException {
        Identity identity = identify();
        long held = slotStart(request);
        WalLayout layout = identity.layout();
        long startLsn = layout.segmentStart(layout.segmentOf(held == Lsn.INVALID ? identity.flushedLsn() : held));
        deliver(new BackupStarted(
                identity.systemId(),
                identity.timeline(),
                identity.segmentBytes(),
                startLsn,
                startLsn,
                EPOCHS,
                identity.history(),
                version));
        deliver(new BackupEnded(startLsn));
    }

    /** Makes the slot if that is wanted; returns from where it holds WAL, or {@link Lsn#INVALID}. */
    private long slotStart(BaseBackupRequest request) throws IOException {
        String slot = request.slotName();
        if (slot.isEmpty()) {
            return Lsn.INVALID;
        }
        if (request.createSlot()) {
            makeSlot(slot);
        }
        if (version < FIRST_WITH_READ_SLOT) {
            return Lsn.INVALID;
        }
        List<List<String>> rows = connection.command("READ_REPLICATION_SLOT " + quoted(slot));
        if (find(rows, 0) == null) {
            throw new RefusedException(
                    RefusalCode.NO_SUCH_SLOT,
                    "the server has no replication slot \"" + slot + "\". Give --create-slot as well to have it made");
        }
        String restart = find(rows, 1);
        return restart == null ? Lsn.INVALID : Lsn.parse(restart).value();
    }

    private void makeSlot(String slot) throws IOException {
        try {
            connection.command("CREATE_REPLICATION_SLOT " + quoted(slot) + " PHYSICAL RESERVE_WAL");
        } catch (ServerException e) {
            if (!e.sqlState().equals(DUPLICATE_OBJECT)) {
                throw e;
            }
        }
    }

    private static String quoted(String name) {
        return '"' + name.replace("\"", "\"\"") + '"';
    }

    // WAL.

    private void start(StartReplication request) throws IOException {
        Identity identity = identify();
        TimelineHistory history = TimelineHistory.parse(identity.timeline(), identity.history());
        long forkLsn = history.contains(request.timeline())
                ? history.endOf(request.timeline())
                : Math.min(request.startLsn(), history.startLsn());
        long startLsn = Math.min(request.startLsn(), forkLsn);
        agreement = new ReplicationStarted(
                identity.systemId(),
                identity.timeline(),
                identity.segmentBytes(),
                startLsn,
                identity.flushedLsn(),
                EPOCHS,
                identity.history());
        boolean ofAnotherMind = identity.systemId() != request.systemId()
                || identity.timeline() < request.newestTerm().timeline()
                || startLsn < request.startLsn();
        if (ofAnotherMind) {
            // The standby knows what to say to that, or cuts its log back first.
            agree();
        }
        try {
            stream(request.slotName(), history, startLsn);
        } catch (ServerException e) {
            if (!makesSlot || request.slotName().isEmpty() || !e.sqlState().equals(NO_SUCH_OBJECT)) {
                throw e;
            }
            makeSlot(request.slotName());
            stream(request.slotName(), history, startLsn);
        }
    }

    /** Has the server send the timeline of a position, and then those that follow it. */
    private void stream(String slot, TimelineHistory history, long startLsn) throws IOException {
        nextLsn = startLsn;
        while (cause == null) {
            int timeline = history.timelineAt(nextLsn);
            List<List<String>> rows = connection.copy(
                    "START_REPLICATION " + (slot.isEmpty() ? "" : "SLOT " + quoted(slot) + ' ') + "PHYSICAL "
                            + Lsn.text(nextLsn) + " TIMELINE " + timeline,
                    this);
            if (timeline == history.timeline() || nextLsn != history.endOf(timeline)) {
                String next = find(rows, 0);
                close("timeline " + timeline + " of the server has ended at " + Lsn.text(nextLsn)
                        + (next == null ? "" : "; it goes on with timeline " + next));
            }
        }
    }

    private void agree() {
        ReplicationStarted started = agreement;
        agreement = null;
        if (started != null) {
            deliver(started);
        }
    }

    @Override
    public void begun() throws IOException {
        if (cause != null) {
            connection.endCopy();
            return;
        }
        // An idle server would say nothing for long; and what is wrong with the position shows only now.
        connection.send(new StatusUpdate(Lsn.INVALID, Lsn.INVALID, Lsn.INVALID, 0, true));
    }

    @Override
    public void copied(ReplicationMessage message) throws MalformedMessageException {
        if (cause != null) {
            return;
        }
        agree();
        if (message instanceof WalPiece piece) {
            if (piece.startLsn() != nextLsn) {
                throw new MalformedMessageException("the server sent WAL from " + Lsn.text(piece.startLsn())
                        + ", expected from " + Lsn.text(nextLsn));
            }
            nextLsn += piece.wal().readableBytes();
            long endLsn = Math.max(piece.endLsn(), nextLsn);
            deliver(new WalData(
                    piece.startLsn(),
                    endLsn,
                    endLsn,
                    piece.sentAtMicros(),
                    piece.wal().nioBuffer()));
        } else if (message instanceof ServerKeepalive keepalive) {
            deliver(new Keepalive(
                    keepalive.endLsn(), keepalive.endLsn(), keepalive.sentAtMicros(), keepalive.replyRequested()));
        } else {
            throw new MalformedMessageException(
                    "the server sent " + message.getClass().getSimpleName() + ", which only a standby says");
        }
    }

    // Delivery.

    private void deliver(Message message) {
        if (cause == null) {
            delivered = true;
            try {
                handler.received(this, message);
            } catch (RuntimeException | Error e) {
                defect("receiving " + message.getClass().getSimpleName(), e);
            }
        }
    }

    @Override
    public void endOfBatch() {
        if (delivered && cause == null) {
            delivered = false;
            try {
                handler.endOfBatch();
            } catch (RuntimeException | Error e) {
                defect("ending a batch", e);
            }
        }
    }

    private void defect(String doing, Throwable e) {
        log.error("session with {}: {} failed, which is a defect; the session is closed", peer.address(), doing, e);
        close(doing + " failed: " + e);
    }

    // Errors.

    /** What the server's answer means to the standby. */
    private static final class RefusedException extends RuntimeException {
        private static final long serialVersionUID = 1;
        private final RefusalCode code;

        RefusedException(RefusalCode code, String message) {
            super(message);
            this.code = code;
        }
    }

    private static RefusalCode code(ServerException answer) {
        String text = answer.getMessage().toLowerCase(Locale.ROOT);
        return switch (answer.sqlState()) {
            case "58P01" -> RefusalCode.WAL_REMOVED;
            case NO_SUCH_OBJECT -> RefusalCode.NO_SUCH_SLOT;
            case "55006" -> RefusalCode.SLOT_IN_USE;
            case "55000" -> RefusalCode.SLOT_INVALIDATED;
            case "53300" -> RefusalCode.TOO_MANY_STANDBYS;
            case "57P03" -> RefusalCode.NOT_READY;
            case "57P01", "57P02" -> RefusalCode.SHUTTING_DOWN;
            default ->
                text.contains("ahead of the wal flush position")
                        ? RefusalCode.START_AHEAD
                        : text.contains("history") ? RefusalCode.TIMELINE_MISMATCH : RefusalCode.PROTOCOL;
        };
    }

    private static String advice(ServerException answer) {
        return switch (code(answer)) {
            case SLOT_INVALIDATED ->
                ". The slot has lost WAL: if an archive has that, set restore_command and restart this server; if none has, drop"
                        + " the slot on the server first, with: select pg_drop_replication_slot('NAME'), and begin another"
                        + " archive in an empty directory with --create-slot";
            case WAL_REMOVED ->
                ". What is missing has to come from an archive (restore_command), or another archive is begun in an empty"
                        + " directory; a replication slot (--slot) keeps WAL while nobody receives it";
            case NO_SUCH_SLOT ->
                ". Set primary_slot_create = on to have it made, or make it with: select"
                        + " pg_create_physical_replication_slot('NAME', true)";
            default -> "";
        };
    }
}
