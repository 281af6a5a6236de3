package lockstep.transport.postgres.client;

import io.netty.channel.Channel;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
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
 * <p><b>What is flushed.</b> A PostgreSQL server sends only WAL that it has flushed, so all that it has is flushed, and its log is
 * never cut back: it has one epoch. Positions on both sides mean the same.
 *
 * <p><b>Timelines.</b> The standby is told the server's newest timeline and its history first, and follows that at once. The WAL
 * then comes timeline by timeline, each at the position where the one before ended, so that the standby hears of one stream. When
 * the server itself goes over to another, the session ends, and the next one begins with the new history.
 *
 * <p>What else Lockstep's servers tell each other has no words here, and is not sent.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what becomes of a command is heard at the end of its chain
final class PostgresSession implements Session, ServerConnection.Owner {
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

    /** Who waits for the session. Exactly one of the two is called, once, on the session's thread. */
    interface Waiting {
        /** Takes the open session; returns who handles its messages, or null if it is wanted no more. */
        SessionHandler opened(PostgresSession session);

        /** Hears that there will be no session. */
        void failed(String why, Throwable reason);
    }

    private final ServerConnection connection;
    private final Waiting waiting;
    private final boolean makesSlot;
    private final AtomicReference<String> cause = new AtomicReference<>();

    private volatile Peer peer = new Peer("", "", false);
    private volatile boolean streaming;
    private SessionHandler handler;
    private int version;
    private boolean delivered;

    /** Where the next byte of WAL must begin. */
    private long nextLsn;

    /** What agrees to a request, as soon as the server has begun to send. */
    private ReplicationStarted agreement;

    /** @param makesSlot whether a slot that is not there is made, as on a server that has been promoted */
    PostgresSession(ServerConnection.Opening opening, boolean makesSlot, Waiting waiting) {
        this.waiting = waiting;
        this.makesSlot = makesSlot;
        connection = new ServerConnection(opening, this);
    }

    ServerConnection connection() {
        return connection;
    }

    // The standby's side.

    @Override
    public void send(Message message) {
        if (cause.get() != null) {
            return;
        }
        if (message instanceof StandbyStatus status) {
            if (streaming) {
                connection.send(new StatusUpdate(
                        status.writtenLsn(),
                        status.flushedLsn(),
                        status.appliedLsn(),
                        status.sentAtMicros(),
                        status.replyRequested()));
            }
        } else if (message instanceof BaseBackupRequest request) {
            onLoop(() -> backup(request));
        } else if (message instanceof StartReplication request) {
            onLoop(() -> start(request));
        }
    }

    private void onLoop(Runnable task) {
        try {
            connection.channel().eventLoop().execute(task);
        } catch (RejectedExecutionException e) {
            log.debug("the session with {} had ended", peer.address());
        }
    }

    @Override
    public boolean isWritable() {
        Channel channel = connection.channel();
        return cause.get() == null && channel != null && channel.isWritable();
    }

    @Override
    public Peer peer() {
        return peer;
    }

    @Override
    public void close(String why) {
        if (cause.compareAndSet(null, why)) {
            connection.cancel();
            if (connection.channel() != null) {
                onLoop(this::finish);
            }
        }
    }

    private void finish() {
        streaming = false;
        if (handler != null && connection.isCopying()) {
            connection.endCopy();
            connection
                    .channel()
                    .eventLoop()
                    .schedule(() -> connection.abort(cause.get(), null), LAST_WORDS_MS, TimeUnit.MILLISECONDS);
        } else {
            connection.terminate(cause.get());
        }
    }

    // What the log is like.

    private CompletableFuture<Identity> identify() {
        return connection
                .command("IDENTIFY_SYSTEM")
                .thenCompose(system -> connection
                        .command("SHOW wal_segment_size")
                        .thenCompose(size -> history(value(system, 1))
                                .thenApply(history -> new Identity(
                                        Long.parseUnsignedLong(value(system, 0)),
                                        Integer.parseInt(value(system, 1)),
                                        Lsn.parse(value(system, 2)).value(),
                                        bytes(value(size, 0)),
                                        history))));
    }

