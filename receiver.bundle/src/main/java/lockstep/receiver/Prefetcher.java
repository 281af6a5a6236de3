package lockstep.receiver;

import java.io.IOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import lockstep.io.Disk;
import lockstep.io.Step;
import lockstep.receiver.api.PrefetchStatus;
import lockstep.rmgr.ResourceManagers;
import lockstep.wal.ReadResult;
import lockstep.wal.SegmentSource;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalReader;
import lockstep.wal.WalRecord;
import lockstep.wal.WalSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs ahead of redo while that is so far behind that its WAL is only in the files: reads them back into the machine's
 * memory, and has resource managers read what the records will touch. So redo, which must go one record after the other,
 * finds WAL and data there.
 *
 * <p>A hint and nothing more: redo depends on nothing that is done here, and whatever goes wrong here is redo's to find.
 */
final class Prefetcher implements Step, AutoCloseable {
    /** How far ahead of redo it runs. */
    private static final long DISTANCE_BYTES = 4 << 20;

    private static final int BATCH = 256;
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    private static final Logger log = LoggerFactory.getLogger(Prefetcher.class);

    private final ResourceManagers managers;
    private final WalSource source;
    private final WalReader reader;
    private final WalRecord record = new WalRecord();
    private final LongSupplier appliedLsn;
    private final LongSupplier limitLsn;
    private final long behindBytes;

    private final AtomicLong records = new AtomicLong();
    private final AtomicLong bytes = new AtomicLong();
    private volatile long prefetchedLsn;

    /**
     * Makes one that waits until redo is behind.
     *
     * @param limitLsn up to where there is WAL to redo
     * @param behindBytes how far behind redo is when the buffers in memory no longer hold what it reads; {@link Long#MAX_VALUE} for a
     *     log of which nothing is redone
     */
    Prefetcher(
            ResourceManagers managers,
            Disk disk,
            WalIdentity identity,
            LongSupplier appliedLsn,
            LongSupplier limitLsn,
            long behindBytes) {
        this.managers = managers;
        source = new SegmentSource(disk, identity);
        reader = new WalReader(source, identity);
        this.appliedLsn = appliedLsn;
        this.limitLsn = limitLsn;
        this.behindBytes = behindBytes;
    }

    @Override
    public long run() {
        if (behindBytes == Long.MAX_VALUE) {
            return UNTIL_WOKEN;
        }
        long applied = appliedLsn.getAsLong();
        long limit = limitLsn.getAsLong();
        if (limit - applied <= behindBytes) {
            return LOOK_NANOS;
        }
        try {
            if (prefetchedLsn < applied) {
                reader.seek(applied, WalReader.UNKNOWN);
                prefetchedLsn = applied;
            }
            return runAhead(Math.min(limit, applied + DISTANCE_BYTES));
        } catch (IOException | RuntimeException e) {
            log.debug("the prefetcher leaves the WAL from {} to redo", prefetchedLsn, e);
            prefetchedLsn = 0;
            return LOOK_NANOS;
        }
    }

    private long runAhead(long limit) throws IOException {
        for (int i = 0; i < BATCH; i++) {
            if (prefetchedLsn >= limit || reader.next(record, limit) != ReadResult.RECORD) {
                return LOOK_NANOS;
            }
            managers.get(record.rmgr()).ifPresent(manager -> manager.prefetch(record));
            records.incrementAndGet();
            bytes.addAndGet(record.totalBytes());
            prefetchedLsn = reader.endLsn();
        }
        return AGAIN;
    }

    PrefetchStatus status() {
        return new PrefetchStatus(records.get(), bytes.get(), prefetchedLsn);
    }

    /** Closes the files. The worker has ended. */
    @Override
    public void close() throws IOException {
        source.close();
    }
}
