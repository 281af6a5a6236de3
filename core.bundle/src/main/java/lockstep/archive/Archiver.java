package lockstep.archive;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import lockstep.io.Clock;
import lockstep.io.Commands;
import lockstep.io.Disk;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.io.Workers;
import lockstep.recovery.ControlFile;
import lockstep.wal.SegmentFiles;
import lockstep.wal.Wal;
import lockstep.wal.WalLayout;
import lockstep.wal.WalListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Archives WAL on a primary: runs {@code archive_command} for each finished segment, in order, until it says that the file is
 * safe.
 *
 * <p><b>Idea.</b> What has to be archived stands in the file system, not in memory: a mark per file, see {@link
 * ArchiveStatusFiles}. So nothing is forgotten in a crash, and whoever removes WAL asks the same marks ({@link #unarchivedLsn}).
 * The mark changes after the command has succeeded; a crash between the two runs it once more for the same file, and the
 * command has to bear with that.
 *
 * <pre>
 *   the command                    what happens
 *   exits with 0                   the file is archived; the next one
 *   exits with another status,     the failure is counted, and logged when it is a new one; the same file is tried
 *   or cannot be started           again, after 1 s at first and after 60 s in the end
 *   is empty                       WAL is kept until there is one
 * </pre>
 *
 * <p><b>Threads.</b> The worker {@code archiver} runs the command and waits for it; it is woken when a segment is finished. {@link
 * #close} ends the command that runs.
 */
public final class Archiver implements Step, WalListener, AutoCloseable {
    private static final long FIRST_RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long LAST_RETRY_NANOS = TimeUnit.SECONDS.toNanos(60);

    private static final Logger log = LoggerFactory.getLogger(Archiver.class);

    private final Wal wal;
    private final WalLayout layout;
    private final ArchiveStatusFiles files;
    private final Commands commands;
    private final Supplier<ControlFile> control;
    private final Clock clock;

    private volatile ArchiveConfig config;
    private volatile ArchiverStatus status = ArchiverStatus.NONE;
    private volatile Worker worker;
    private volatile boolean closed;
    private volatile long noticedSegment;

    // Of the worker alone.
    private ArchiveConfig seenConfig;
    private long retryNanos = FIRST_RETRY_NANOS;
    private long retryAtNanos;
    private boolean retrying;
    private long timedSegment = -1;
    private long segmentSinceNanos;

    /**
     * Makes one that is started later.
     *
     * @param control what the last checkpoint was
     */
    public Archiver(
            ArchiveConfig config, Commands commands, Disk disk, Wal wal, Supplier<ControlFile> control, Clock clock)
            throws IOException {
        this.config = config;
        seenConfig = config;
        this.commands = commands;
        this.wal = wal;
        layout = wal.config().layout();
        files = new ArchiveStatusFiles(disk, layout, wal.config().timeline());
        this.control = control;
        this.clock = clock;
    }

    /** Starts the thread {@code archiver}. */
    public void start(Workers workers) {
        wal.addListener(this);
        worker = workers.start("archiver", this);
    }

    /** Changes the command and the timeout, from now on; a file that failed is tried again at once. */
    public void configure(ArchiveConfig newConfig) {
        config = newConfig;
        wake();
    }

    private void wake() {
        Worker own = worker;
        if (own != null) {
            own.wake();
        }
    }

    @Override
    public void flushed(long lsn) {
        long segment = layout.segmentOf(lsn);
        if (segment != noticedSegment) {
            noticedSegment = segment;
            wake();
        }
    }

    @Override
    public long run() {
        if (closed) {
            return UNTIL_WOKEN;
        }
        long now = clock.nanos();
        if (!config.equals(seenConfig)) {
            seenConfig = config;
            retrying = false;
            retryNanos = FIRST_RETRY_NANOS;
        }
        long untilSwitch = switchWhenDue(now);
        if (retrying && retryAtNanos - now > 0) {
            return Math.min(untilSwitch, retryAtNanos - now);
        }
        retrying = false;
        try {
            List<String> waiting = files.update(wal.flushedLsn());
            waiting(waiting.size());
            if (waiting.isEmpty()) {
                return untilSwitch;
            }
            archive(waiting.get(0));
        } catch (IOException e) {
            failed("", e.getMessage());
        }
        return AGAIN;
    }

    private void archive(String name) throws IOException {
        if (seenConfig.command().isBlank()) {
            failed("", "archive_command is empty: WAL is kept until it is set");
            return;
        }
        String command = expand(seenConfig.command(), SegmentFiles.DIRECTORY + '/' + name, name);
        int exit;
        try {
            exit = commands.run(command);
        } catch (IOException e) {
            failed(name, "archive_command cannot be run: " + e.getMessage());
            return;
        }
        if (closed) {
            return;
        }
        if (exit != 0) {
            failed(name, "archive_command ended with status " + exit + " for " + name + ": " + command);
            return;
        }
        files.done(name);
        ArchiverStatus before = status;
        if (!before.failure().isEmpty()) {
            log.info("archiving goes on with {}", name);
        }
        log.debug("archived {}", name);
        retryNanos = FIRST_RETRY_NANOS;
        status = new ArchiverStatus(
                before.archivedCount() + 1,
                name,
                clock.micros(),
                before.failedCount(),
                before.lastFailedWal(),
                before.lastFailedMicros(),
                Math.max(0, before.waiting() - 1),
                "");
    }

    private void waiting(long count) {
        ArchiverStatus before = status;
        status = new ArchiverStatus(
                before.archivedCount(),
                before.lastArchivedWal(),
                before.lastArchivedMicros(),
                before.failedCount(),
                before.lastFailedWal(),
                before.lastFailedMicros(),
                count,
                before.failure());
    }

    private void failed(String name, String why) {
        ArchiverStatus before = status;
        if (!why.equals(before.failure())) {
            log.warn("{}. It is tried again; meanwhile the WAL is kept", why);
        }
        status = new ArchiverStatus(
                before.archivedCount(),
                before.lastArchivedWal(),
                before.lastArchivedMicros(),
                before.failedCount() + (name.isEmpty() ? 0 : 1),
                name.isEmpty() ? before.lastFailedWal() : name,
                name.isEmpty() ? before.lastFailedMicros() : clock.micros(),
                before.waiting(),
                why);
        retrying = true;
        retryAtNanos = clock.nanos() + retryNanos;
        retryNanos = Math.min(2 * retryNanos, LAST_RETRY_NANOS);
    }

    /** Puts path and name of the file into the command: {@code %p}, {@code %f}, and {@code %%} for a percent sign. */
    static String expand(String command, String path, String name) {
        StringBuilder expanded = new StringBuilder();
        for (int i = 0; i < command.length(); i++) {
            char c = command.charAt(i);
            char what = c == '%' && i + 1 < command.length() ? command.charAt(i + 1) : 0;
            String value = switch (what) {
                case 'p' -> path;
                case 'f' -> name;
                case '%' -> "%";
                default -> null;
            };
            if (value == null) {
                expanded.append(c);
            } else {
                expanded.append(value);
                i++;
            }
        }
        return expanded.toString();
    }

    /** Finishes the segment early, if it is time and there is something in it; returns when to look again. */
    private long switchWhenDue(long now) {
        long timeoutNanos = TimeUnit.MILLISECONDS.toNanos(seenConfig.timeoutMs());
        long endLsn = wal.filledLsn();
        if (layout.segmentOf(endLsn) != timedSegment) {
            timedSegment = layout.segmentOf(endLsn);
            segmentSinceNanos = now;
        }
        if (timeoutNanos == 0) {
            return UNTIL_WOKEN;
        }
        long left = segmentSinceNanos + timeoutNanos - now;
        if (left > 0) {
            return left;
        }
        if (holdsMoreThanACheckpoint(endLsn) && !wal.isInsertingHeld()) {
            wal.switchSegment();
            timedSegment = layout.segmentOf(wal.filledLsn());
        }
        segmentSinceNanos = now;
        return timeoutNanos;
    }

    /** A segment with nothing but the checkpoint that followed the last switch is left alone, or an idle server would switch for ever. */
    private boolean holdsMoreThanACheckpoint(long endLsn) {
        long startLsn = layout.segmentStart(layout.segmentOf(endLsn));
        ControlFile last = control.get();
        boolean onlyCheckpoint =
                last.checkpointLsn() == layout.recordStart(startLsn) && last.knownFlushedLsn() == endLsn;
        return endLsn > layout.recordStart(startLsn) && !onlyCheckpoint;
    }

    /**
     * Returns the start of the first segment that is finished and not archived, before which WAL may be removed; {@link
     * Long#MAX_VALUE} if there is none, and 0 if that cannot be found out.
     */
    public long unarchivedLsn() {
        try {
            return files.unarchivedLsn(wal.flushedLsn());
        } catch (IOException e) {
            log.warn("what has been archived cannot be read, so all WAL is kept: {}", e.getMessage());
            return 0;
        }
    }

    /** Returns what it has done and what waits. */
    public ArchiverStatus status() {
        return status;
    }

    /** Ends the command that runs; what is not archived is when the server runs again. */
    @Override
    public void close() {
        closed = true;
        commands.stop();
        wal.removeListener(this);
        if (worker != null) {
            worker.close();
        }
    }
}
