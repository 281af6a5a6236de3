package lockstep.send;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import lockstep.io.Workers;
import lockstep.recovery.ControlFile;
import lockstep.rmgr.BackupSink;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.BackupData;
import lockstep.transport.api.Message.BackupEnded;
import lockstep.transport.api.Message.BackupFile;
import lockstep.transport.api.Message.BackupStarted;
import lockstep.transport.api.Session;
import lockstep.wal.TimelineHistory;

/**
 * Sends a base backup while the server keeps working: the files of the resource managers, each as it is at some moment
 * after the last checkpoint. The WAL from that checkpoint on, which the standby streams next, brings them together.
 */
final class BackupSender implements BackupSink {
    private static final int PIECE_BYTES = 256 << 10;
    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

    private final Session session;
    private final WalSender sender;
    private final Workers workers;
    private final byte[] piece = new byte[PIECE_BYTES];

    BackupSender(Session session, WalSender sender, Workers workers) {
        this.session = session;
        this.sender = sender;
        this.workers = workers;
    }

    void send(ControlFile control, TimelineHistory history, SendingServer server) throws IOException {
        send(new BackupStarted(
                control.systemId(),
                control.timeline(),
                control.segmentBytes(),
                control.checkpointLsn(),
                control.redoLsn(),
                control.epochs().list(),
                history.text(),
                control.format().postgresVersion()));
        server.backup(this);
        send(new BackupEnded(server.primaryFlushedLsn()));
    }

    @Override
    public void file(String path, long lengthBytes, InputStream content) throws IOException {
        send(new BackupFile(path, lengthBytes));
        for (long left = lengthBytes; left > 0; ) {
            int read = content.readNBytes(piece, 0, (int) Math.min(piece.length, left));
            if (read == 0) {
                throw new EOFException("the file " + path + " ended " + left + " bytes early during a base backup");
            }
            send(new BackupData(ByteBuffer.wrap(piece, 0, read)));
            left -= read;
        }
    }

    private void send(Message message) throws IOException {
        while (!session.isWritable()) {
            if (sender.hasEnded()) {
                throw new IOException("the standby left during its base backup");
            }
            workers.pause(PAUSE_NANOS);
        }
        synchronized (sender) {
            session.send(message);
        }
    }
}
