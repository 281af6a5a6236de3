package lockstep.wal;

import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import java.util.zip.CRC32C;

/**
 * Puts records into the WAL buffers, from many threads at once.
 *
 * <p><b>Idea.</b> Taking a place and filling it are two steps. The place is taken under one short lock: an addition, and
 * the call to {@link Placement} that makes the commit queue ordered by construction. The bytes are copied outside the
 * lock, so threads copy in parallel.
 *
 * <p><b>How far is the WAL whole?</b> Places are filled in any order, but the writer may only take what is whole from the
 * start. Every thread that copies holds one of a few <i>slots</i>, and the slot says from where its place is not filled
 * yet. {@link #filledLsn} is the end of all taken places or the smallest slot, whichever is less. (PostgreSQL's insertion
 * locks are the same idea; a list of finished places would have to be sorted, and would allocate.)
 *
 * <p><b>Why that is right.</b> A slot is set before {@code reservedLsn} covers its place, both under the lock. The writer
 * reads {@code reservedLsn} first and the slots after it: every place below what it read that is not yet filled is in a
 * slot it sees.
 *
 * <p><b>Holding.</b> A log can be held, so that nobody takes a place: who comes waits, and when {@link #hold} has returned the end
 * of the log stands still. The lock under which places are taken is the barrier, so inserting costs nothing more for it than a
 * look at a field. It then goes on, or ends for good: who waits, and who comes later, is told why before anything of theirs is in
 * the log.
 *
 * <p><b>Full buffers.</b> A thread that comes to a page which is still in use sets its slot there, so that all before it
 * can be written, and waits for the writer. A record may therefore be larger than the buffers.
 */
final class WalInserter {
    private static final int SLOTS = 32;

    /** Slots lie a cache line apart. */
    private static final int STRIDE = 8;

    /** Nobody has the slot. */
    private static final long FREE = Long.MAX_VALUE;

    /** A thread has the slot and no place yet. */
    private static final long TAKEN = Long.MAX_VALUE - 1;

    /** A place that is none, because the log is held. */
    private static final long HELD = -1;

    private static final int SPINS = 100;
    private static final long SLOT_WAIT_NANOS = 20_000;

    /** At this rate thousands of threads that wait for a log that is held cost little. */
    private static final long HOLD_LOOK_NANOS = 500_000;

    private final WalIdentity identity;
    private final WalLayout layout;
    private final WalBuffers buffers;
    private final Runnable whenFull;
    private final LongConsumer pause;
    private final AtomicLongArray slots = new AtomicLongArray(SLOTS * STRIDE);

    private final Object placeLock = new Object();
    private long nextUsable;
    private long prevLsn;
    private volatile long reservedLsn;

    /** Set under {@link #placeLock}. */
    private volatile boolean held;

    /** Why nothing is inserted any more; null while something is. */
    private volatile Supplier<? extends RuntimeException> ended;

    /**
     * Continues the WAL.
     *
     * @param endLsn where it ends
     * @param lastRecordLsn where its last record begins; 0 if there is none
     * @param whenFull waits a moment for the writer to free buffers
     * @param pause waits for some nanoseconds
     */
    WalInserter(
            WalIdentity identity,
            WalBuffers buffers,
            long endLsn,
            long lastRecordLsn,
            Runnable whenFull,
            LongConsumer pause) {
        this.identity = identity;
        this.layout = identity.layout();
        this.buffers = buffers;
        this.whenFull = whenFull;
        this.pause = pause;
        nextUsable = layout.usable(WalLayout.align(endLsn));
        prevLsn = lastRecordLsn;
        reservedLsn = layout.endLsn(nextUsable);
        for (int slot = 0; slot < SLOTS; slot++) {
            slots.set(slot * STRIDE, FREE);
        }
    }

    /** Returns up to where the WAL is whole in the buffers. */
    long filledLsn() {
        long filled = reservedLsn;
        for (int slot = 0; slot < SLOTS; slot++) {
            filled = Math.min(filled, slots.get(slot * STRIDE));
        }
        return filled;
    }

    /** Returns up to where places have been taken. */
    long reservedLsn() {
        return reservedLsn;
    }

    /** Calls with the end of all taken places, while none is taken. */
    void atEnd(Placement placement) {
        synchronized (placeLock) {
            placement.placed(reservedLsn, reservedLsn);
        }
    }

    /** Has all wait who come to insert; when this returns, nobody takes a place. */
    void hold() {
        synchronized (placeLock) {
            held = true;
        }
    }

    boolean isHeld() {
        return held;
    }

    /** Lets those go on who wait. */
    void resume() {
        held = false;
    }

    /** Lets nobody insert any more; {@code why} is thrown to each who waits or comes. */
    void end(Supplier<? extends RuntimeException> why) {
        synchronized (placeLock) {
            ended = why;
            held = true;
        }
    }

    /**
     * Waits while the log is held.
     *
     * @param givenUp asked again and again
     * @return whether it is not held any more; if not, {@code givenUp} has said so
     */
    boolean awaitLeave(BooleanSupplier givenUp) {
        while (held) {
            Supplier<? extends RuntimeException> why = ended;
            if (why != null) {
                throw why.get();
            }
            if (Thread.currentThread().isInterrupted()) {
                throw new IllegalStateException(
                        "the wait for the log, which is held, was interrupted: nothing was inserted");
            }
            if (givenUp.getAsBoolean()) {
                return false;
            }
            pause.accept(HOLD_LOOK_NANOS);
        }
        return true;
    }

    private void awaitLeave() {
        awaitLeave(() -> false);
    }

