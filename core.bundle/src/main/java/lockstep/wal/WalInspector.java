package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import lockstep.io.Disk;
import lockstep.io.DiskFile;
import lockstep.transport.api.Lsn;

/**
 * Looks at the WAL files of a server, whatever that does meanwhile. It reads only what lies before the position up to which
 * the server has flushed, if the server can tell one; WAL there never changes, so anything wrong there is damage. Without
 * one it reads to the end it finds, and {@link WalEnd} judges that.
 *
 * <p>A segment may be removed while it is being read, because nobody needs it any more; the inspection then goes on with
 * the oldest that is still there. Thread-safe.
 */
public final class WalInspector {
    /** What a segment file holds. */
    public enum State {
        /** WAL, to its end. */
        WHOLE,
        /** WAL up to some place in it: it is being written. */
        PARTIAL,
        /** Old WAL under a new name, to be written over. */
        RECYCLED,
        /** Nothing yet: it was made ahead of need. */
        PREPARED
    }

    /**
     * A segment file.
     *
     * @param endLsn where it ends, and not only the WAL in it
     * @param bytes the size of the file
     */
    public record SegmentView(String name, int timeline, long startLsn, long endLsn, State state, long bytes) {}

    /**
     * WAL that was found good.
     *
     * @param startLsn the start of the oldest segment
     * @param endLsn the end of the last record
     */
    public record Verified(long startLsn, long endLsn, long segments, long records) {}

    /** Sees records. */
    @FunctionalInterface
    public interface Visitor {
        /** Sees one, which is valid until this returns. */
        void record(WalRecord record) throws IOException, InterruptedException;
    }

    private final Disk disk;
    private final WalIdentity identity;
    private final SegmentFiles files;
    private final OptionalLong flushedLsn;
    private final long redoLsn;
    private final long knownFlushedLsn;
    private final int maxTornBytes;

    /**
     * Looks at the WAL in a data directory.
     *
     * @param flushedLsn up to where a running server has flushed it; empty if that is not known
     * @param redoLsn where redo would start: a position that a record begins or ends at
     * @param knownFlushedLsn where {@code flushedLsn} is empty: WAL before it must be there
     * @param maxTornBytes the size of the WAL buffers
     */
    public WalInspector(
            Disk disk,
            WalIdentity identity,
            OptionalLong flushedLsn,
            long redoLsn,
            long knownFlushedLsn,
            int maxTornBytes)
            throws IOException {
        this.disk = disk;
        this.identity = identity;
        this.flushedLsn = flushedLsn;
        this.redoLsn = redoLsn;
        this.knownFlushedLsn = knownFlushedLsn;
        this.maxTornBytes = maxTornBytes;
        files = new SegmentFiles(disk, identity);
    }

    /** Returns all segment files, in the order of their names. */
    public List<SegmentView> segments() throws IOException {
        long endLsn = endLsn();
        List<SegmentView> views = new ArrayList<>();
        for (SegmentFiles.Segment segment : files.list()) {
            long end = segment.startLsn() + segment.bytes();
            try (DiskFile file = disk.openForReading(SegmentFiles.DIRECTORY + '/' + segment.name())) {
                views.add(new SegmentView(
                        segment.name(),
                        segment.timeline(),
                        segment.startLsn(),
                        end,
                        state(segment, end, endLsn, file),
                        file.length()));
            } catch (IOException e) {
                if (disk.exists(SegmentFiles.DIRECTORY + '/' + segment.name())) {
                    throw e;
                }
                // It has been removed, or has another name by now.
            }
        }
        return views;
    }