    private CompletableFuture<String> history(String timeline) {
        if (Integer.parseInt(timeline) == TimelineHistory.FIRST) {
            return CompletableFuture.completedFuture("");
        }
        return connection.command("TIMELINE_HISTORY " + timeline).thenApply(rows -> value(rows, 1));
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

    private void backup(BaseBackupRequest request) {
        identify()
                .thenCompose(identity -> slotStart(request).thenAccept(held -> {
                    long fromLsn = held == Lsn.INVALID ? identity.flushedLsn() : held;
                    WalLayout layout = identity.layout();
                    long startLsn = layout.segmentStart(layout.segmentOf(fromLsn));
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
                }))
                .whenComplete((done, thrown) -> refuse(thrown));
    }

    /** Makes the slot if that is wanted; returns from where it holds WAL, or {@link Lsn#INVALID}. */
    private CompletableFuture<Long> slotStart(BaseBackupRequest request) {
        String slot = request.slotName();
        if (slot.isEmpty()) {
            return CompletableFuture.completedFuture(Lsn.INVALID);
        }
        CompletableFuture<?> there = request.createSlot() ? makeSlot(slot) : CompletableFuture.completedFuture(null);
        return there.thenCompose(made -> version < FIRST_WITH_READ_SLOT
                ? CompletableFuture.completedFuture(Lsn.INVALID)
                : connection.command("READ_REPLICATION_SLOT " + quoted(slot)).thenApply(rows -> heldBy(slot, rows)));
    }

    private CompletableFuture<?> makeSlot(String slot) {
        return connection
                .command("CREATE_REPLICATION_SLOT " + quoted(slot) + " PHYSICAL RESERVE_WAL")
                .handle((rows, thrown) -> {
                    if (thrown != null && !hasState(thrown, DUPLICATE_OBJECT)) {
                        throw new CompletionException(root(thrown));
                    }
                    return rows;
                });
    }

    private static long heldBy(String slot, List<List<String>> rows) {
        if (find(rows, 0) == null) {
            throw new RefusedException(
                    RefusalCode.NO_SUCH_SLOT,
                    "the server has no replication slot \"" + slot + "\". Give --create-slot as well to have it made");
        }
        String restart = find(rows, 1);
        return restart == null ? Lsn.INVALID : Lsn.parse(restart).value();
    }

    private static String quoted(String name) {
        return '"' + name.replace("\"", "\"\"") + '"';
    }

    // WAL.

    private void start(StartReplication request) {
        identify().thenCompose(identity -> start(request, identity)).whenComplete((done, thrown) -> refuse(thrown));
    }

    private CompletableFuture<Void> start(StartReplication request, Identity identity) {
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
        if (cause.get() != null) {
            return CompletableFuture.completedFuture(null);
        }
        CompletableFuture<Void> streamed = stream(request.slotName(), history, startLsn);
        return makesSlot && !request.slotName().isEmpty()
                ? streamed.handle((done, thrown) -> hasState(thrown, NO_SUCH_OBJECT)
                                ? makeSlot(request.slotName())
                                        .thenCompose(made -> stream(request.slotName(), history, startLsn))
                                : streamed)
                        .thenCompose(again -> again)
                : streamed;
    }

    /** Has the server send the timeline of a position, and then those that follow it. */
    private CompletableFuture<Void> stream(String slot, TimelineHistory history, long startLsn) {
        nextLsn = startLsn;
        int timeline = history.timelineAt(startLsn);
        return connection
                .command("START_REPLICATION " + (slot.isEmpty() ? "" : "SLOT " + quoted(slot) + ' ') + "PHYSICAL "
                        + Lsn.text(startLsn) + " TIMELINE " + timeline)
                .thenCompose(rows -> {
                    streaming = false;
                    if (cause.get() != null) {
                        connection.terminate(cause.get());
                    } else if (timeline != history.timeline() && nextLsn == history.endOf(timeline)) {
                        return stream(slot, history, nextLsn);
                    } else {
                        String next = find(rows, 0);
                        close("timeline " + timeline + " of the server has ended at " + Lsn.text(nextLsn)
                                + (next == null ? "" : "; it goes on with timeline " + next));
                    }
                    return CompletableFuture.completedFuture(null);
                });
    }

    private void agree() {
        ReplicationStarted started = agreement;
        agreement = null;
        if (started != null) {
            deliver(started);
        }
    }

    @Override
    public void copyBegun() {
        if (cause.get() != null) {
            connection.endCopy();
            return;
        }
        // An idle server would say nothing for long; and what is wrong with the position shows only now.
        connection.send(new StatusUpdate(Lsn.INVALID, Lsn.INVALID, Lsn.INVALID, 0, true));
        streaming = true;
    }

    @Override
    public void copied(ReplicationMessage message) throws MalformedMessageException {
        if (cause.get() != null) {
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
        if (cause.get() == null) {
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
        if (delivered && cause.get() == null) {
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

    @Override
    public void ready() {
        peer = new Peer(connection.address(), "", false);
        try {
            String text = connection.parameter("server_version");
            version = Integer.parseInt(text.split("[^0-9]", 2)[0]);
            WalFormat.of(version);
        } catch (IllegalArgumentException e) {
            connection.terminate("the server is PostgreSQL \"" + connection.parameter("server_version")
                    + "\": expected a version from 13 to 18");
            return;
        }
        handler = waiting.opened(this);
        if (handler == null) {
            connection.terminate("nobody takes the session");
        }
    }

    @Override
    public void ended(String why, Throwable because) {
        streaming = false;
        cause.compareAndSet(null, why);
        try {
            if (handler != null) {
                handler.closed(cause.get());
            } else {
                waiting.failed(why, because);
            }
        } catch (RuntimeException | Error e) {
            log.error("session with {}: ending it failed, which is a defect", peer.address(), e);
        }
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

    private static Throwable root(Throwable thrown) {
        return thrown instanceof CompletionException && thrown.getCause() != null ? thrown.getCause() : thrown;
    }

    private static boolean hasState(Throwable thrown, String sqlState) {
        return root(thrown) instanceof ServerException answer
                && answer.sqlState().equals(sqlState);
    }

    /** Tells the standby why it gets nothing, if something was thrown. */
    private void refuse(Throwable thrown) {
        if (thrown == null || cause.get() != null) {
            if (cause.get() != null) {
                connection.terminate(cause.get());
            }
            return;
        }
        Throwable found = root(thrown);
        if (found instanceof RefusedException refused) {
            deliver(new Refusal(refused.code, refused.getMessage()));
        } else if (found instanceof ServerException answer) {
            deliver(new Refusal(code(answer), answer.getMessage() + advice(answer)));
        } else if (found instanceof IOException) {
            close(found.getMessage());
        } else {
            close("the server's answer makes no sense: " + found.getMessage());
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