    /**
     * Inserts records.
     *
     * @return where the last one ends
     */
    long insert(RecordGroup group, Placement placement) {
        long end;
        do {
            awaitLeave();
            end = insert(group, placement, false);
        } while (end == HELD);
        return end;
    }

    /** As {@link #insert(RecordGroup, Placement)}, but returns -1 if the log is held. */
    long insertUnlessHeld(RecordGroup group, Placement placement) {
        return insert(group, placement, false);
    }

    /** As {@link #insert(RecordGroup, Placement)}, also while the log is held. */
    long insertWhileHeld(RecordGroup group, Placement placement) {
        return insert(group, placement, true);
    }

    private long insert(RecordGroup group, Placement placement, boolean whileHeld) {
        int slot = takeSlot();
        try {
            long from;
            long to;
            long previous;
            synchronized (placeLock) {
                if (held && !whileHeld) {
                    return HELD;
                }
                from = reservedLsn;
                previous = prevLsn;
                prevLsn = layout.startLsn(nextUsable + group.lastStart());
                nextUsable += group.bytes();
                to = layout.endLsn(nextUsable);
                slots.set(slot, from);
                placement.placed(from, to);
                reservedLsn = to;
            }
            fill(group, from, previous, slot);
            return to;
        } finally {
            slots.set(slot, FREE);
        }
    }

    /**
     * Ends the segment: inserts a switch record and leaves the rest of the segment zero.
     *
     * @return the start of the next segment; the present position if a segment has just begun
     */
    long switchSegment() {
        long end;
        do {
            awaitLeave();
            end = switchSegmentUnlessHeld();
        } while (end == HELD);
        return end;
    }

    private long switchSegmentUnlessHeld() {
        RecordGroup group = new RecordGroup();
        group.add(0, XlogInfo.RMGR, XlogInfo.SWITCH, 0);
        int slot = takeSlot();
        try {
            long from;
            long previous;
            long to;
            synchronized (placeLock) {
                if (held) {
                    return HELD;
                }
                if (layout.offsetInSegment(reservedLsn) == 0) {
                    return reservedLsn;
                }
                from = reservedLsn;
                previous = prevLsn;
                prevLsn = layout.startLsn(nextUsable);
                long perSegment = layout.usableBytesPerSegment();
                nextUsable = (nextUsable + group.bytes() + perSegment - 1) / perSegment * perSegment;
                to = layout.endLsn(nextUsable);
                slots.set(slot, from);
                reservedLsn = to;
            }
            long page = WalLayout.pageStart(fill(group, from, previous, slot) - 1) + WalLayout.PAGE_BYTES;
            for (; page < to; page += WalLayout.PAGE_BYTES) {
                awaitRoom(page, slot);
            }
            return to;
        } finally {
            slots.set(slot, FREE);
        }
    }

    private int takeSlot() {
        int start = (int) Thread.currentThread().getId() % SLOTS;
        for (int tries = 0; ; tries++) {
            int slot = (start + tries) % SLOTS * STRIDE;
            if (slots.get(slot) == FREE && slots.compareAndSet(slot, FREE, TAKEN)) {
                return slot;
            }
            if (tries > SPINS) {
                LockSupport.parkNanos(this, SLOT_WAIT_NANOS);
            }
        }
    }

    /** Copies a group to its place, page by page, and returns where it ends. */
    private long fill(RecordGroup group, long from, long previous, int slot) {
        ByteBuffer records = group.buffer();
        int total = group.bytes();
        seal(group, from, previous);
        long lsn = from;
        int done = 0;
        int recordStart = 0;
        int recordBytes = records.getInt(RecordHeader.LENGTH_OFFSET);
        awaitRoom(lsn, slot);
        while (done < total) {
            if (lsn % WalLayout.PAGE_BYTES == 0) {
                awaitRoom(lsn, slot);
                while (recordStart + WalLayout.align(recordBytes) <= done) {
                    recordStart += (int) WalLayout.align(recordBytes);
                    recordBytes = records.getInt(recordStart + RecordHeader.LENGTH_OFFSET);
                }
                int remaining = done == recordStart ? 0 : recordStart + recordBytes - done;
                PageHeader.write(
                        buffers.memory(),
                        buffers.offset(lsn),
                        layout,
                        identity.systemId(),
                        identity.timeline(),
                        lsn,
                        remaining);
                lsn += layout.headerBytes(lsn);
            }
            int length = (int) Math.min(WalLayout.PAGE_BYTES - lsn % WalLayout.PAGE_BYTES, total - done);
            buffers.put(lsn, records, done, length);
            lsn += length;
            done += length;
        }
        return lsn;
    }

    /** Gives each record what depends on its place: the position of the one before, and with it the CRC. */
    private void seal(RecordGroup group, long from, long firstPrevious) {
        ByteBuffer records = group.buffer();
        int total = group.bytes();
        CRC32C crc = group.crc();
        long usable = layout.usable(from);
        long previous = firstPrevious;
        for (int start = 0; start < total; ) {
            int length = records.getInt(start + RecordHeader.LENGTH_OFFSET);
            records.putLong(start + RecordHeader.PREV_OFFSET, previous);
            records.limit(start + length).position(start);
            records.putInt(start + RecordHeader.CRC_OFFSET, RecordHeader.crc(crc, records));
            records.clear().position(total);
            previous = layout.startLsn(usable + start);
            start += (int) WalLayout.align(length);
        }
    }

    /** Waits until the page that holds {@code lsn} is free; all before {@code lsn} has been filled. */
    private void awaitRoom(long lsn, int slot) {
        while (lsn >= buffers.limitLsn()) {
            slots.set(slot, lsn);
            whenFull.run();
        }
    }
}