    private State state(SegmentFiles.Segment segment, long end, long walEndLsn, DiskFile file) throws IOException {
        if (Long.compareUnsigned(end, walEndLsn) <= 0) {
            return State.WHOLE;
        }
        if (Long.compareUnsigned(segment.startLsn(), walEndLsn) < 0) {
            return State.PARTIAL;
        }
        // The header of the first page is that of its new place, also if what follows is old.
        ByteBuffer header = ByteBuffer.allocate(PageHeader.SHORT_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        file.read(header, WalLayout.PAGE_BYTES);
        int magic = header.getShort(PageHeader.MAGIC_OFFSET) & 0xFFFF;
        return magic == identity.format().magic() ? State.RECYCLED : State.PREPARED;
    }

    /** Returns the end of the WAL: what is flushed, or what can be read. */
    private long endLsn() throws IOException {
        if (flushedLsn.isPresent()) {
            return flushedLsn.getAsLong();
        }
        try (WalSource source = source()) {
            WalReader reader = new WalReader(source, identity);
            reader.seek(redoLsn, WalReader.UNKNOWN);
            long limit = files.endLsn();
            WalRecord record = new WalRecord();
            while (reader.next(record, limit) == ReadResult.RECORD) {
                // To the last one.
            }
            return reader.endLsn();
        }
    }

    private WalSource source() {
        return new SegmentSource(disk, identity);
    }

    /**
     * Shows records in order.
     *
     * @param fromLsn shows those that begin there or later; 0 for all there are
     * @param toLsn shows those that begin before it; {@link Long#MAX_VALUE} for all there are
     * @return how many there were
     * @throws WalCorruptionException if what follows the last record shown is damage
     */
    public long dump(long fromLsn, long toLsn, Visitor visitor) throws IOException, InterruptedException {
        return read(Math.max(fromLsn, oldestLsn()), toLsn, visitor).records();
    }

    /**
     * Reads all WAL from the start of the oldest segment to the end.
     *
     * @throws WalCorruptionException at the first damage
     */
    public Verified verify() throws IOException, InterruptedException {
        while (true) {
            long startLsn = oldestLsn();
            try {
                return read(startLsn, Long.MAX_VALUE, record -> {});
            } catch (WalCorruptionException e) {
                if (oldestLsn() <= e.lsn() - identity.layout().offsetInSegment(e.lsn())) {
                    throw e;
                }
                // The segment was removed in front of our eyes.
            }
        }
    }

    private long oldestLsn() throws IOException {
        return files.list().stream()
                .filter(segment -> segment.timeline() == identity.fileTimeline(segment.number()))
                .mapToLong(SegmentFiles.Segment::startLsn)
                .min()
                .orElseThrow(() ->
                        new IOException("there is no WAL of " + identity.history() + " in " + SegmentFiles.DIRECTORY));
    }

    private Verified read(long fromLsn, long toLsn, Visitor visitor) throws IOException, InterruptedException {
        long filesEndLsn = files.endLsn();
        long limit = flushedLsn.orElse(filesEndLsn);
        if (Long.compareUnsigned(fromLsn, limit) >= 0) {
            throw new IOException("there is no WAL at " + Lsn.text(fromLsn) + " yet: it ends at " + Lsn.text(limit));
        }
        try (WalSource source = source()) {
            WalReader reader = new WalReader(source, identity);
            WalRecord record = new WalRecord();
            long records = 0;
            if (reader.seekFirst(fromLsn, limit)) {
                while (Long.compareUnsigned(identity.layout().recordStart(reader.endLsn()), toLsn) < 0) {
                    ReadResult result = reader.next(record, limit);
                    if (result != ReadResult.RECORD) {
                        checkEnd(reader, result, source, limit, filesEndLsn);
                        break;
                    }
                    if (Thread.interrupted()) {
                        throw new InterruptedException("interrupted at " + Lsn.text(record.lsn()));
                    }
                    visitor.record(record);
                    records++;
                }
            } else {
                throw corruption(reader, Math.max(fromLsn, reader.endLsn()));
            }
            WalLayout layout = identity.layout();
            long segments = reader.endLsn() == fromLsn
                    ? 0
                    : layout.segmentOf(reader.endLsn() - 1) - layout.segmentOf(fromLsn) + 1;
            return new Verified(fromLsn, reader.endLsn(), segments, records);
        }
    }

    private void checkEnd(WalReader reader, ReadResult result, WalSource source, long limit, long filesEndLsn)
            throws IOException {
        if (flushedLsn.isEmpty()) {
            new WalEnd(source, identity).check(reader, filesEndLsn, maxTornBytes, knownFlushedLsn);
        } else if (result == ReadResult.INVALID || Long.compareUnsigned(reader.examinedLsn(), limit) < 0) {
            // All before the limit is on the disk; a record that goes on past it is not damage.
            throw corruption(reader, identity.layout().recordStart(reader.endLsn()));
        }
    }

    private WalCorruptionException corruption(WalReader reader, long lsn) {
        WalLayout layout = identity.layout();
        return new WalCorruptionException(identity.segmentName(layout.segmentOf(lsn)), lsn, reader.reason());
    }
}
