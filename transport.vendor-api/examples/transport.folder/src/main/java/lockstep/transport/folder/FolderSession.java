package lockstep.transport.folder;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;

/**
 * One session: a folder with two streams of files, one in each direction.
 *
 * <pre>
 *   ID/up/0000000000000001     what the client says: frames, as many as there were to send; the next file goes on
 *   ID/down/0000000000000001   what the server says
 *   ID/accepted                made by the server when it has taken the session
 * </pre>
 *
 * <p><b>Idea.</b> A file is written under another name and then renamed, so what can be seen is whole. Its name is its
 * place in the stream, so the reader knows which comes next and needs no listing. It deletes what it has delivered: what
 * is still there is what is under way, by which the writer sees how far the reader is, and holds no more than {@link
 * #HIGH_WATER_BYTES} of it. An empty file ends a stream. Ids are never used twice, so no session is taken for an older one.
 *
 * <p><b>Ends.</b> Each side deletes the stream it reads when it ends; a writer whose stream is gone has lost its peer. A
 * peer that is silent is noticed by the core, as with any transport.
 *
 * <p><b>Threads and lock.</b> One thread writes, reads, and calls the handler; it looks every millisecond. {@code out}
 * guards what senders hand to it.
 */
final class FolderSession implements Session {
    static final String ACCEPTED = "accepted";

    private static final System.Logger log = System.getLogger(FolderSession.class.getName());
    private static final String UP = "up";
    private static final String DOWN = "down";
    private static final String UNFINISHED = ".unfinished";
    private static final long POLL_MS = 1;
    private static final long LAST_WORDS_MS = 1_000;
    private static final int FIRST_BYTES = 256 << 10;
    private static final int LOW_WATER_BYTES = 1 << 20;
    private static final int HIGH_WATER_BYTES = 4 << 20;
    private static final int MAX_BYTES = 64 << 20;
    private static final int MAX_FILE_BYTES = MAX_BYTES + MessageCodec.MAX_FRAME_BYTES;

    /** A file that the peer has not deleted yet. */
    private record Written(Path path, int bytes) {}

    private final Path writes;
    private final Path reads;
    private final Peer peer;
    private final AtomicReference<String> cause = new AtomicReference<>();
    private final Object out = new Object();
    private ByteBuffer waiting = ByteBuffer.allocate(FIRST_BYTES);
    private long underWayBytes;
    private boolean pushedBack;
    private boolean drained;

    private final ArrayDeque<Written> underWay = new ArrayDeque<>();
    private ByteBuffer spare = ByteBuffer.allocate(FIRST_BYTES);
    private long written;
    private long delivered;
    private SessionHandler handler;

    private FolderSession(Path folder, String writes, String reads, Peer peer) {
        this.writes = folder.resolve(writes);
        this.reads = folder.resolve(reads);
        this.peer = peer;
    }

    /** Asks for a session; returns its folder. */
    static Path request(Path sessions) throws IOException {
        String id = UUID.randomUUID().toString();
        Path unfinished = Files.createDirectory(sessions.resolve("." + id));
        Files.createDirectory(unfinished.resolve(UP));
        Files.createDirectory(unfinished.resolve(DOWN));
        return Files.move(unfinished, sessions.resolve(id), StandardCopyOption.ATOMIC_MOVE);
    }

    static FolderSession connected(Path folder, Peer peer) {
        return new FolderSession(folder, UP, DOWN, peer);
    }

    static FolderSession accepted(Path folder, Peer peer) {
        return new FolderSession(folder, DOWN, UP, peer);
    }

    @Override
    public void send(Message message) {
        if (cause.get() != null) {
            return;
        }
        synchronized (out) {
            int bytes = MessageCodec.frameBytes(message);
            if (waiting.position() + bytes > MAX_BYTES) {
                cause.compareAndSet(null, "the peer does not take what is sent");
                return;
            }
            if (waiting.remaining() < bytes) {
                int wanted = Math.max(waiting.position() + bytes, 2 * waiting.capacity());
                waiting = ByteBuffer.allocate(wanted).put(waiting.flip());
            }
            MessageCodec.encode(message, waiting);
            pushedBack |= underWayBytes + waiting.position() > HIGH_WATER_BYTES;
            out.notifyAll();
        }
    }

    @Override
    public boolean isWritable() {
        synchronized (out) {
            return cause.get() == null && !pushedBack;
        }
    }

    @Override
    public Peer peer() {
        return peer;
    }

    @Override
    public void close(String why) {
        cause.compareAndSet(null, why);
        synchronized (out) {
            out.notifyAll();
        }
    }

    /** Serves the session until it has ended. */
    void run(Function<Session, SessionHandler> opening) {
        call("accepting the session", () -> handler = opening.apply(this));
        if (handler == null) {
            close("nobody takes the session");
        }
        try {
            while (cause.get() == null) {
                boolean wrote = write();
                boolean heard = read();
                tellWritable();
                if (!wrote && !heard) {
                    rest();
                }
            }
            lastWords();
        } catch (MalformedMessageException e) {
            cause.compareAndSet(null, "message from " + peer.address() + ": " + e.getMessage());
        } catch (IOException e) {
            cause.compareAndSet(null, "session " + peer.address() + " lost: " + e);
        } catch (InterruptedException e) {
            cause.compareAndSet(null, "interrupted");
        } catch (RuntimeException | Error e) {
            log.log(System.Logger.Level.ERROR, this + " failed, which is a defect", e);
            cause.compareAndSet(null, "session failed: " + e);
        }
        end();
    }

