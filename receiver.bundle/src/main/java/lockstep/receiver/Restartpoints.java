package lockstep.receiver;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import lockstep.commit.DegradedLog;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.receiver.api.RestartpointStatus;
import lockstep.recovery.ControlFile;
import lockstep.recovery.ControlStore;
import lockstep.redo.RedoListener;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManager;
import lockstep.rmgr.ResourceManagers;
import lockstep.transport.api.Lsn;
import lockstep.wal.CheckpointRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes restartpoints: the standby's checkpoints. Only at a place where the primary had taken a checkpoint does the log
 * say from where redo can start, so redo hands over each checkpoint record that it passes, and the last one counts. Then:
 * <ol>
 *   <li>all resource managers bring their state to disk, which holds at least all WAL before the checkpoint's redo position;
 *   <li>the control file names the checkpoint;
 *   <li>WAL is recycled that nobody needs: see {@link Retention}.
 * </ol>
 * A crash between any two leaves the previous restartpoint in force, whose WAL is still there. Since redo never passes what
 * is flushed here, no state is ever brought to disk before its WAL.
 *
 * <p>Runs on a worker of its own, beside redo and receiving.
 */
final class Restartpoints implements RedoListener, Step {
    private static final Logger log = LoggerFactory.getLogger(Restartpoints.class);

    private record Checkpoint(long lsn, CheckpointRecord record) {}

    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final ControlStore control;
    private final ResourceManagers managers;
    private final DegradedLog periods;
    private final LongSupplier settledLsn;
    private final Retention retention;

    private volatile Worker worker;
    private volatile Checkpoint passed;
    private final AtomicLong count = new AtomicLong();
    private volatile String lastError = "";

    /**
     * Makes one that waits for redo to pass a checkpoint.
     *
     * @param periods where the primary's degraded periods are kept, which redo passes as well
     * @param settledLsn up to where WAL is on both disks, and will never be cut back
     * @param retention removes what nobody needs, after each restartpoint
     */
    Restartpoints(
            ControlStore control,
            ResourceManagers managers,
            DegradedLog periods,
            LongSupplier settledLsn,
            Retention retention) {
        this.control = control;
        this.managers = managers;
        this.periods = periods;
        this.settledLsn = settledLsn;
        this.retention = retention;
    }

    /** Tells whom to wake when there is a restartpoint to take. */
    void runBy(Worker newWorker) {
        worker = newWorker;
    }

    @Override
    public void degraded(String note) throws IOException {
        periods.redo(note);
    }

    @Override
    public void checkpoint(long lsn, CheckpointRecord checkpoint) {
        if (checkpoint.redoLsn() < control.get().redoLsn()) {
            // Receiving began between the two: the WAL from there is not here.
            return;
        }
        passed = new Checkpoint(lsn, checkpoint);
        wake();
    }

    /** Has one taken, if redo has passed a newer checkpoint than the last restartpoint; returns whether it has. */
    boolean request() {
        boolean newer = isNewer(passed);
        wake();
        return newer;
    }

    private boolean isNewer(Checkpoint checkpoint) {
        return checkpoint != null && checkpoint.lsn() > control.get().checkpointLsn();
    }

    private void wake() {
        Worker own = worker;
        if (own != null) {
            own.wake();
        }
    }

    @Override
    public long run() {
        Checkpoint checkpoint = passed;
        if (!isNewer(checkpoint)) {
            return UNTIL_WOKEN;
        }
        try {
            take(checkpoint);
            lastError = "";
            return AGAIN;
        } catch (IOException | RuntimeException e) {
            String error = "no restartpoint at " + Lsn.text(checkpoint.lsn()) + ": " + e.getMessage();
            if (!error.equals(lastError)) {
                log.warn("{}. It is tried again", error, e);
            }
            lastError = error;
            return RETRY_NANOS;
        }
    }

    private void take(Checkpoint checkpoint) throws IOException {
        List<String> missing = managers.missing();
        if (!missing.isEmpty()) {
            throw new IOException("the resource managers " + missing
                    + " have left; what they had not brought to disk is only in the log");
        }
        long redoLsn = checkpoint.record().redoLsn();
        for (ResourceManager manager : managers.all()) {
            manager.checkpoint(redoLsn);
        }
        control.update(present -> {
            // Asked for only now: the log may have been cut back a moment ago.
            long settled = settledLsn.getAsLong();
            return present.checkpointed(
                    checkpoint.lsn(),
                    redoLsn,
                    (int) checkpoint.record().nextXid(),
                    Math.max(present.knownFlushedLsn(), settled),
                    Math.max(present.appliableLsn(), settled));
        });
        ControlFile now = control.get();
        retention.observe();
        int recycled = retention.remove(now.priorRedoLsn());
        log.info(
                "restartpoint at {}, redo starts at {}; {} segments recycled or removed",
                Lsn.text(checkpoint.lsn()),
                Lsn.text(redoLsn),
                recycled);
        count.incrementAndGet();
    }

    RestartpointStatus status() {
        ControlFile now = control.get();
        return new RestartpointStatus(count.get(), now.checkpointLsn(), now.redoLsn(), now.priorRedoLsn(), lastError);
    }
}
