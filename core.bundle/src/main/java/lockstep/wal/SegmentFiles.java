package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import lockstep.io.Disk;
import lockstep.io.DiskFile;
import lockstep.io.SyncMethod;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The segment files in {@code pg_wal}: made ahead of need, named, recycled and removed here.
 *
 * <p>A segment has all its blocks before it is written, so that a flush changes no metadata: it is either made anew,
 * or an old one under a new name. What an old one still holds is told from new WAL by the page addresses. Thread-safe.
 */
public final class SegmentFiles {
    /** Where segments and history files are, relative to the data directory. */
    public static final String DIRECTORY = "pg_wal";

    /** How many segments are kept ready beyond the one being written; more are removed when they are not needed. */
    private static final int MAX_SPARE_SEGMENTS = 8;

    private static final long NO_SYSTEM = 0;

    /** Ends the name of a segment that its timeline did not finish. */
    private static final String PARTIAL = ".partial";

    private static final String UNFINISHED = ".tmp";
    private static final int COPY_BYTES = 256 << 10;

    private static final Logger log = LoggerFactory.getLogger(SegmentFiles.class);

    /** A segment file. */
    public record Segment(String name, int timeline, long number, long startLsn, long bytes) {}

    private final Disk disk;
    private final WalIdentity identity;
    private final WalLayout layout;

    /** Takes the data directory's WAL, which may be empty. */
    public SegmentFiles(Disk disk, WalIdentity identity) throws IOException {
        this.disk = disk;
        this.identity = identity;
        layout = identity.layout();
        disk.createDirectories(DIRECTORY);
    }

    /** Returns the path of a segment's file, relative to the data directory. */
    public String path(long segment) {
        return DIRECTORY + '/' + identity.segmentName(segment);
    }

    /** Returns all segments, in the order of their names. */
    public List<Segment> list() throws IOException {
        List<Segment> segments = new ArrayList<>();
        for (String name : disk.list(DIRECTORY)) {
            long number = layout.segmentNumber(name);
            if (number >= 0) {
                segments.add(new Segment(
                        name, WalLayout.timelineOf(name), number, layout.segmentStart(number), layout.segmentBytes()));
            }
        }
        return segments;
    }

    /** Returns where the newest segment file ends; 0 if there is none. */
    public long endLsn() throws IOException {
        return list().stream()
                .mapToLong(segment -> segment.startLsn() + segment.bytes())
                .max()
                .orElse(0);
    }

    /** Returns whether the file of the segment that holds {@code lsn} exists. */
    public boolean exists(long lsn) {
        return disk.exists(path(layout.segmentOf(lsn)));
    }

    /** Makes the segment if it does not exist. Throws {@link lockstep.io.DiskFullException} if there is no room. */
    public synchronized void prepare(long segment) throws IOException {
        String path = path(segment);
        if (!disk.exists(path)) {
            disk.create(path, header(segment), layout.segmentBytes());
        }
    }