    private void rest() throws InterruptedException {
        synchronized (out) {
            if (waiting.position() == 0 && cause.get() == null) {
                TimeUnit.MILLISECONDS.timedWait(out, POLL_MS);
            }
        }
    }

    /** Writes what waits as the next file, unless much is under way already; returns whether it did. */
    private boolean write() throws IOException {
        forgetTaken();
        ByteBuffer frames;
        synchronized (out) {
            if (waiting.position() == 0 || underWayBytes > HIGH_WATER_BYTES) {
                return false;
            }
            frames = waiting.flip();
            waiting = spare.clear();
            underWayBytes += frames.limit();
        }
        int bytes = frames.remaining();
        try {
            writeFile(frames);
            underWay.add(new Written(path(writes, written), bytes));
        } catch (NoSuchFileException e) {
            // The peer has ended. It said so before it deleted what it reads, so that is read next.
            log.log(System.Logger.Level.DEBUG, this + ": nobody reads what is written", e);
        }
        spare = frames.capacity() > 2 * HIGH_WATER_BYTES ? ByteBuffer.allocate(FIRST_BYTES) : frames;
        return true;
    }

    private void writeFile(ByteBuffer frames) throws IOException {
        Path unfinished = writes.resolve(UNFINISHED);
        try (FileChannel file = FileChannel.open(
                unfinished,
                StandardOpenOption.CREATE,
                StandardOpenOption.TRUNCATE_EXISTING,
                StandardOpenOption.WRITE)) {
            while (frames.hasRemaining()) {
                file.write(frames);
            }
        }
        Files.move(unfinished, path(writes, ++written), StandardCopyOption.ATOMIC_MOVE);
    }

    private static Path path(Path stream, long number) {
        return stream.resolve(String.format("%016d", number));
    }

    private void forgetTaken() {
        while (!underWay.isEmpty() && !Files.exists(underWay.peek().path())) {
            Written taken = underWay.remove();
            synchronized (out) {
                underWayBytes -= taken.bytes();
                if (pushedBack && underWayBytes + waiting.position() <= LOW_WATER_BYTES) {
                    pushedBack = false;
                    drained = true;
                }
            }
        }
    }

    private void tellWritable() {
        boolean tell;
        synchronized (out) {
            tell = drained && cause.get() == null;
            drained = false;
        }
        if (tell) {
            call("going on to send", () -> handler.writable());
        }
    }

    /** Delivers the next file, if it is there; returns whether it was. */
    private boolean read() throws IOException {
        Path next = path(reads, delivered + 1);
        ByteBuffer frames;
        try (FileChannel file = FileChannel.open(next)) {
            if (file.size() > MAX_FILE_BYTES) {
                throw new MalformedMessageException(
                        next + " has " + file.size() + " bytes, expected at most " + MAX_FILE_BYTES);
            }
            frames = ByteBuffer.allocate((int) file.size());
            while (frames.hasRemaining() && file.read(frames) >= 0) {
                Thread.onSpinWait();
            }
            frames.flip();
        } catch (NoSuchFileException e) {
            if (!Files.exists(reads)) {
                throw new IOException("its folder is gone", e);
            } else if (!Files.exists(writes) && !Files.exists(next)) {
                throw new IOException("the peer has gone without a word", e);
            }
            return false;
        }
        if (!frames.hasRemaining()) {
            cause.compareAndSet(null, "closed by the peer");
            return true;
        }
        while (frames.hasRemaining() && cause.get() == null) {
            Message message = MessageCodec.decode(frames);
            call("receiving " + message.getClass().getSimpleName(), () -> handler.received(this, message));
        }
        if (cause.get() == null) {
            call("ending a batch", () -> handler.endOfBatch());
        }
        delivered++;
        Files.deleteIfExists(next);
        return true;
    }

    /** Hands over what is left, which the peer finds also when we are gone, and the end of the stream. */
    private void lastWords() throws IOException, InterruptedException {
        if (!Files.exists(writes)) {
            return;
        }
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LAST_WORDS_MS);
        while (!write() && hasWaiting() && System.nanoTime() - deadline < 0) {
            TimeUnit.MILLISECONDS.sleep(POLL_MS);
        }
        if (!hasWaiting()) {
            writeFile(ByteBuffer.allocate(0));
        }
    }

    private boolean hasWaiting() {
        synchronized (out) {
            return waiting.position() > 0;
        }
    }

    private void call(String doing, Runnable what) {
        try {
            what.run();
        } catch (RuntimeException | Error e) {
            log.log(System.Logger.Level.ERROR, this + ": " + doing + " failed, which is a defect", e);
            close(doing + " failed: " + e);
        }
    }

    private void end() {
        delete(reads);
        if (!Files.exists(writes)) {
            delete(reads.getParent());
        }
        if (handler != null) {
            call("ending it", () -> handler.closed(cause.get()));
        }
    }

    /** Deletes a folder and what is in it, as far as it can be; what others have deleted meanwhile is no trouble. */
    static void delete(Path path) {
        try {
            if (Files.isDirectory(path)) {
                try (DirectoryStream<Path> entries = Files.newDirectoryStream(path)) {
                    entries.forEach(FolderSession::delete);
                }
            }
            Files.deleteIfExists(path);
        } catch (IOException e) {
            log.log(System.Logger.Level.DEBUG, "cannot delete " + path, e);
        }
    }

    @Override
    public String toString() {
        return "session " + peer.address();
    }
}
