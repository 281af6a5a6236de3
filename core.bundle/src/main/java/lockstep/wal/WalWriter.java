package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import lockstep.io.DiskFile;
import lockstep.io.DiskFullException;
import lockstep.io.Panic;
import lockstep.io.Step;
import lockstep.io.SyncMethod;
import lockstep.transport.api.Lsn;

/**
 * Brings WAL from the buffers to the disk and, at the same time, to the standbys.
 *
 * <p><b>Idea.</b> One writer takes all that is whole in the buffers, hands the range to whoever transmits it, and then
 * writes and flushes it once. What is inserted meanwhile is the next range. So transmit and flush overlap, and a group
 * forms by itself while a flush is under way: there is no delay to tune, and a lone commit waits for nobody.
 *
 * <p><b>On a standby</b> the same writer does the same: only that the buffers are filled by the receiver, and that those
 * who transmit are the standby's own downstream.
 *
 * <p><b>Whole blocks.</b> A write begins and ends at a block of the disk, so that it can bypass the page cache. The bytes
 * of the first block that were written before are written again, unchanged; those after the range are zero, or belong to
 * records that are being inserted and will be written again when they are whole. Neither can be taken for WAL: a record
 * counts only with its CRC.
 *
 * <p><b>Failure.</b> After a failed write or flush nobody knows what is on the disk, so the writer stops the server and
 * never tries again. No room for a new segment is no such failure, since nothing has been written: on a standby the
 * writer says so and waits for room; a primary stops.
 *
 * <p><b>Whose thread.</b> To wake another thread, and to be woken by it again for the answer, costs as much as the flush itself on
 * a fast disk. So whoever has nothing better to do than to wait may write on its own thread ({@link Wal#flushNow}); the rest is
 * done by the worker {@code wal-writer}. Whoever finds somebody {@link #writing} leaves: the worker looks again before it sleeps,
 * and anybody else wakes it if something is left.
 *
 * <p><b>Positions</b>, each never behind the next: filled ≥ written ≥ flushed. One thread at a time moves them.
 */
final class WalWriter implements Step {
    private static final long DISK_FULL_RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final WalLayout layout;
    private final WalBuffers buffers;
    private final SegmentFiles files;
    private final SyncMethod method;
    private final int blockBytes;
    private final long maxBatchBytes;
    private final boolean waitsForRoom;
    private final Panic panic;
    private final LongSupplier filled;
    private final Runnable segmentOpened;
    private final List<WalListener> listeners = new CopyOnWriteArrayList<>();

    private volatile long writtenLsn;
    private volatile long flushedLsn;
    private final AtomicLong syncs = new AtomicLong();
    private final AtomicBoolean writing = new AtomicBoolean();
    private long transmittedLsn;
    private DiskFile file;
    private long fileSegment = -1;
    private boolean full;
    private boolean failed;

    /**
     * Continues the WAL.
     *
     * @param filled up to where the buffers are whole
     * @param segmentOpened called when the writer has come to another segment
     * @param waitsForRoom whether a full disk is waited out
     * @param startLsn where the WAL on disk ends
     */
    WalWriter(
            WalLayout layout,
            WalBuffers buffers,
            SegmentFiles files,
            SyncMethod method,
            int blockBytes,
            boolean waitsForRoom,
            Panic panic,
            LongSupplier filled,
            Runnable segmentOpened,
            long startLsn) {
        this.layout = layout;
        this.buffers = buffers;
        this.files = files;
        this.method = method;
        if (blockBytes > WalLayout.PAGE_BYTES && method == SyncMethod.DIRECT_DATASYNC) {
            throw new IllegalArgumentException(
                    "wal_sync_method = " + method.parameterValue() + ": the disk writes blocks of " + blockBytes
                            + " bytes, and a WAL page has " + WalLayout.PAGE_BYTES + ". Use fdatasync");
        }
        this.blockBytes = Math.min(blockBytes, WalLayout.PAGE_BYTES);
        this.waitsForRoom = waitsForRoom;
        this.panic = panic;
        this.filled = filled;
        this.segmentOpened = segmentOpened;
        maxBatchBytes = buffers.capacity() / 4;
        restart(startLsn);
    }

