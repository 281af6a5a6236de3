package lockstep.launcher;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A folder of WAL that PostgreSQL servers archive to and restore from: the segments, timeline histories and backup labels that
 * {@code archive_command} was given, or the {@code pg_wal} of a Lockstep server.
 *
 * <p><b>Whole or not at all.</b> A file comes into an archive, and out of it, under another name, and gets its own when it is on the
 * disk. What has a name is never replaced: the same bytes once more are fine, since a server archives a file again when it has crashed
 * in between; others are refused.
 *
 * <p><b>The newest segment of a server</b> has its full size from the beginning. It is complete when the one after it has begun, which
 * the first page of that tells: it says where in the log it is, and of which system. A segment that is kept ready, or is an old one
 * under a new name, says something else.
 */
final class WalArchive {
    private static final Pattern NAME =
            Pattern.compile("[0-9A-F]{24}(\\.[0-9A-F]{8}\\.backup|\\.partial)?|[0-9A-F]{8}\\.history");
    private static final Pattern SEGMENT = Pattern.compile("([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})");
    private static final String DATA_DIRECTORY_MARK = "control";
    private static final String PG_WAL = "pg_wal";
    private static final String UNFINISHED = ".lockstep-tmp";
    private static final int HEADER_BYTES = 40;
    private static final int POSITION_OFFSET = 8;
    private static final int SYSTEM_OFFSET = 24;
    private static final int SEGMENT_BYTES_OFFSET = 32;
    private static final int HEX = 16;

    private final Path folder;
    private final boolean ofServer;

    /** Takes a folder, or the data directory of a server. */
    WalArchive(Path directory) {
        ofServer = Files.exists(directory.resolve(DATA_DIRECTORY_MARK)) && Files.isDirectory(directory.resolve(PG_WAL));
        folder = ofServer ? directory.resolve(PG_WAL) : directory;
        if (!Files.isDirectory(folder)) {
            throw new Failure(ExitStatus.STOP_RECOVERY, "there is no folder " + folder);
        }
    }

    private static void checkName(String name) {
        if (!NAME.matcher(name).matches()) {
            throw new Failure(
                    ExitStatus.STOP_RECOVERY,
                    "\"" + name + "\" is no WAL file: expected a segment, such as 000000010000000000000001, a timeline"
                            + " history or a backup label");
        }
    }

    /** Copies a file out of the archive; returns whether it is there. */
    boolean get(String name, Path target) throws IOException {
        checkName(name);
        Path source = folder.resolve(name);
        if (!Files.exists(source) || (ofServer && SEGMENT.matcher(name).matches() && !isComplete(source))) {
            return false;
        }
        Path unfinished = target.resolveSibling(target.getFileName() + UNFINISHED);
        try {
            Files.copy(source, unfinished, StandardCopyOption.REPLACE_EXISTING);
            sync(unfinished);
            Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (NoSuchFileException e) {
            if (Files.exists(source)) {
                throw e;
            }
            return false; // the server has just removed it
        } finally {
            Files.deleteIfExists(unfinished);
        }
        if (ofServer && SEGMENT.matcher(name).matches() && !header(target).equals(header(source))) {
            // The server has just made another segment of it, perhaps while it was read.
            Files.delete(target);
            return false;
        }
        return true;
    }

    /** What the first page of a segment says. */
    private record Header(long startLsn, long systemId, int segmentBytes) {}

    private static Optional<Header> header(Path segment) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        try (FileChannel file = FileChannel.open(segment)) {
            int read = 0;
            while (bytes.hasRemaining() && read >= 0) {
                read = file.read(bytes);
            }
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        return bytes.hasRemaining()
                ? Optional.empty()
                : Optional.of(new Header(
                        bytes.getLong(POSITION_OFFSET),
                        bytes.getLong(SYSTEM_OFFSET),
                        bytes.getInt(SEGMENT_BYTES_OFFSET)));
    }

    private boolean isComplete(Path segment) throws IOException {
        Optional<Header> header = header(segment);
        if (header.isEmpty() || header.get().segmentBytes() <= 0) {
            return false;
        }
        int segmentBytes = header.get().segmentBytes();
        Matcher name = SEGMENT.matcher(segment.getFileName().toString());
        long perId = (1L << Integer.SIZE) / segmentBytes;
        long next = name.matches()
                ? Long.parseLong(name.group(2), HEX) * perId + Long.parseLong(name.group(3), HEX) + 1
                : 0;
        Header wanted = new Header(next * segmentBytes, header.get().systemId(), segmentBytes);
        if (header.get().startLsn() != wanted.startLsn() - segmentBytes) {
            return false;
        }
        String position = String.format("%08X%08X", next / perId, next % perId);
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                String other = file.getFileName().toString();
                if (SEGMENT.matcher(other).matches()
                        && other.endsWith(position)
                        && header(file).equals(Optional.of(wanted))) {
                    return true;
                }
            }
        }
        return false;
    }

    /** Copies a file into the archive; it is on the disk when this returns. */
    void put(Path source) throws IOException {
        String name = source.getFileName().toString();
        checkName(name);
        if (ofServer) {
            throw new Failure(
                    ExitStatus.FAILED,
                    folder.getParent()
                            + " is the data directory of a Lockstep server: give the archive a folder of its own");
        }
        Path target = folder.resolve(name);
        Path unfinished =
                folder.resolve("." + name + "." + ProcessHandle.current().pid() + UNFINISHED);
        if (!Files.exists(target)) {
            try {
                Files.copy(source, unfinished, StandardCopyOption.REPLACE_EXISTING);
                sync(unfinished);
                Files.createLink(target, unfinished);
                sync(folder);
                return;
            } catch (FileAlreadyExistsException e) {
                // Somebody else was sooner.
            } finally {
                Files.deleteIfExists(unfinished);
            }
        }
        if (Files.mismatch(source, target) >= 0) {
            throw new Failure(
                    ExitStatus.FAILED,
                    target + " is there already, with other content than " + source
                            + ": do two servers archive to the same folder?");
        }
        sync(target);
        sync(folder);
    }

    private static void sync(Path path) throws IOException {
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
            file.force(true);
        }
    }
}
