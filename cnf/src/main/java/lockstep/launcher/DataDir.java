package lockstep.launcher;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A data directory, seen from outside the server: what is in it, and who runs on it.
 *
 * <p><b>The lock.</b> Who holds a lock on {@code lockstep.pid} is the server; the file's text is its process id. The
 * operating system gives the lock back whenever and however the process ends, so the file of a server that was killed
 * stands in nobody's way, and a process that happens to have its id now is not taken for it. The file stays when the server
 * has ended: if it were deleted, two servers could hold locks on two files of that name. (Any other part of a process
 * that opens and closes this file would lose the lock: no backup and no scan may touch it.)
 */
final class DataDir {
    private static final String PID = "lockstep.pid";

    /** What may be there before the server is: who may connect, and what proves it, is best said first. */
    private static final Pattern AHEAD =
            Pattern.compile(Pattern.quote(PID) + "|access\\.conf|passwords|ssh|.+\\.(crt|key|crl|pem)");

    /** The longest path that {@code sockaddr_un} holds. */
    private static final int MAX_SOCKET_PATH_BYTES = 107;

    private static final long LOCK_RETRY_MS = 1_000;
    private static final String CONF_HEADER = """
            # Configuration of this server. Parameters, one a line: name = value
            # Values with anything but letters, digits and _ . + - stand between '...'. Sizes have units (kB, MB, GB),
            # and so have times (ms, s, min, h). "lockstep shell DIR show" lists the parameters there are.

            """;

    private final Path path;

    DataDir(Path path) {
        this.path = path.toAbsolutePath().normalize();
        int bytes = socket().toString().getBytes(UTF_8).length;
        if (bytes > MAX_SOCKET_PATH_BYTES) {
            throw new Failure(
                    ExitStatus.FAILED,
                    "the path of " + socket() + " has " + bytes + " bytes, and a socket takes " + MAX_SOCKET_PATH_BYTES
                            + ": choose a shorter one for the data directory");
        }
    }

    Path path() {
        return path;
    }

    Path conf() {
        return path.resolve("lockstep.conf");
    }

    Path recoveryConf() {
        return path.resolve("recovery.conf");
    }

    /** By this file the server knows that it may give up WAL. */
    Path rewindSignal() {
        return path.resolve("rewind.signal");
    }

    Path socket() {
        return path.resolve("lockstep.sock");
    }

    /** What a server in the background says on its standard outputs. */
    Path console() {
        return path.resolve("log/console.log");
    }

    /** Where operators put transports. */
    Path bundles() {
        return path.resolve("bundles");
    }

    /** What can be made anew. */
    Path cache() {
        return path.resolve("cache");
    }

    Path log() {
        return path.resolve("log/lockstep.log");
    }

    boolean isInitialized() {
        return Files.exists(conf());
    }

    /** Makes the directory, for the owner only; refuses one in which somebody else keeps things. */
    void create() throws IOException {
        if (Files.exists(path)) {
            try (Stream<Path> entries = Files.list(path)) {
                boolean foreign = !isInitialized()
                        && !Files.exists(recoveryConf())
                        && entries.anyMatch(entry ->
                                !AHEAD.matcher(entry.getFileName().toString()).matches());
                if (foreign) {
                    throw new Failure(
                            ExitStatus.FAILED,
                            path + " is no data directory of Lockstep and is not empty: choose another, or empty it");
                }
            } catch (NotDirectoryException e) {
                throw new Failure(ExitStatus.FAILED, path + " is no directory");
            }
        } else {
            Files.createDirectories(path);
        }
        if (!isInitialized()) {
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwx------"));
        }
    }

    /** Writes {@code lockstep.conf} if there is none, and makes the directories for log and transports. */
    void initialize() throws IOException {
        Files.createDirectories(path.resolve("log"));
        Files.createDirectories(bundles());
        if (!isInitialized()) {
            ConfFile conf = new ConfFile(conf());
            conf.header(CONF_HEADER);
            conf.save();
        }
    }

    /**
     * Becomes the server of this directory.
     *
     * @throws Failure if there is one
     */
    Lock lock() throws IOException, InterruptedException {
        FileChannel file = FileChannel.open(
                path.resolve(PID), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LOCK_RETRY_MS);
        FileLock lock = file.tryLock();
        // Who only looks, or only prepares, holds the lock for a moment, and its id is not in the file.
        while (lock == null && liveProcess(file).isEmpty() && System.nanoTime() < deadline) {
            TimeUnit.MILLISECONDS.sleep(10);
            lock = file.tryLock();
        }
        if (lock == null) {
            OptionalLong pid = liveProcess(file);
            file.close();
            throw new Failure(
                    ExitStatus.FAILED,
                    path + " is in use by "
                            + (pid.isPresent() ? "the server with process id " + pid.getAsLong() : "another process"));
        }
        file.truncate(0);
        return new Lock(file);
    }

    /** Returns the process id of the server that runs on this directory. */
    OptionalLong server() throws IOException {
        if (!Files.exists(path.resolve(PID))) {
            return OptionalLong.empty();
        }
        try (FileChannel file = FileChannel.open(path.resolve(PID), StandardOpenOption.READ);
                FileLock lock = file.tryLock(0, Long.MAX_VALUE, true)) {
            return lock == null ? pid(file) : OptionalLong.empty();
        }
    }

    /** Waits until no server holds the directory. */
    void awaitUnlocked() throws IOException {
        try (FileChannel file = FileChannel.open(path.resolve(PID), StandardOpenOption.READ);
                FileLock lock = file.lock(0, Long.MAX_VALUE, true)) {
            assert lock.isShared();
        }
    }

    private static OptionalLong liveProcess(FileChannel file) throws IOException {
        OptionalLong pid = pid(file);
        return pid.isPresent() && ProcessHandle.of(pid.getAsLong()).isPresent() ? pid : OptionalLong.empty();
    }

    private static OptionalLong pid(FileChannel file) throws IOException {
        ByteBuffer text = ByteBuffer.allocate(20);
        file.read(text, 0);
        String digits = US_ASCII.decode(text.flip()).toString().strip();
        return digits.matches("[0-9]{1,18}") ? OptionalLong.of(Long.parseLong(digits)) : OptionalLong.empty();
    }

    /** The right to run on the directory, until it is closed or the process ends. */
    static final class Lock implements AutoCloseable {
        private final FileChannel file;

        private Lock(FileChannel file) {
            this.file = file;
        }

        /** Says who the server is. */
        void tell(long pid) throws IOException {
            file.write(US_ASCII.encode(pid + "\n"), 0);
        }

        @Override
        public void close() throws IOException {
            file.truncate(0);
            file.close();
        }
    }
}
