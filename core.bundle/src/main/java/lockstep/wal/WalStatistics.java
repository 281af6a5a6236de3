package lockstep.wal;

import java.util.ArrayList;
import java.util.List;

/** Counts records by resource manager, as {@code pg_waldump --stats} does. Thread-safe. */
public final class WalStatistics {
    private static final int RMGRS = 256;

    /**
     * What was counted of one resource manager, or of all.
     *
     * @param rmgr its id; -1 for all
     * @param recordBytes the records without the images in them, without padding and page headers
     * @param imageBytes images of whole pages
     */
    public record Count(int rmgr, long records, long recordBytes, long imageBytes) {
        /** Returns all bytes of the records. */
        public long totalBytes() {
            return recordBytes + imageBytes;
        }
    }

    private final WalFormat format;
    private final long[] records = new long[RMGRS];
    private final long[] recordBytes = new long[RMGRS];
    private final long[] imageBytes = new long[RMGRS];

    /** Begins at zero. */
    public WalStatistics(WalFormat format) {
        this.format = format;
    }

    /** Counts a record. */
    public void add(WalRecord record) {
        int rmgr = record.rmgr();
        int images = record.imageBytes(format);
        synchronized (this) {
            records[rmgr]++;
            recordBytes[rmgr] += record.totalBytes() - images;
            imageBytes[rmgr] += images;
        }
    }

    /** Returns those of which there are records, by id. */
    public synchronized List<Count> counts() {
        List<Count> counts = new ArrayList<>();
        for (int rmgr = 0; rmgr < RMGRS; rmgr++) {
            if (records[rmgr] > 0) {
                counts.add(new Count(rmgr, records[rmgr], recordBytes[rmgr], imageBytes[rmgr]));
            }
        }
        return counts;
    }

    /** Returns all together. */
    public Count total() {
        long allRecords = 0;
        long allRecordBytes = 0;
        long allImageBytes = 0;
        for (Count count : counts()) {
            allRecords += count.records();
            allRecordBytes += count.recordBytes();
            allImageBytes += count.imageBytes();
        }
        return new Count(-1, allRecords, allRecordBytes, allImageBytes);
    }
}
