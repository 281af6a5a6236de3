package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/** Reads WAL from the buffers while they hold it, and from the files behind them; counts which served. */
final class LayeredSource implements WalSource {
    private final WalBuffers buffers;
    private final LongSupplier filledLsn;
    private final LongSupplier flushedLsn;
    private final WalSource files;
    private final AtomicLong memoryReads;
    private final AtomicLong fileReads;

    LayeredSource(
            WalBuffers buffers,
            LongSupplier filledLsn,
            LongSupplier flushedLsn,
            WalSource files,
            AtomicLong memoryReads,
            AtomicLong fileReads) {
        this.buffers = buffers;
        this.filledLsn = filledLsn;
        this.flushedLsn = flushedLsn;
        this.files = files;
        this.memoryReads = memoryReads;
        this.fileReads = fileReads;
    }

    @Override
    public int read(long lsn, ByteBuffer dst) throws IOException {
        int read = buffers.read(lsn, filledLsn.getAsLong(), dst);
        if (read >= 0) {
            memoryReads.incrementAndGet();
            return read;
        }
        // What the buffers have given up has been flushed; what comes after it is still theirs to give.
        int wanted = (int) Math.min(dst.remaining(), flushedLsn.getAsLong() - lsn);
        int limit = dst.limit();
        dst.limit(dst.position() + wanted);
        try {
            fileReads.incrementAndGet();
            return files.read(lsn, dst);
        } finally {
            dst.limit(limit);
        }
    }

    @Override
    public void close() throws IOException {
        files.close();
    }
}
