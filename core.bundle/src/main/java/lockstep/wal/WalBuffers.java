package lockstep.wal;

import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import lockstep.io.FileDisk;

/**
 * The newest WAL in memory: a ring of direct memory laid out as the pages that go to disk.
 *
 * <p><b>Idea.</b> A byte at position {@code lsn} stands at {@code lsn mod capacity}, so nobody keeps a table of pages, and
 * what is written to disk or sent is a plain range of this memory. The ring holds three stretches:
 *
 * <pre>
 *   oldestLsn              flushed              filled                    limitLsn = oldestLsn + capacity
 *   |  history: on disk,   |  on its way to     |  free: all zero,        |
 *   |  can still be read   |  disk and standbys |  to be filled           |
 * </pre>
 *
 * <p>The history is what a sender that fell a little behind, and redo on a standby, read without touching a file. The
 * WAL writer gives history up to keep room free ({@link #recycle}): it zeroes the pages first, so that the rest of a page
 * that is written half full is zero on disk too, which is how the end of WAL is told.
 *
 * <p><b>Why reading needs no lock.</b> A reader copies first and then looks whether {@code oldestLsn} has passed where it
 * began; {@code oldestLsn} moves before the pages are zeroed, so a copy that was overtaken is always noticed and thrown
 * away. Who fills bytes waits until they are below {@code limitLsn}, which moves after the pages are zeroed.
 */
public final class WalBuffers {
    private static final int ALIGNMENT = 4096;

    private final ByteBuffer memory;
    private final ByteBuffer zeros = ByteBuffer.allocateDirect(WalLayout.PAGE_BYTES);
    private final int capacity;

    private volatile long oldestLsn;
    private volatile long limitLsn;

    /**
     * Makes buffers that are empty.
     *
     * @param capacityBytes a power of two, at least four pages
     */
    public WalBuffers(int capacityBytes) {
        if (capacityBytes < 4 * WalLayout.PAGE_BYTES || Integer.bitCount(capacityBytes) != 1) {
            throw new IllegalArgumentException("wal_buffers = " + capacityBytes
                    + " bytes: expected a power of two, at least " + 4 * WalLayout.PAGE_BYTES);
        }
        capacity = capacityBytes;
        memory = FileDisk.allocateAligned(capacity, ALIGNMENT).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Empties the buffers; the next byte to fill is on the page that begins at {@code pageLsn}. */
    void reset(long pageLsn) {
        oldestLsn = Long.MAX_VALUE;
        VarHandle.fullFence();
        for (int i = 0; i < capacity; i += WalLayout.PAGE_BYTES) {
            memory.put(i, zeros, 0, WalLayout.PAGE_BYTES);
        }
        oldestLsn = pageLsn;
        limitLsn = pageLsn + capacity;
    }

    /** Returns the size. */
    public int capacity() {
        return capacity;
    }

    /** Returns the first position that can still be read. */
    public long oldestLsn() {
        return oldestLsn;
    }

    /** Returns the position up to which bytes may be filled. */
    long limitLsn() {
        return limitLsn;
    }

    /** Fills bytes: {@code length} of them, from {@code index} in {@code src}. The caller owns the range. */
    void put(long lsn, ByteBuffer src, int index, int length) {
        int at = offset(lsn);
        int first = Math.min(length, capacity - at);
        memory.put(at, src, index, first);
        if (first < length) {
            memory.put(0, src, index + first, length - first);
        }
    }

    /** Returns the whole memory, for writing a page header at {@link #offset}. */
    ByteBuffer memory() {
        return memory;
    }

    int offset(long lsn) {
        return (int) lsn & (capacity - 1);
    }

    /**
     * Returns a view of bytes from {@code fromLsn} on: up to {@code toLsn}, or to where the ring wraps. The caller knows
     * that they are not given up meanwhile.
     */
    ByteBuffer view(long fromLsn, long toLsn) {
        int at = offset(fromLsn);
        return memory.slice(at, (int) Math.min(toLsn - fromLsn, capacity - at));
    }

    /**
     * Copies bytes out.
     *
     * @param toLsn where the filled bytes end
     * @return how many were copied; -1 if they have been given up, and {@code dst} is as before
     */
    public int read(long lsn, long toLsn, ByteBuffer dst) {
        int length = (int) Math.min(dst.remaining(), toLsn - lsn);
        if (lsn < oldestLsn || length <= 0) {
            return lsn < oldestLsn ? -1 : 0;
        }
        int at = offset(lsn);
        int first = Math.min(length, capacity - at);
        dst.put(dst.position(), memory, at, first);
        if (first < length) {
            dst.put(dst.position() + first, memory, 0, length - first);
        }
        VarHandle.loadLoadFence();
        if (lsn < oldestLsn) {
            return -1;
        }
        dst.position(dst.position() + length);
        return length;
    }

    /**
     * Gives up history so that half of the ring is free. Called by the WAL writer alone.
     *
     * @param flushedLsn what is before it is on disk
     * @param filledLsn what is before it has been filled
     */
    void recycle(long flushedLsn, long filledLsn) {
        long from = oldestLsn;
        long to = Math.min(WalLayout.pageStart(flushedLsn), WalLayout.pageStart(filledLsn - capacity / 2));
        if (to <= from) {
            return;
        }
        oldestLsn = to;
        VarHandle.fullFence();
        for (long page = from; page < to; page += WalLayout.PAGE_BYTES) {
            memory.put(offset(page), zeros, 0, WalLayout.PAGE_BYTES);
        }
        limitLsn = to + capacity;
    }
}
