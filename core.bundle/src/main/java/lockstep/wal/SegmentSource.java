package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import lockstep.io.Disk;
import lockstep.io.DiskFile;

/** Reads WAL from the segment files of a timeline, one of which it keeps open. A segment that is not there has no bytes. */
public final class SegmentSource implements WalSource {
    private final Disk disk;
    private final WalLayout layout;
    private final int timeline;
    private DiskFile file;
    private long openSegment = -1;

    /** Reads from {@code pg_wal} on a disk. */
    public SegmentSource(Disk disk, WalLayout layout, int timeline) {
        this.disk = disk;
        this.layout = layout;
        this.timeline = timeline;
    }

    @Override
    public int read(long lsn, ByteBuffer dst) throws IOException {
        long segment = layout.segmentOf(lsn);
        if (segment != openSegment && !open(segment)) {
            return 0;
        }
        int offset = layout.offsetInSegment(lsn);
        int limit = dst.limit();
        dst.limit(dst.position() + Math.min(dst.remaining(), layout.segmentBytes() - offset));
        try {
            return file.read(dst, offset);
        } finally {
            dst.limit(limit);
        }
    }

    private boolean open(long segment) throws IOException {
        close();
        String path = SegmentFiles.DIRECTORY + '/' + layout.segmentName(timeline, segment);
        if (!disk.exists(path)) {
            return false;
        }
        file = disk.openForReading(path);
        openSegment = segment;
        return true;
    }

    @Override
    public void close() throws IOException {
        openSegment = -1;
        if (file != null) {
            file.close();
            file = null;
        }
    }
}
