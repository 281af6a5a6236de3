package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import lockstep.io.Disk;
import lockstep.io.DiskFile;

/** Reads WAL from the segment files of a log, one of which it keeps open. A segment that is not there has no bytes. */
public final class SegmentSource implements WalSource {
    private final Disk disk;
    private final WalIdentity identity;
    private DiskFile file;
    private long openSegment = -1;
    private int openTimeline;

    /** Reads from {@code pg_wal} on a disk. */
    public SegmentSource(Disk disk, WalIdentity identity) {
        this.disk = disk;
        this.identity = identity;
    }

    @Override
    public int read(long lsn, ByteBuffer dst) throws IOException {
        WalLayout layout = identity.layout();
        long segment = layout.segmentOf(lsn);
        while (segment != openSegment || identity.fileTimeline(segment) != openTimeline) {
            int timeline = identity.fileTimeline(segment);
            if (!open(timeline, segment) && timeline == identity.fileTimeline(segment)) {
                return 0;
            }
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

    private boolean open(int timeline, long segment) throws IOException {
        close();
        String path = SegmentFiles.DIRECTORY + '/' + identity.layout().segmentName(timeline, segment);
        if (!disk.exists(path)) {
            return false;
        }
        file = disk.openForReading(path);
        openSegment = segment;
        openTimeline = timeline;
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
