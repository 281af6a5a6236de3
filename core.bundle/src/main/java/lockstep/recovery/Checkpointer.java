package lockstep.recovery;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import lockstep.commit.LogCommits;
import lockstep.io.Clock;
import lockstep.io.DiskFullException;
import lockstep.io.Panic;
import lockstep.io.Step;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManager;
import lockstep.rmgr.ResourceManagers;
import lockstep.transport.api.Lsn;
import lockstep.wal.CheckpointRecord;
import lockstep.wal.RecordGroup;
import lockstep.wal.Wal;
import lockstep.wal.XlogInfo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes checkpoints on a primary: by time ({@code checkpoint_timeout}), by volume ({@code max_wal_size}), and when asked.
 *
 * <p><b>What a checkpoint is here.</b> Commits become visible, and so reach the resource managers, only when they are
 * released. The state that can be brought to disk is therefore that of the <i>settled</i> log: everything before the oldest
 * commit that still waits. That position is where redo starts from this checkpoint. In order:
 * <ol>
 *   <li>take the settled position, and wait until the WAL before it is flushed: data never goes to disk before its WAL;
 *   <li>have all resource managers bring their state to disk;
 *   <li>write a checkpoint record that names the position, and flush it;
 *   <li>name both in the control file, in one step;
 *   <li>recycle the WAL that nobody needs: see {@link Retention}.
 * </ol>
 * A crash between any two leaves the previous checkpoint in force, whose WAL is still there.
 */
public final class Checkpointer implements Step {
    private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(10);

    /** A checkpoint record and its header end within so many bytes of its start. */
    private static final long RECORD_REACH_BYTES = 256;

    private static final Logger log = LoggerFactory.getLogger(Checkpointer.class);

    /**
     * When checkpoints are taken and how much WAL is kept.
     *
     * @param timeoutMs at the latest after this long ({@code checkpoint_timeout})
     * @param maxWalBytes at the latest after half so much WAL ({@code max_wal_size})
     * @param retention how much WAL is kept
     */
    public record Config(long timeoutMs, long maxWalBytes, Retention.Config retention) {}

    private final Wal wal;
    private final LogCommits commits;
    private final ResourceManagers managers;
    private final ControlStore control;
    private final Supplier<Config> config;
    private final Retention retention;
    private final Clock clock;
    private final Panic panic;

    private volatile boolean requested;
    private volatile boolean suspended;
    private long lastNanos;
    private List<String> waitedFor = List.of();

    /**
     * Begins to count the time.
     *
     * @param retention removes what nobody needs, after each checkpoint
     */
    public Checkpointer(
            Wal wal,
            LogCommits commits,
            ResourceManagers managers,
            ControlStore control,
            Supplier<Config> config,
            Retention retention,
            Clock clock,
            Panic panic) {
        this.wal = wal;
        this.commits = commits;
        this.managers = managers;
        this.control = control;
        this.config = config;
        this.retention = retention;
        this.clock = clock;
        this.panic = panic;
        lastNanos = clock.nanos();
    }

    @Override
    public long run() {
        retention.observe();
        if (suspended) {
            return LOOK_NANOS;
        }
        long sinceNanos = clock.nanos() - lastNanos;
        long written = wal.flushedLsn() - control.get().redoLsn();
        boolean late = sinceNanos >= TimeUnit.MILLISECONDS.toNanos(config.get().timeoutMs());
        if (requested
                || (written >= config.get().maxWalBytes() / 2
                        && commits.settledLsn() > control.get().redoLsn())
                || (late && hasWorkSinceLast())) {
            try {
                checkpoint();
            } catch (IOException e) {
                log.error("no checkpoint: {}. It is tried again; meanwhile the WAL is kept", e.getMessage());
                return RETRY_NANOS;
            }
        } else if (late) {
            lastNanos = clock.nanos();
        }
        return LOOK_NANOS;
    }

