package lockstep.io;

import com.sun.nio.file.ExtendedOpenOption;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** A directory of this machine's file system. What is made in it is for its owner only; what is replaced keeps its mode. */
public final class FileDisk implements Disk {
    private static final int MIN_BLOCK_BYTES = 4096;

    /** With larger blocks a direct write would touch more than the page it is for. */
    private static final int MAX_DIRECT_BLOCK_BYTES = 8192;

    private static final int ZERO_CHUNK_BYTES = 1 << 20;
    private static final String TEMPORARY = ".tmp";
    private static final FileAttribute<?> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    private final Path root;
    private final int blockBytes;

    /** Whether files can be written past the page cache; null until that has been tried. */
    private volatile Boolean direct;

    /** Takes an existing directory. */
    public FileDisk(Path root) throws IOException {
        this.root = root;
        blockBytes = Math.max(
                MIN_BLOCK_BYTES, Math.toIntExact(Files.getFileStore(root).getBlockSize()));
    }

    /** Allocates direct memory whose address suits direct writes. */
    public static ByteBuffer allocateAligned(int bytes, int alignment) {
        return ByteBuffer.allocateDirect(bytes + alignment)
                .alignedSlice(alignment)
                .limit(bytes)
                .slice();
    }

    @Override
    public int blockBytes() {
        return blockBytes;
    }

    @Override
    public boolean supports(SyncMethod method) throws IOException {
        if (method == SyncMethod.DIRECT_DATASYNC && blockBytes > MAX_DIRECT_BLOCK_BYTES) {
            return false;
        }
        Path probe = Files.createTempFile(root, "probe", TEMPORARY);
        try (FileChannel channel = FileChannel.open(probe, options(method))) {
            return channel.write(allocateAligned(blockBytes, blockBytes), 0) == blockBytes;
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        } finally {
            Files.delete(probe);
        }
    }

    @Override
    public DiskFile openForReading(String path) throws IOException {
        Path file = root.resolve(path);
        return new File(file, FileChannel.open(file, StandardOpenOption.READ), SyncMethod.FDATASYNC);
    }

    @Override
    public DiskFile open(String path, SyncMethod method) throws IOException {
        Path file = root.resolve(path);
        return new File(file, FileChannel.open(file, options(method)), method);
    }

