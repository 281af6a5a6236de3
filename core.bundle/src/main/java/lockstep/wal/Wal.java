package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import lockstep.io.Disk;
import lockstep.io.DiskFile;
import lockstep.io.DiskFullException;
import lockstep.io.Panic;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.io.Workers;
import lockstep.transport.api.Lsn;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The write-ahead log of a running server: buffers, the writer, and the segment files, put together.
 *
 * <p>Bytes enter at one side only. On a primary threads {@link #insert} records; on a standby the receiver hands in the
 * primary's bytes with {@link #receive}. From there on both are the same: the writer brings them to the listeners and to
 * the disk, and readers get them through {@link #source} from memory, or from the files when they are far behind.
 *
 * <p>Threads: {@code insert} from any; {@code receive}, {@code truncate}, {@code follow} and {@code startInserting} from
 * one at a time;
 * reading from any.
 */
public final class Wal implements AutoCloseable {
    /** A starving thread looks again after this long, also if nobody wakes it. */
    private static final long FULL_WAIT_NANOS = 50_000;

    private static final long PREPARE_RETRY_NANOS = 1_000_000_000;

    /** So much is written sooner than another thread would begin to write it. */
    private static final int MAX_FLUSHED_NOW_BYTES = 128 << 10;

    private static final Logger log = LoggerFactory.getLogger(Wal.class);

    private final WalConfig config;
    private final Disk disk;
    private final SegmentFiles files;
    private final WalBuffers buffers;
    private final WalWriter writer;
    private final Workers workers;
    private final Panic panic;
    private final AtomicLong memoryReads = new AtomicLong();
    private final AtomicLong fileReads = new AtomicLong();

    private volatile WalInserter inserter;
    private volatile long receivedLsn;
    private volatile Worker writerWorker;
    private volatile Worker preparer;

    /**
     * Opens the WAL where it ends; the writer is not started yet.
     *
     * @param endLsn the end of valid WAL; what stands behind it on disk has been dealt with
     */
    public Wal(WalConfig config, Disk disk, SegmentFiles files, Workers workers, Panic panic, long endLsn)
            throws IOException {
        this.config = config;
        this.disk = disk;
        this.files = files;
        this.workers = workers;
        this.panic = panic;
        buffers = new WalBuffers(config.bufferBytes());
        receivedLsn = endLsn;
        load(endLsn);
        writer = new WalWriter(
                config.layout(),
                buffers,
                files,
                config.syncMethod(),
                disk.blockBytes(),
                config.waitsForRoom(),
                panic,
                this::filledLsn,
                this::wakePreparer,
                endLsn);
    }

    /** Fills the buffers with the page that {@code endLsn} is in, which will be written again. */
    private void load(long endLsn) throws IOException {
        long page = WalLayout.pageStart(endLsn);
        buffers.reset(page);
        int length = (int) (endLsn - page);
        if (length == 0) {
            return;
        }
        ByteBuffer bytes = ByteBuffer.allocateDirect(length);
        String path = files.path(config.layout().segmentOf(page));
        try (DiskFile file = disk.openForReading(path)) {
            if (file.read(bytes, config.layout().offsetInSegment(page)) < length) {
                throw new IOException(path + " ends before " + Lsn.text(endLsn) + ", where the WAL was found to end");
            }
        }
        buffers.put(page, bytes, 0, length);
    }

    /** Starts the threads {@code wal-writer} and {@code wal-preparer}, the latter making segments ahead of need. */
    public void start() {
        preparer = workers.start("wal-preparer", this::prepareNext);
        writerWorker = workers.start("wal-writer", writer);
    }

    private long prepareNext() {
        try {
            files.prepare(config.layout().segmentOf(filledLsn()) + 1);
            return Step.UNTIL_WOKEN;
        } catch (IOException e) {
            // The writer meets the same trouble when it gets there, and deals with it.
            return PREPARE_RETRY_NANOS;
        }
    }

    /**
     * Lets threads insert from now on: this server is a primary.
     *
     * @param lastRecordLsn where the last record of the WAL begins; 0 if it has none
     */
    public void startInserting(long lastRecordLsn) {
        inserter = new WalInserter(
                config.identity(), buffers, receivedLsn, lastRecordLsn, this::waitForRoom, workers::pause);
    }

    private void waitForRoom() {
        wakeWriter();
        workers.pause(FULL_WAIT_NANOS);
    }

    /** Inserts records; see {@link WalInserter}. Returns where the last one ends. */
    public long insert(RecordGroup group, Placement placement) {
        long end = inserter.insert(group, placement);
        wakeWriter();
        return end;
    }

    /** As {@link #insert}, unless the log is held; returns whether it is not, and the records are in it. */
    public boolean insertUnlessHeld(RecordGroup group, Placement placement) {
        boolean inserted = inserter.insertUnlessHeld(group, placement) >= 0;
        wakeWriter();
        return inserted;
    }

    /**
     * Waits while the log is held; throws what {@link #endInserting} says.
     *
     * @param givenUp asked again and again
     * @return whether it is not held any more; if not, {@code givenUp} has said so
     */
    public boolean awaitInserting(BooleanSupplier givenUp) {
        return inserter.awaitLeave(givenUp);
    }

    /** As {@link #insert}, also while the log is held. */
    public long insertWhileHeld(RecordGroup group, Placement placement) {
        long end = inserter.insertWhileHeld(group, placement);
        wakeWriter();
        return end;
    }

    /**
     * Has all wait who come to insert; see {@link WalInserter}. When this returns, the log ends at {@link #reservedLsn} until {@link
     * #resumeInserting}, but for what is put there by {@link #insertWhileHeld}.
     */
    public void holdInserting() {
        inserter.hold();
    }

    /** Returns whether who comes to insert waits. */
    public boolean isInsertingHeld() {
        return inserter.isHeld();
    }

    /** Lets those go on who wait. */
    public void resumeInserting() {
        inserter.resume();
    }

    /** Lets nobody insert any more: who waits and who comes is told why, and nothing of theirs is in the log. */
    public void endInserting(Supplier<? extends RuntimeException> why) {
        inserter.end(why);
    }

    /** Returns up to where places in the log have been taken; some may not be filled yet. */
    public long reservedLsn() {
        return inserter.reservedLsn();
    }

    /** Calls with the place where the next record would go, while nobody can take it. */
    public void atEnd(Placement placement) {
        inserter.atEnd(placement);
    }

    /** Ends the present segment and returns the start of the next; does nothing when one has just begun. */
    public long switchSegment() {
        long end = inserter.switchSegment();
        wakeWriter();
        return end;
    }

    /**
     * Takes the next bytes of a primary's WAL. Waits while the buffers are full.
     *
     * @param lsn where they begin: where the last ones ended
     */
    public void receive(long lsn, ByteBuffer bytes) {
        if (lsn != receivedLsn) {
            throw new IllegalArgumentException("WAL at " + Lsn.text(lsn) + " does not follow " + Lsn.text(receivedLsn));
        }
        int index = bytes.position();
        while (index < bytes.limit()) {
            long at = receivedLsn;
            long room = buffers.limitLsn() - at;
            if (room == 0) {
                waitForRoom();
                continue;
            }
            int length = (int) Math.min(room, bytes.limit() - index);
            buffers.put(at, bytes, index, length);
            index += length;
            receivedLsn = at + length;
        }
    }

    /** Returns how many bytes {@link #receive} would take now without waiting. */
    public long receiveRoomBytes() {
        return buffers.limitLsn() - receivedLsn;
    }

    /** Waits until all before {@code lsn} is on the disk. */
    public void awaitFlushed(long lsn) {
        while (flushedLsn() < lsn) {
            waitForRoom();
        }
    }

    /**
     * Returns bytes that are in the buffers, up to {@code toLsn} or to where the ring wraps. For listeners, during {@link
     * WalListener#filled}.
     */
    public ByteBuffer view(long fromLsn, long toLsn) {
        return buffers.view(fromLsn, toLsn);
    }

    /** Has the writer write what is in the buffers. */
    public void wakeWriter() {
        Worker worker = writerWorker;
        if (worker != null) {
            worker.wake();
        }
    }

    /**
     * Has what is in the buffers on the disk soon: on this thread, and when this returns, if it is little and nobody is writing;
     * else the writer is woken.
     */
    public void flushNow() {
        if (filledLsn() - flushedLsn() <= MAX_FLUSHED_NOW_BYTES) {
            writer.run();
        }
        if (flushedLsn() < filledLsn()) {
            wakeWriter();
        }
    }

    private void wakePreparer() {
        Worker worker = preparer;
        if (worker != null) {
            worker.wake();
        }
    }

    /**
     * Cuts the WAL back on a standby, and on its disk. Nothing is received meanwhile. Waits until what stays is on the disk,
     * because the buffers are emptied.
     *
     * <p>A failure stops the server: what a flush that failed has left on the disk nobody knows, and the next one would not say.
     *
     * @param lsn the new end, at the end of a record
     */
    public void truncate(long lsn) throws IOException {
        awaitFlushed(lsn);
        synchronized (writer) {
            writer.restart(lsn);
            try {
                files.truncate(lsn, lsn);
                receivedLsn = lsn;
                load(lsn);
            } catch (IOException e) {
                panic.panic(
                        "could not cut the WAL back to " + Lsn.text(lsn) + ": " + e.getMessage()
                                + ". The server stops; check the disk, then start it",
                        e);
                throw e;
            }
        }
    }

    /** The step that decides: before it the old timeline counts, after it the new one. */
    @FunctionalInterface
    public interface Decision {
        /** Makes it, durably. */
        void make() throws IOException;
    }

    /**
     * Goes over to another timeline, which agrees with the present one on all WAL that is here, and begins where that ends or
     * further on. Nothing is inserted or received meanwhile. In order, each step on the disk before the next:
     * <ol>
     *   <li>all that was received;
     *   <li>the history file;
     *   <li>the segment in which the WAL ends, copied under its new name;
     *   <li>the decision.
     * </ol>
     * A crash before the last leaves a log on the old timeline, with files that nobody reads; after it, one on the new. A
     * failure before the last changes nothing; one in it stops the server, because nobody knows then what it left on the disk.
     *
     * @param decision names the new timeline in the control file
     */
    public void follow(TimelineHistory next, Decision decision) throws IOException {
        long endLsn = filledLsn();
        TimelineHistory before = config.identity().history();
        if (Long.compareUnsigned(before.sharedLsn(next), endLsn) < 0) {
            throw new IllegalArgumentException("the log up to " + Lsn.text(endLsn) + " on " + before
                    + " is no part of " + next + ", with which it agrees only up to "
                    + Lsn.text(before.sharedLsn(next)));
        }
        awaitFlushed(endLsn);
        synchronized (writer) {
            writer.closeFile();
            next.write(disk);
            files.copyFor(next, endLsn);
            try {
                decision.make();
            } catch (DiskFullException e) {
                throw e;
            } catch (IOException e) {
                panic.panic(
                        "could not go over to " + next + ": " + e.getMessage()
                                + ". The server stops; check the disk, then start it",
                        e);
                throw e;
            }
            config.identity().follow(next);
        }
        wakePreparer();
        try {
            files.setAside(before, endLsn);
        } catch (IOException e) {
            log.warn("the last segment of timeline {} keeps its name: {}", before.timeline(), e.getMessage());
        }
    }

    /** Returns up to where the buffers are whole. */
    public long filledLsn() {
        WalInserter inserting = inserter;
        return inserting == null ? receivedLsn : inserting.filledLsn();
    }

    /** Returns up to where the operating system has the WAL. */
    public long writtenLsn() {
        return writer.writtenLsn();
    }

    /** Returns up to where the WAL is on the disk. */
    public long flushedLsn() {
        return writer.flushedLsn();
    }

    /** Returns how many flushes there were. */
    public long syncs() {
        return writer.syncs();
    }

    /** Returns what the WAL is like. */
    public WalConfig config() {
        return config;
    }

    /** Returns the segment files. */
    public SegmentFiles files() {
        return files;
    }

    /** Has somebody hear of the WAL's progress. */
    public void addListener(WalListener listener) {
        writer.addListener(listener);
    }

    /** Ends what {@link #addListener} began. */
    public void removeListener(WalListener listener) {
        writer.removeListener(listener);
    }

    /**
     * Returns a way to read the WAL: from the buffers where they still hold it, from the files where not. For one thread;
     * to be closed.
     */
    public WalSource source() {
        return new LayeredSource(
                buffers,
                this::filledLsn,
                this::flushedLsn,
                new SegmentSource(disk, config.identity()),
                memoryReads,
                fileReads);
    }

    /** Returns how many reads the buffers served. */
    public long memoryReads() {
        return memoryReads.get();
    }

    /** Returns how many reads the files served. */
    public long fileReads() {
        return fileReads.get();
    }

    /** Writes what is in the buffers, and ends the writer. */
    @Override
    public void close() {
        if (writerWorker != null) {
            writerWorker.close();
            preparer.close();
        }
        while (writer.run() == Step.AGAIN) {
            // Everything that was inserted reaches the disk.
        }
        writer.closeFile();
    }
}
