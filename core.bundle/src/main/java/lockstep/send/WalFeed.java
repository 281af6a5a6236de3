package lockstep.send;

import java.io.IOException;
import java.nio.ByteBuffer;
import lockstep.io.Clock;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.Keepalive;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.WalData;
import lockstep.transport.api.Session;
import lockstep.wal.Wal;
import lockstep.wal.WalLayout;
import lockstep.wal.WalSource;

/**
 * The log as it goes out over one session: each byte once, in order, whichever of two threads sends it.
 *
 * <pre>
 *   behind   WAL that is in the log is read and sent, piece by piece     the sender's worker: {@link #sendFromLog}
 *   live     the WAL writer hands over each range before it writes it    the writer's thread: {@link #filled}
 * </pre>
 *
 * <p>It goes live between two ranges of the writer, when nothing is left to read: from there on the writer's ranges begin where
 * the last byte was sent. It falls behind when the session takes no more, and then reads behind the writer until it has caught up.
 *
 * <p>{@code this} is held while something is sent; it is taken after the senders' range lock, never before it.
 */
final class WalFeed {
    /** The most WAL in a message. */
    private static final int MAX_WAL_BYTES = 1 << 20;

    private static final int CATCH_UP_BYTES = 256 << 10;

    private final Session session;
    private final Wal wal;
    private final SendingServer server;
    private final Clock clock;

    private volatile boolean live;
    private volatile long sentLsn;
    private volatile long toldFlushedLsn;
    private ByteBuffer chunk;
    private WalSource source;

    WalFeed(Session session, Wal wal, SendingServer server, Clock clock) {
        this.session = session;
        this.wal = wal;
        this.server = server;
        this.clock = clock;
    }

    /** Sends a message that is no WAL. */
    synchronized void send(Message message) {
        session.send(message);
    }

    /** Begins where the answer says; sends no WAL before {@code first} has run and the answer is sent. */
    synchronized void start(ReplicationStarted answer, Runnable first) {
        sentLsn = answer.startLsn();
        first.run();
        session.send(answer);
    }

    /**
     * Takes a range that is about to be written, under the senders' range lock.
     *
     * @return whether it falls behind with it
     */
    boolean filled(long fromLsn, long toLsn) {
        if (!live) {
            return false;
        }
        synchronized (this) {
            if (!live || sentLsn != fromLsn) {
                return false;
            }
            live = session.isWritable();
            long endLsn = wal.filledLsn();
            while (live && sentLsn < toLsn) {
                send(wal.view(sentLsn, Math.min(toLsn, sentLsn + MAX_WAL_BYTES)), endLsn);
            }
            return !live;
        }
    }

    /** Sends the next piece below {@code limitLsn}; returns whether there was one: the log may have been removed there. */
    boolean sendFromLog(long limitLsn) throws IOException {
        if (source == null) {
            source = wal.source();
            chunk = ByteBuffer.allocateDirect(CATCH_UP_BYTES);
        }
        chunk.clear().limit(chunkBytes(limitLsn));
        if (source.read(sentLsn, chunk) == 0) {
            return false;
        }
        synchronized (this) {
            send(chunk.flip(), server.endLsn());
        }
        return true;
    }

    /**
     * Returns how much to send next: up to a place where the log was flushed, or to the end of a page. A PostgreSQL standby that finds
     * a part of a page where it reads takes that for damage, and has the segment sent again.
     */
    private int chunkBytes(long limitLsn) {
        long endLsn = sentLsn + CATCH_UP_BYTES;
        return (int) (endLsn < limitLsn ? CATCH_UP_BYTES - endLsn % WalLayout.PAGE_BYTES : limitLsn - sentLsn);
    }

    /** Sends what is left up to where the writer has handed out ranges, between two of them, and takes the next from there. */
    synchronized void goLive(long handedOutLsn) throws IOException {
        while (sentLsn < handedOutLsn) {
            if (!sendFromLog(handedOutLsn)) {
                return;
            }
        }
        live = true;
        // A flush that ended just before was told to nobody: the writer saw a feed that is behind.
        keepalive(false);
    }

    private void send(ByteBuffer bytes, long endLsn) {
        long from = sentLsn;
        // Before it goes out: the answer may be here before the sending thread is back, and counts up to what has been
        // sent.
        sentLsn = from + bytes.remaining();
        toldFlushedLsn = server.primaryFlushedLsn();
        session.send(new WalData(from, endLsn, toldFlushedLsn, clock.micros(), bytes));
    }

    /** Tells how far the log goes and the primary has flushed. */
    synchronized void keepalive(boolean replyRequested) {
        toldFlushedLsn = server.primaryFlushedLsn();
        session.send(new Keepalive(server.endLsn(), toldFlushedLsn, clock.micros(), replyRequested));
    }

    /** Tells how far the primary has flushed, unless the last WAL told it. */
    void tellFlushed() {
        if (toldFlushedLsn < server.primaryFlushedLsn()) {
            keepalive(false);
        }
    }

    boolean isLive() {
        return live;
    }

    /** Returns up to where the log has been sent. */
    long sentLsn() {
        return sentLsn;
    }

    /** Lets go of the log's files; called by the thread that reads them. */
    void close() throws IOException {
        if (source != null) {
            source.close();
            source = null;
        }
    }
}