    private static Set<OpenOption> options(SyncMethod method) {
        return switch (method) {
            case FDATASYNC -> Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE);
            case OPEN_DATASYNC -> Set.of(StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DSYNC);
            case DIRECT_DATASYNC ->
                Set.of(
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.DSYNC,
                        ExtendedOpenOption.DIRECT);
        };
    }

    /**
     * {@inheritDoc}
     *
     * <p>Past the page cache where that can be: nobody will read the zeros from there.
     */
    @Override
    public void create(String path, ByteBuffer head, long lengthBytes) throws IOException {
        boolean direct = lengthBytes % blockBytes == 0 && isDirect();
        replace(root.resolve(path), direct ? Set.of(ExtendedOpenOption.DIRECT) : Set.of(), channel -> {
            ByteBuffer chunk = allocateAligned(ZERO_CHUNK_BYTES, blockBytes);
            for (long left = lengthBytes; left > 0; left -= chunk.limit()) {
                writeFully(channel, chunk.clear().limit((int) Math.min(chunk.capacity(), left)));
            }
            chunk.clear().put(0, head, head.position(), head.remaining());
            channel.position(0);
            writeFully(channel, chunk.clear().limit((int) Math.min(blockBytes, lengthBytes)));
        });
    }

    private boolean isDirect() throws IOException {
        Boolean known = direct;
        if (known == null) {
            known = supports(SyncMethod.DIRECT_DATASYNC);
            direct = known;
        }
        return known;
    }

    @Override
    public void writeAtomically(String path, ByteBuffer content) throws IOException {
        replace(root.resolve(path), Set.of(), channel -> writeFully(channel, content.duplicate()));
    }

    private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    @Override
    public DiskFile createEmpty(String path) throws IOException {
        Path file = root.resolve(path);
        try {
            FileChannel channel = FileChannel.open(
                    file,
                    Set.of(
                            StandardOpenOption.READ,
                            StandardOpenOption.WRITE,
                            StandardOpenOption.CREATE,
                            StandardOpenOption.TRUNCATE_EXISTING),
                    OWNER_ONLY);
            syncDirectory(file);
            return new File(file, channel, SyncMethod.FDATASYNC);
        } catch (IOException e) {
            throw named("cannot create", file, e);
        }
    }

    private interface Filler {
        void fill(FileChannel channel) throws IOException;
    }

    private static void replace(Path file, Set<OpenOption> how, Filler filler) throws IOException {
        Path temporary = file.resolveSibling(file.getFileName() + TEMPORARY);
        try {
            // One that a crash left behind may have another mode.
            Files.deleteIfExists(temporary);
            Set<OpenOption> options = new HashSet<>(how);
            options.addAll(List.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW));
            try (FileChannel channel = FileChannel.open(temporary, options, OWNER_ONLY)) {
                filler.fill(channel);
                channel.force(true);
            }
            if (Files.exists(file)) {
                Files.setPosixFilePermissions(temporary, Files.getPosixFilePermissions(file));
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            syncDirectory(file);
        } catch (IOException e) {
            Files.deleteIfExists(temporary);
            throw named("cannot write", file, e);
        }
    }

    @Override
    public byte[] readAll(String path) throws IOException {
        return Files.readAllBytes(root.resolve(path));
    }

    @Override
    public boolean exists(String path) {
        return Files.exists(root.resolve(path));
    }

    @Override
    public List<String> list(String directory) throws IOException {
        Set<String> names = new TreeSet<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(root.resolve(directory))) {
            entries.forEach(entry -> names.add(entry.getFileName().toString()));
        } catch (NoSuchFileException e) {
            return List.of();
        }
        return new ArrayList<>(names);
    }

    @Override
    public void createDirectories(String directory) throws IOException {
        Path path = root.resolve(directory);
        Files.createDirectories(path);
        syncDirectory(path);
    }

    @Override
    public void rename(String from, String to) throws IOException {
        Path target = root.resolve(to);
        Files.move(root.resolve(from), target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        syncDirectory(target);
    }

    @Override
    public void delete(String path) throws IOException {
        Path file = root.resolve(path);
        if (Files.deleteIfExists(file)) {
            syncDirectory(file);
        }
    }

    private static void syncDirectory(Path entry) throws IOException {
        try (FileChannel directory = FileChannel.open(entry.getParent(), StandardOpenOption.READ)) {
            directory.force(true);
        }
    }

    private static IOException named(String what, Path file, IOException e) {
        String message = what + " " + file + ": " + e.getMessage();
        boolean full = e.getMessage() != null
                && (e.getMessage().contains("No space left") || e.getMessage().contains("quota exceeded"));
        return full ? new DiskFullException(message, e) : new IOException(message, e);
    }

    private static final class File implements DiskFile {
        private final Path path;
        private final FileChannel channel;
        private final SyncMethod method;

        File(Path path, FileChannel channel, SyncMethod method) {
            this.path = path;
            this.channel = channel;
            this.method = method;
        }

        @Override
        public int read(ByteBuffer dst, long position) throws IOException {
            int wanted = dst.remaining();
            try {
                while (dst.hasRemaining()) {
                    if (channel.read(dst, position + wanted - dst.remaining()) < 0) {
                        break;
                    }
                }
                return wanted - dst.remaining();
            } catch (IOException e) {
                throw named("cannot read", path, e);
            }
        }

        @Override
        public void write(ByteBuffer src, long position) throws IOException {
            long at = position;
            try {
                while (src.hasRemaining()) {
                    at += channel.write(src, at);
                }
            } catch (IOException e) {
                throw named("cannot write", path, e);
            }
        }

        @Override
        public void sync() throws IOException {
            if (method.syncsOnWrite()) {
                return;
            }
            try {
                channel.force(false);
            } catch (IOException e) {
                throw named("cannot flush", path, e);
            }
        }

        @Override
        public long length() throws IOException {
            return channel.size();
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