    /** Sets all positions; nothing is under way. */
    synchronized void restart(long lsn) {
        closeFile();
        writtenLsn = lsn;
        flushedLsn = lsn;
        transmittedLsn = lsn;
    }

    void addListener(WalListener listener) {
        listeners.add(listener);
    }

    void removeListener(WalListener listener) {
        listeners.remove(listener);
    }

    long writtenLsn() {
        return writtenLsn;
    }

    long flushedLsn() {
        return flushedLsn;
    }

    /** Returns how many flushes there were. */
    long syncs() {
        return syncs.get();
    }

    /** Writes and flushes the next range, if there is one and nobody does. Ends by nothing but its owner, or a panic. */
    @Override
    public long run() {
        if (!writing.compareAndSet(false, true)) {
            return UNTIL_WOKEN;
        }
        try {
            return writeNext();
        } catch (RuntimeException | Error e) {
            failed = true;
            panic.panic("the WAL writer failed at " + Lsn.text(flushedLsn) + ": " + e + ". The server stops", e);
            throw e;
        } finally {
            writing.set(false);
        }
    }

    private synchronized long writeNext() {
        long from = flushedLsn;
        long whole = filled.getAsLong();
        if (whole == from || failed) {
            return UNTIL_WOKEN;
        }
        long segment = layout.segmentOf(from);
        long to = Math.min(whole, Math.min(layout.segmentStart(segment + 1), from + maxBatchBytes));
        if (to > transmittedLsn) {
            for (WalListener listener : listeners) {
                listener.filled(transmittedLsn, to);
            }
            transmittedLsn = to;
        }
        try {
            if (!openSegment(segment)) {
                return DISK_FULL_RETRY_NANOS;
            }
            write(from, to);
            writtenLsn = to;
            if (!method.syncsOnWrite()) {
                for (WalListener listener : listeners) {
                    listener.written(to);
                }
                file.sync();
            }
        } catch (IOException e) {
            failed = true;
            panic.panic(
                    "could not write WAL from " + Lsn.text(from) + " to " + Lsn.text(to) + " to "
                            + files.path(segment) + ": " + e.getMessage()
                            + ". The server stops, because nothing past this may be acknowledged."
                            + " Check the disk, then start the server: it recovers what was flushed",
                    e);
            return UNTIL_WOKEN;
        }
        syncs.incrementAndGet();
        flushedLsn = to;
        for (WalListener listener : listeners) {
            listener.flushed(to);
        }
        buffers.recycle(to, filled.getAsLong());
        return AGAIN;
    }

    private void write(long from, long to) throws IOException {
        long block = from - from % blockBytes;
        long end = (to + blockBytes - 1) / blockBytes * blockBytes;
        while (block < end) {
            ByteBuffer view = buffers.view(block, end);
            int length = view.remaining();
            file.write(view, layout.offsetInSegment(block));
            block += length;
        }
    }

    private boolean openSegment(long segment) throws IOException {
        if (fileSegment == segment) {
            return true;
        }
        closeFile();
        try {
            file = files.open(segment, method);
        } catch (DiskFullException e) {
            if (!waitsForRoom) {
                throw e;
            }
            if (!full) {
                full = true;
                listeners.forEach(listener -> listener.diskFull(true, e.getMessage()));
            }
            return false;
        }
        fileSegment = segment;
        segmentOpened.run();
        if (full) {
            full = false;
            listeners.forEach(listener -> listener.diskFull(false, files.path(segment)));
        }
        return true;
    }

    /** Closes the segment; nothing is lost, since all that was written has been flushed. */
    synchronized void closeFile() {
        fileSegment = -1;
        if (file == null) {
            return;
        }
        try {
            file.close();
        } catch (IOException e) {
            panic.panic("could not close a WAL segment: " + e.getMessage(), e);
        } finally {
            file = null;
        }
    }
}