    /** A page header that belongs to no system, so that nobody takes it for WAL, but tools can tell the segment size. */
    private ByteBuffer header(long segment) {
        ByteBuffer header = ByteBuffer.allocate(PageHeader.LONG_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        long startLsn = layout.segmentStart(segment);
        PageHeader.write(header, 0, layout, NO_SYSTEM, identity.history().timelineAt(startLsn), startLsn, 0);
        return header;
    }

    /** Opens a segment for the WAL writer, making it if need be. */
    DiskFile open(long segment, SyncMethod method) throws IOException {
        prepare(segment);
        return disk.open(path(segment), method);
    }

    /**
     * Makes the file that a segment has on another timeline, if that has another name for it: it begins with the bytes up to
     * {@code lsn} of the present one, and is zero from there on. The file is on the disk when this returns; one that an
     * interrupted attempt has left is replaced.
     *
     * @param lsn the end of the WAL
     */
    synchronized void copyFor(TimelineHistory next, long lsn) throws IOException {
        long segment = layout.segmentOf(lsn);
        String present = path(segment);
        String copy = DIRECTORY + '/' + new WalIdentity(identity.systemId(), next, layout).segmentName(segment);
        if (copy.equals(present) || layout.offsetInSegment(lsn) == 0) {
            return;
        }
        copy(present, copy, layout.offsetInSegment(lsn));
    }

    /** Copies the beginning of a segment; the rest becomes zero. */
    private void copy(String present, String copy, int end) throws IOException {
        String unfinished = copy + UNFINISHED;
        try (DiskFile from = disk.openForReading(present);
                DiskFile to = disk.createEmpty(unfinished)) {
            ByteBuffer bytes = ByteBuffer.allocateDirect(COPY_BYTES);
            for (int at = 0; at < layout.segmentBytes(); at += COPY_BYTES) {
                bytes.clear();
                bytes.limit(Math.max(0, Math.min(COPY_BYTES, end - at)));
                from.read(bytes, at);
                if (bytes.hasRemaining()) {
                    throw new IOException(
                            present + " ends before its byte " + end + ", where the WAL was found to end");
                }
                bytes.limit(COPY_BYTES);
                while (bytes.hasRemaining()) {
                    bytes.put((byte) 0);
                }
                to.write(bytes.flip(), at);
            }
            to.sync();
        }
        disk.rename(unfinished, copy);
    }

    /**
     * Keeps the WAL from {@code lsn} on in a directory, for people: the segments as they are now. What is needed of the first
     * one stays.
     *
     * @return how many segments there are in the directory
     */
    public synchronized int keepAside(long lsn, long endLsn, String directory) throws IOException {
        disk.createDirectories(directory);
        int kept = 0;
        for (long segment = layout.segmentOf(lsn); layout.segmentStart(segment) < endLsn; segment++) {
            String path = path(segment);
            if (disk.exists(path)) {
                copy(path, directory + '/' + identity.segmentName(segment), layout.segmentBytes());
                kept++;
            }
        }
        return kept;
    }

    /** Gives the file that a segment had on an earlier timeline the name of one that was never finished, as PostgreSQL does. */
    synchronized void setAside(TimelineHistory before, long lsn) throws IOException {
        long segment = layout.segmentOf(lsn);
        String old = DIRECTORY + '/' + new WalIdentity(identity.systemId(), before, layout).segmentName(segment);
        if (!old.equals(path(segment)) && disk.exists(old)) {
            disk.rename(old, old + PARTIAL);
        }
    }

    /** Removes what is kept of a segment that its timeline did not finish, because the archive has that segment. */
    public synchronized void removePartial(String segmentName) throws IOException {
        disk.delete(DIRECTORY + '/' + segmentName + PARTIAL);
    }

    /**
     * Ends the WAL on disk at {@code lsn}: the rest of its segment becomes zero, and later segments are removed, so that
     * nothing that was once written there can be taken for WAL again. The last segment goes first: a crash leaves WAL without a
     * gap. What stays is flushed: a process that was killed may have left it with the operating system alone.
     *
     * @param bytesEndLsn where the last record's bytes end; before {@code lsn} only if that record ended its segment, whose
     *     rest then becomes zero
     */
    public synchronized void truncate(long lsn, long bytesEndLsn) throws IOException {
        List<Segment> behind = new ArrayList<>(list());
        behind.removeIf(segment -> segment.startLsn() < lsn);
        behind.sort(Comparator.comparingLong(Segment::startLsn).reversed());
        for (Segment segment : behind) {
            disk.delete(DIRECTORY + '/' + segment.name());
        }
        long segment = layout.segmentOf(bytesEndLsn - 1);
        String path = path(segment);
        if (!disk.exists(path)) {
            return;
        }
        int offset = (int) (bytesEndLsn - layout.segmentStart(segment));
        try (DiskFile file = disk.open(path, SyncMethod.FDATASYNC)) {
            file.write(ByteBuffer.allocateDirect(layout.segmentBytes() - offset), offset);
            file.sync();
        }
    }

    /**
     * Removes segments that end at or before {@code lsn}, or gives them a name that the WAL will reach, as many as are
     * useful.
     *
     * @param currentLsn where the WAL ends now
     * @return how many segments are no longer there under their old name
     */
    public synchronized int removeBefore(long lsn, long currentLsn) throws IOException {
        long current = layout.segmentOf(currentLsn);
        List<Segment> segments = list();
        long last = current;
        for (Segment segment : segments) {
            last = Math.max(last, segment.number());
        }
        int removed = 0;
        for (Segment segment : segments) {
            if (segment.startLsn() + layout.segmentBytes() > lsn || segment.number() >= current) {
                continue;
            }
            String path = DIRECTORY + '/' + segment.name();
            if (last - current < MAX_SPARE_SEGMENTS) {
                last++;
                disk.rename(path, path(last));
            } else {
                disk.delete(path);
            }
            removed++;
        }
        if (removed > 0) {
            log.debug("{} segments before {} recycled or removed", removed, identity.segmentName(current));
        }
        return removed;
    }

    /** Returns the first position of which there is WAL without a gap up to {@code currentLsn}. */
    public long oldestLsn(long currentLsn) {
        long segment = layout.segmentOf(currentLsn);
        while (segment > 0 && disk.exists(path(segment - 1))) {
            segment--;
        }
        return layout.segmentStart(segment);
    }
}
