package lockstep.transport.postgres.server;

import java.util.function.Supplier;
import lockstep.send.ServedLog;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.Reason;
import lockstep.transport.api.Message.StandbyReason;
import lockstep.transport.api.Message.StandbyStatus;
import lockstep.transport.api.Peer;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.postgres.protocol.BackendMessage.CommandComplete;
import lockstep.transport.postgres.protocol.CopyMessage.CopyData;
import lockstep.transport.postgres.protocol.CopyMessage.CopyDone;
import lockstep.transport.postgres.protocol.FrontendMessage;
import lockstep.transport.postgres.protocol.FrontendMessage.CopyFail;
import lockstep.transport.postgres.protocol.ReplicationMessage;
import lockstep.transport.postgres.protocol.ReplicationMessage.StatusUpdate;
import lockstep.transport.postgres.protocol.Report;
import lockstep.wal.TimelineHistory;
import lockstep.wal.WalLayout;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One {@code START_REPLICATION}, between a client and the core. A {@link WalStream} is the way there, from the core to the
 * client; this is the way back, what the client says while WAL is copied, and how the copy ends for both.
 *
 * <pre>
 *   state     event                              next      said to the client
 *   COPYING   the client's CopyDone              OVER      CopyDone, the end of the copy
 *             the client's CopyFail              OVER      an error
 *             the core refuses                   OVER      an error
 *             the end of the timeline            DRAINING  (CopyDone, by the stream)
 *             the core ends the session          OVER      the last word: the end of the copy, or an error
 *             the connection ends                OVER
 *   DRAINING  the client's CopyDone              OVER      the next timeline
 *   OVER      either the connection ends, or the client may ask for something else
 * </pre>
 *
 * <p><b>Threads.</b> All on the connection's; what the core does with the stream on other threads is put to it.
 */
final class WalCopy implements WalStream.Owner {
    private static final Logger log = LoggerFactory.getLogger(WalCopy.class);
    private static final String ADMIN_SHUTDOWN = "57P01";
    private static final String QUERY_CANCELED = "57014";
    private static final String INTERNAL_ERROR = "XX000";

    private enum State {
        COPYING,
        DRAINING,
        OVER
    }

    private final ClientOutput out;
    private final Supplier<ServedLog> servedLog;
    private final WalStream stream;

    private State state = State.COPYING;
    private SessionHandler core;
    private boolean delivered;

    /** Begins nothing yet; see {@link WalStream#WalStream}. */
    WalCopy(
            ClientOutput out,
            Supplier<ServedLog> servedLog,
            Peer peer,
            int timeline,
            long startLsn,
            long timelineEndLsn) {
        this.out = out;
        this.servedLog = servedLog;
        stream = new WalStream(out, peer, this, timeline, startLsn, timelineEndLsn);
    }

    boolean isOver() {
        return state == State.OVER;
    }

    /** Opens a session to the core, and asks it for the WAL. */
    void begin(Acceptor acceptor, Message.StartReplication request) {
        try {
            core = acceptor.accept(stream);
            if (core == null) {
                stream.close("nobody takes the session");
            }
        } catch (RuntimeException | Error e) {
            defect("accepting the session", e);
        }
        deliver(request);
    }

    // What the client says.

    void hear(FrontendMessage message) throws MalformedMessageException {
        if (message instanceof CopyData data) {
            ReplicationMessage said = ReplicationMessage.decode(data.content());
            if (said instanceof StatusUpdate status) {
                deliver(new StandbyStatus(
                        status.writtenLsn(),
                        status.flushedLsn(),
                        status.appliedLsn(),
                        status.sentAtMicros(),
                        status.replyRequested()));
            }
        } else if (message instanceof CopyDone) {
            copyDone();
        } else if (message instanceof CopyFail fail) {
            end("the client ended the copy: " + fail.why());
            out.answer(Answers.error(Report.error(QUERY_CANCELED, "COPY from stdin failed: " + fail.why())));
        } else {
            throw new MalformedMessageException(
                    "a " + message.getClass().getSimpleName() + " has no place while WAL is copied");
        }
    }

    private void copyDone() {
        if (state == State.COPYING) {
            deliver(new StandbyReason(Reason.LEAVING, 0, "it ended the copy"));
            if (state != State.COPYING) {
                return;
            }
            if (stream.end("the client ended the copy")) {
                tellClosed();
                out.write(new CopyDone());
            } else if (stream.ending() != WalStream.End.TIMELINE) {
                return; // it crossed the core's own end of the stream, which comes here in a moment
            }
        }
        state = State.OVER;
        ServedLog served = servedLog.get();
        out.answer(Answers.endOfCopy(
                stream.timeline(), served == null ? TimelineHistory.of(stream.timeline()) : served.history()));
    }

    /** All that was at hand has been heard. */
    void endOfBatch() {
        if (delivered && isHeard()) {
            try {
                core.endOfBatch();
            } catch (RuntimeException | Error e) {
                defect("ending a batch", e);
            }
        }
        delivered = false;
    }

    /** More can be written again. */
    void writable() {
        if (isHeard()) {
            core.writable();
        }
    }

    private void deliver(Message message) {
        if (isHeard()) {
            delivered = true;
            try {
                core.received(stream, message);
            } catch (RuntimeException | Error e) {
                defect("receiving " + message.getClass().getSimpleName(), e);
            }
        }
    }

    private boolean isHeard() {
        return core != null && stream.cause() == null;
    }

    private void defect(String doing, Throwable e) {
        log.error("{}: {} failed, which is a defect; the connection is closed", stream, doing, e);
        end(doing + " failed: " + e);
        out.fatal(Report.fatal(INTERNAL_ERROR, doing + " failed: " + e));
    }

    // How it ends.

    /** Ends it from the client's side, if it has not ended. */
    void end(String why) {
        state = State.OVER;
        if (stream.end(why)) {
            tellClosed();
        }
    }

    @Override
    public void ended() {
        out.onLoop(() -> {
            tellClosed();
            if (state == State.COPYING) {
                state = stream.ending() == WalStream.End.TIMELINE ? State.DRAINING : State.OVER;
                tellClient();
            }
        });
    }

    private void tellClient() {
        switch (stream.ending()) {
            case TIMELINE -> {
                // Told by the stream itself, so that it comes right behind the last WAL.
            }
            case REFUSED ->
                out.answer(Answers.error(
                        stream.refusal() == null ? Report.error(ADMIN_SHUTDOWN, stream.cause()) : refusal()));
            case SHUTDOWN -> out.last(new CommandComplete("COPY 0"), stream.cause());
            case BROKEN ->
                out.fatal(
                        stream.refusal() == null
                                ? Report.fatal(ADMIN_SHUTDOWN, "terminating connection: " + stream.cause())
                                : refusal());
        }
    }

    private Report refusal() {
        ServedLog served = servedLog.get();
        return Answers.report(stream.refusal(), served == null ? "" : segment(new WalLayout(served.segmentBytes())));
    }

    private String segment(WalLayout layout) {
        return layout.segmentName(stream.timeline(), layout.segmentOf(stream.nextLsn()));
    }

    private void tellClosed() {
        SessionHandler told = core;
        core = null;
        if (told != null) {
            try {
                told.closed(stream.cause());
            } catch (RuntimeException | Error e) {
                log.error("{}: ending it failed, which is a defect", stream, e);
            }
        }
    }
}
