package lockstep.transport.folder;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Peer;

/**
 * A folder in which sessions are asked for.
 *
 * <pre>
 *   FOLDER/listening      is there, and locked, while somebody listens
 *   FOLDER/sessions/ID    a session that a client has asked for
 * </pre>
 *
 * <p>The lock goes with the process, the file stays after a crash: so whoever listens next takes it over, and clears away
 * the sessions of the one that crashed.
 */
final class FolderListener implements Listener {
    static final String MARK = "listening";
    static final String SESSIONS = "sessions";

    private static final System.Logger log = System.getLogger(FolderListener.class.getName());
    private static final long POLL_MS = 2;

    private final Endpoint endpoint;
    private final Path folder;
    private final Acceptor acceptor;
    private final Threads threads;
    private final FileChannel mark;
    private final Set<Path> known = new HashSet<>();
    private final AtomicBoolean closed = new AtomicBoolean();
    private final CountDownLatch closing = new CountDownLatch(1);

    FolderListener(Endpoint endpoint, Path folder, Acceptor acceptor, Threads threads) throws IOException {
        this.endpoint = endpoint;
        this.folder = folder;
        this.acceptor = acceptor;
        this.threads = threads;
        Files.createDirectories(folder.resolve(SESSIONS));
        mark = FileChannel.open(folder.resolve(MARK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        if (!isLocked(mark)) {
            mark.close();
            throw new IOException("another server listens there");
        }
        takeOver();
    }

    private static boolean isLocked(FileChannel file) throws IOException {
        try {
            FileLock lock = file.tryLock();
            return lock != null;
        } catch (OverlappingFileLockException byThisProcess) {
            return false;
        }
    }

    /** Who closed in good order took the mark away, and may have sessions that go on; what a crash left is cleared away. */
    private void takeOver() throws IOException {
        boolean crashed = mark.size() > 0;
        mark.write(ByteBuffer.wrap(new byte[] {'\n'}), 0);
        try (DirectoryStream<Path> present = Files.newDirectoryStream(folder.resolve(SESSIONS))) {
            present.forEach(crashed ? FolderSession::delete : known::add);
        }
    }

    @Override
    public Endpoint endpoint() {
        return endpoint;
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            closing.countDown();
            try (mark) {
                Files.deleteIfExists(folder.resolve(MARK));
            } catch (IOException e) {
                log.log(System.Logger.Level.WARNING, this + " did not close in good order", e);
            }
        }
    }

    /** Looks for new sessions until it is closed. */
    void run() {
        try {
            while (!closing.await(POLL_MS, TimeUnit.MILLISECONDS)) {
                look();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void look() {
        Set<Path> present = new HashSet<>();
        try (DirectoryStream<Path> sessions = Files.newDirectoryStream(folder.resolve(SESSIONS), "[!.]*")) {
            for (Path session : sessions) {
                present.add(session);
                if (known.add(session)) {
                    accept(session);
                }
            }
        } catch (IOException e) {
            log.log(System.Logger.Level.WARNING, this + " cannot look for sessions; trying again", e);
            return;
        }
        known.retainAll(present);
    }

    private void accept(Path path) {
        try {
            Peer peer = new Peer(folder + "/" + path.getFileName(), "", false);
            FolderSession session = FolderSession.accepted(path, peer);
            threads.start(
                    "folder-session-" + path.getFileName(),
                    () -> session.run(acceptor::accept),
                    () -> session.close(Threads.WITHDRAWN));
            Files.createFile(path.resolve(FolderSession.ACCEPTED));
        } catch (IOException e) {
            log.log(System.Logger.Level.DEBUG, this + " cannot accept " + path, e);
        }
    }

    @Override
    public String toString() {
        return "listener on " + endpoint;
    }
}
