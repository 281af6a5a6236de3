package lockstep.transport.postgres.server;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.Keepalive;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.WalData;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.postgres.protocol.BackendMessage.CopyBothResponse;
import lockstep.transport.postgres.protocol.CopyMessage.CopyDone;
import lockstep.transport.postgres.protocol.ReplicationMessage.ServerKeepalive;
import lockstep.transport.postgres.protocol.ReplicationMessage.WalPiece;

/**
 * One {@code START_REPLICATION}: what is a session to the core, the way from it to a client. It translates.
 *
 * <pre>
 *   the core says         the client reads
 *   ReplicationStarted    CopyBothResponse
 *   WalData               pieces of WAL
 *   Keepalive             a keepalive
 *   DegradedRange         nothing: it has no place in PostgreSQL's protocol
 *   Refusal               an error; or the end of the copy, as of a PostgreSQL server that shuts down
 * </pre>
 *
 * <p><b>The end of a timeline.</b> A client asks for WAL of one timeline. Of an old one it is sent what this server's log has in common with
 * it, and then the copy ends; the core knows nothing of that, since for it the log is one.
 *
 * <p><b>Pieces</b> end where the core's do, or else at the end of a page: at multiples of {@value #PIECE_BYTES} bytes in the log, so none
 * crosses the end of a segment.
 *
 * <p><b>Lock.</b> {@code this} guards sending, so that nothing of a copy comes after its end.
 */
final class WalStream implements Session {
    /** The most WAL in a message, as of a PostgreSQL server. */
    static final int PIECE_BYTES = 128 << 10;

    /** How a stream ends, for the connection. */
    enum End {
        /** The core has refused before the copy began. */
        REFUSED,
        /** The timeline has ended; the client is told which one comes next when it has said that it is done, too. */
        TIMELINE,
        /** This server shuts down. */
        SHUTDOWN,
        /** The core will not go on, and {@link WalStream#cause} says why. */
        BROKEN
    }

    /** Hears that the core has ended the stream, or the timeline has, from any thread, once. */
    interface Owner {
        void ended();
    }

    private final ClientOutput out;
    private final Peer peer;
    private final Owner owner;
    private final int timeline;
    private final long timelineEndLsn;

    private volatile String cause;
    private boolean copying;
    private End ending;
    private Refusal refusal;
    private long nextLsn;

    /**
     * Begins nothing yet.
     *
     * @param timeline the one whose WAL the client wants
     * @param startLsn where it asks to begin
     * @param timelineEndLsn where that ended; {@link Long#MAX_VALUE} if it is the present one
     */
    WalStream(ClientOutput out, Peer peer, Owner owner, int timeline, long startLsn, long timelineEndLsn) {
        this.out = out;
        this.peer = peer;
        this.owner = owner;
        this.timeline = timeline;
        this.timelineEndLsn = timelineEndLsn;
        nextLsn = startLsn;
    }

    int timeline() {
        return timeline;
    }

    /** Returns why it has ended; null while it has not. */
    String cause() {
        return cause;
    }

    /** Returns how the core has ended it; null while it has not. */
    synchronized End ending() {
        return ending;
    }

    /** Returns what the core has refused; null if it has not. */
    synchronized Refusal refusal() {
        return refusal;
    }

    /** Returns up to where WAL has been sent. */
    synchronized long nextLsn() {
        return nextLsn;
    }

    @Override
    public Peer peer() {
        return peer;
    }

    @Override
    public boolean isWritable() {
        return cause == null && out.isWritable();
    }

    @Override
    public void send(Message message) {
        boolean timelineEnds = false;
        synchronized (this) {
            if (cause != null) {
                return;
            }
            if (message instanceof WalData wal) {
                timelineEnds = wal(wal);
            } else if (message instanceof Keepalive keepalive) {
                out.write(new ServerKeepalive(
                        end(keepalive.flushedLsn()), keepalive.sentAtMicros(), keepalive.replyRequested()));
            } else if (message instanceof ReplicationStarted) {
                copying = true;
                out.write(new CopyBothResponse());
            } else if (message instanceof Refusal why) {
                refusal = why;
            }
            if (timelineEnds) {
                out.write(new CopyDone());
                ending = End.TIMELINE;
                cause = "timeline " + timeline + " has ended";
            }
        }
        if (timelineEnds) {
            owner.ended();
        }
    }

    /** Returns whether that was the last of the timeline. */
    private boolean wal(WalData message) {
        ByteBuffer bytes = message.bytes().duplicate();
        long startLsn = message.startLsn();
        long endLsn = end(startLsn + bytes.remaining());
        for (long pieceEndLsn; startLsn < endLsn; startLsn = pieceEndLsn) {
            pieceEndLsn = Math.min(endLsn, (startLsn & -PIECE_BYTES) + PIECE_BYTES);
            int length = (int) (pieceEndLsn - startLsn);
            ByteBuf wal = Unpooled.wrappedBuffer(bytes.slice(bytes.position(), length));
            bytes.position(bytes.position() + length);
            out.writeLater(new WalPiece(startLsn, end(message.flushedLsn()), message.sentAtMicros(), wal), length);
        }
        out.flush();
        nextLsn = endLsn;
        return endLsn == timelineEndLsn;
    }

    private long end(long lsn) {
        return Math.min(lsn, timelineEndLsn);
    }

    @Override
    public void close(String why) {
        synchronized (this) {
            if (cause != null) {
                return;
            }
            cause = why;
            if (!copying) {
                ending = End.REFUSED;
            } else if (refusal != null && refusal.code() == Message.RefusalCode.SHUTTING_DOWN) {
                ending = End.SHUTDOWN;
            } else {
                ending = End.BROKEN;
            }
        }
        owner.ended();
    }

    /** Ends it from the client's side; nothing more is sent of it. Returns whether it had not ended. */
    synchronized boolean end(String why) {
        boolean first = cause == null;
        cause = first ? why : cause;
        return first;
    }

    @Override
    public String toString() {
        return "stream of timeline " + timeline + " to " + peer.address();
    }
}
