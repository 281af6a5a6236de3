package lockstep.receiver;

import java.io.IOException;
import lockstep.io.Disk;
import lockstep.transport.api.Lsn;
import lockstep.wal.ReadResult;
import lockstep.wal.SegmentFiles;
import lockstep.wal.SegmentSource;
import lockstep.wal.WalConfig;
import lockstep.wal.WalCorruptionException;
import lockstep.wal.WalEnd;
import lockstep.wal.WalLayout;
import lockstep.wal.WalReader;
import lockstep.wal.WalRecord;
import lockstep.wal.WalSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads all WAL on the disk and finds out where it ends, before anything is applied or asked for.
 *
 * @param endLsn where it ends: after the last record, or at the start of a segment if there is none
 * @param bytesEndLsn where the bytes of the last record end; before {@code endLsn} if that ended its segment
 * @param lastRecordLsn where the last record begins; {@link WalReader#UNKNOWN} if there is none
 */
record WalScan(long endLsn, long bytesEndLsn, long lastRecordLsn) {
    private static final Logger log = LoggerFactory.getLogger(WalScan.class);

    /**
     * Reads the WAL that leads without a gap to {@code redoLsn} and on from there. An archive of a PostgreSQL server's log may be of
     * any size, and was checked when it came: of that, it reads from the segment of {@code redoLsn} on.
     *
     * @param knownFlushedLsn up to where it is known to have been on the disk
     * @throws WalCorruptionException if it is damaged in its midst; names the segment and the position
     */
    static WalScan of(Disk disk, SegmentFiles files, WalConfig config, long redoLsn, long knownFlushedLsn)
            throws IOException {
        WalLayout layout = config.layout();
        long startLsn = config.identity().format().isPostgres()
                ? layout.segmentStart(layout.segmentOf(redoLsn))
                : files.oldestLsn(redoLsn);
        long filesEndLsn = Math.max(files.endLsn(), startLsn);
        try (WalSource source = new SegmentSource(disk, config.identity())) {
            WalReader reader = new WalReader(source, config.identity());
            WalRecord record = new WalRecord();
            reader.seekFirst(startLsn, filesEndLsn);
            long records = 0;
            while (reader.next(record, filesEndLsn) == ReadResult.RECORD) {
                records++;
            }
            new WalEnd(source, config.identity()).check(reader, filesEndLsn, config.bufferBytes(), knownFlushedLsn);
            WalScan scan = records == 0
                    ? new WalScan(startLsn, startLsn, WalReader.UNKNOWN)
                    : new WalScan(reader.endLsn(), reader.bytesEndLsn(), reader.lastRecordLsn());
            log.info(
                    "WAL from {} to {} is valid, {} records; it ends there: {}",
                    Lsn.text(startLsn),
                    Lsn.text(scan.endLsn()),
                    records,
                    reader.reason());
            return scan;
        }
    }
}