    /** Has a checkpoint taken in the background, soon. */
    public void request() {
        requested = true;
    }

    /** Takes no checkpoints for a while; when this returns, none is under way. */
    public synchronized void suspend() {
        suspended = true;
    }

    /** Ends what {@link #suspend} began. */
    public void resume() {
        suspended = false;
    }

    /** An idle server writes no checkpoint records only because of the one before. */
    private boolean hasWorkSinceLast() {
        return commits.settledLsn() > control.get().checkpointLsn() + RECORD_REACH_BYTES;
    }

    /**
     * Takes a checkpoint now; returns when it is on the disk.
     *
     * @throws IOException if it cannot be taken now, for want of room or of a resource manager; nothing has changed. Any other
     *     failure stops the server, as nobody knows what is on the disk then
     */
    public synchronized void checkpoint() throws IOException {
        if (suspended) {
            throw new IOException("no checkpoint is taken while this server hands over to another");
        }
        if (mustWait()) {
            throw new IOException("resource managers are away: " + waitedFor + ". Start their bundles");
        }
        long started = clock.nanos();
        long settledLsn = commits.settledLsn();
        try {
            write(XlogInfo.CHECKPOINT_ONLINE, settledLsn);
        } catch (DiskFullException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            panic.panic("a checkpoint failed: " + e.getMessage() + ". The server stops; check the disk", e);
            throw e;
        }
        requested = false;
        lastNanos = clock.nanos();
        int removed = retention.remove(control.get().priorRedoLsn());
        log.info(
                "checkpoint at {}, redo from {}, {} ms; {} segments recycled",
                Lsn.text(control.get().checkpointLsn()),
                Lsn.text(control.get().redoLsn()),
                TimeUnit.NANOSECONDS.toMillis(lastNanos - started),
                removed);
    }

    /**
     * Takes the last checkpoint of a server that stops in good order; nothing is inserted any more, or what would be is held. The
     * control file tells whether it holds all of the log.
     */
    public synchronized void shutdownCheckpoint() throws IOException {
        if (!mustWait()) {
            long settledLsn = commits.settledLsn();
            boolean clean = settledLsn == wal.filledLsn();
            write(clean ? XlogInfo.CHECKPOINT_SHUTDOWN : XlogInfo.CHECKPOINT_ONLINE, settledLsn);
            if (clean) {
                control.update(file -> file.with(ControlFile.State.SHUT_DOWN));
            }
        }
    }

    private boolean mustWait() {
        List<String> missing = managers.missing();
        if (!missing.isEmpty() && !missing.equals(waitedFor)) {
            log.warn("no checkpoint while resource managers are away: {}. Start their bundles", missing);
        }
        waitedFor = missing;
        return !missing.isEmpty();
    }

    private void write(int info, long settledLsn) throws IOException {
        wal.awaitFlushed(settledLsn);
        for (ResourceManager manager : managers.all()) {
            manager.checkpoint(settledLsn);
        }
        long redoLsn = wal.config().layout().recordStart(settledLsn);
        int unusedXid = commits.unusedXid();
        RecordGroup group = new RecordGroup();
        ByteBuffer data = group.add(0, XlogInfo.RMGR, info, CheckpointRecord.BYTES);
        int timeline = wal.config().timeline();
        CheckpointRecord.of(
                        redoLsn,
                        timeline,
                        timeline,
                        Integer.toUnsignedLong(unusedXid),
                        clock.micros(),
                        info == XlogInfo.CHECKPOINT_SHUTDOWN ? 0 : unusedXid)
                .encode(data);
        long[] start = new long[1];
        long end = wal.insertWhileHeld(group, (startLsn, endLsn) -> start[0] = startLsn);
        wal.awaitFlushed(end);
        long checkpointLsn = wal.config().layout().recordStart(start[0]);
        control.update(file -> file.checkpointed(checkpointLsn, redoLsn, unusedXid, end, end));
    }
}
