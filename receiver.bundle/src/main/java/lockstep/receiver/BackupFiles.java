package lockstep.receiver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import lockstep.io.Disk;
import lockstep.io.DiskFile;
import lockstep.recovery.ControlFile;
import lockstep.retention.ReplicationSlots;
import lockstep.wal.SegmentFiles;

/**
 * The files of a base backup as they come. What a primary may write here is bounded: only new files, only below the data
 * directory, and none of those that belong to the server itself, such as its configuration, its WAL or its bundles.
 *
 * <p>The file {@value #MARKER} is there from before the first byte until the control file is written. It names each file
 * before that is begun, so that a backup that was interrupted is removed without a trace, and nothing else is.
 */
final class BackupFiles {
    static final String MARKER = "base_backup_in_progress";

    /** The marks of what has been archived, while this server was a primary. */
    private static final String ARCHIVE_STATUS = SegmentFiles.DIRECTORY + "/archive_status";

    private static final int MAX_PATH_CHARS = 512;
    private static final int MAX_FILES = 10_000;
    private static final Set<String> RESERVED = Set.of(
            SegmentFiles.DIRECTORY,
            ControlFile.PATH,
            SettledMark.PATH,
            MARKER,
            ReplicationSlots.DIRECTORY,
            "bundles",
            "cache",
            "log",
            "lockstep.conf",
            "recovery.conf",
            "recovery.done",
            "promotion",
            "diverged",
            Rewind.SIGNAL,
            "lockstep.pid",
            "lockstep.sock");

    private final Disk disk;
    private final StringBuilder marker = new StringBuilder();
    private DiskFile file;
    private String path = "";
    private long lengthBytes;
    private long doneBytes;
    private final AtomicLong files = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();

    BackupFiles(Disk disk) {
        this.disk = disk;
    }

    /** Returns whether a backup has been interrupted. */
    static boolean wasInterrupted(Disk disk) {
        return disk.exists(MARKER);
    }

    /**
     * Gives up all data that is here, so that a backup can take its place: it is removed like what an interrupted backup has left,
     * also when the server crashes meanwhile.
     *
     * @param files those of the resource managers
     */
    static void giveUp(Disk disk, List<String> files) throws IOException {
        StringBuilder all = new StringBuilder();
        for (String path : files) {
            check(path);
            all.append(path).append('\n');
        }
        for (String directory : List.of(ARCHIVE_STATUS, SegmentFiles.DIRECTORY)) {
            for (String name : disk.list(directory)) {
                String path = directory + '/' + name;
                if (!path.equals(ARCHIVE_STATUS)) {
                    all.append(path).append('\n');
                }
            }
        }
        all.append(SettledMark.PATH).append('\n');
        disk.writeAtomically(MARKER, ByteBuffer.wrap(all.toString().getBytes(StandardCharsets.UTF_8)));
        removeInterrupted(disk);
    }

    /** Removes all that a backup that was interrupted has left. */
    static void removeInterrupted(Disk disk) throws IOException {
        List<String> paths =
                new String(disk.readAll(MARKER), StandardCharsets.UTF_8).lines().toList();
        disk.delete(ControlFile.PATH);
        for (String path : paths) {
            disk.delete(path);
        }
        disk.delete(MARKER);
    }

    /** Begins a backup. */
    void begin() throws IOException {
        mark();
    }

    private void mark() throws IOException {
        disk.writeAtomically(MARKER, ByteBuffer.wrap(marker.toString().getBytes(StandardCharsets.UTF_8)));
    }

    /**
     * Begins a file.
     *
     * @throws IllegalArgumentException if it is not one that a backup may write, or has no place here
     */
    void file(String newPath, long newLengthBytes) throws IOException {
        requireWhole();
        check(newPath);
        if (newLengthBytes < 0) {
            throw new IllegalArgumentException("the file " + newPath + " has a length of " + newLengthBytes + " bytes");
        }
        if (files.get() == MAX_FILES) {
            throw new IllegalArgumentException("a base backup has more than " + MAX_FILES + " files");
        }
        if (disk.exists(newPath)) {
            throw new IllegalArgumentException("the file " + newPath
                    + " exists already; a base backup is taken into an empty data directory only");
        }
        marker.append(newPath).append('\n');
        mark();
        int slash = newPath.lastIndexOf('/');
        if (slash > 0) {
            disk.createDirectories(newPath.substring(0, slash));
        }
        file = disk.createEmpty(newPath);
        path = newPath;
        lengthBytes = newLengthBytes;
        doneBytes = 0;
        files.incrementAndGet();
        endIfWhole();
    }

    private static void check(String path) {
        if (path.isEmpty() || path.length() > MAX_PATH_CHARS) {
            throw hostile(path, "its length is not between 1 and " + MAX_PATH_CHARS + " characters");
        }
        if (path.chars().anyMatch(c -> c < ' ' || c == '\\' || c == ':' || c == 0x7F)) {
            throw hostile(path, "it has characters that no file of a server has");
        }
        String[] names = path.split("/", -1);
        for (String name : names) {
            if (name.isEmpty() || name.equals(".") || name.equals("..")) {
                throw hostile(path, "expected names with a single / between them");
            }
        }
        if (RESERVED.contains(names[0]) || names[0].startsWith(".")) {
            throw hostile(path, "it belongs to the server itself");
        }
    }

    private static IllegalArgumentException hostile(String path, String why) {
        return new IllegalArgumentException("a base backup may not write \"" + path + "\": " + why);
    }

    /** Takes the next bytes of the file. */
    void data(ByteBuffer content) throws IOException {
        int length = content.remaining();
        if (file == null || length > lengthBytes - doneBytes) {
            throw new IllegalArgumentException("the base backup has " + length + " bytes for "
                    + (file == null
                            ? "no file"
                            : "the file " + path + ", of which only " + (lengthBytes - doneBytes) + " are missing"));
        }
        file.write(content.duplicate(), doneBytes);
        doneBytes += length;
        bytes.addAndGet(length);
        endIfWhole();
    }

    private void endIfWhole() throws IOException {
        if (doneBytes == lengthBytes) {
            file.sync();
            close();
        }
    }

    /** Ends the backup: writes the control file, which makes a standby of the data directory. */
    void end(ControlFile control) throws IOException {
        requireWhole();
        control.write(disk);
        disk.delete(MARKER);
    }

    private void requireWhole() {
        if (file != null) {
            throw new IllegalArgumentException(
                    "the base backup goes on after " + doneBytes + " of " + lengthBytes + " bytes of the file " + path);
        }
    }

    /** Closes the file that has begun, if there is one. */
    void close() throws IOException {
        if (file != null) {
            file.close();
            file = null;
        }
    }

    long files() {
        return files.get();
    }

    long bytes() {
        return bytes.get();
    }
}
