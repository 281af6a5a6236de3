package lockstep.receiver;

import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.receiver.api.RedoState;
import lockstep.redo.Redo;
import lockstep.transport.api.Lsn;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Continuous redo: redoes WAL as it comes, for as long as the server is a standby. Knows nothing of where WAL comes from;
 * it has a limit that moves, and is woken when it has.
 *
 * <p>Redo and receiving are separate: whatever happens here costs lag, and never an acknowledgement of a flush.
 *
 * <pre>
 *   state     event                                         next
 *   RUNNING   all below the limit has been redone           WAITING
 *   RUNNING   nobody serves the next record                 BLOCKED
 *   RUNNING   a resource manager or the WAL fails           FAILED
 *   WAITING   the limit moves (or see below)                RUNNING
 *   BLOCKED   a resource manager arrives, or a second ends  RUNNING
 *   FAILED    a second ends                                 RUNNING
 *   RUNNING   the recovery target, or the end of all WAL    PAUSED, for good
 *   any       pause                                         PAUSED
 *   PAUSED    resume                                        RUNNING
 * </pre>
 *
 * <p><b>A log of which nothing is redone here</b> is read only as far as it was on the disk at start. What comes later is known
 * from its check ({@link CheckedLog}) and passed over. Nobody waits for that; so redo is not woken by each flush, which would
 * cost as much as the flush's own acknowledgement, but by enough of them, or after a second.
 *
 * <p><b>Lock.</b> {@code this} is held while records are redone, so that {@link #whileHeld} can keep redo out of the WAL while
 * its end is cut off. Redo is never past that end; but it must not read buffers that are being emptied.
 */
final class ContinuousRedo implements Step {
    /** How many records are redone between two looks at the world. */
    private static final int BATCH = 256;

    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long UNHURRIED_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long UNHURRIED_BYTES = 2 << 20;

    private static final Logger log = LoggerFactory.getLogger(ContinuousRedo.class);

    /** Something done while redo is held. */
    interface Action {
        void run() throws IOException;
    }

    private final Redo redo;
    private final RecoveryTarget target;
    private final LongSupplier limitLsn;
    private final Runnable progressed;
    private final Optional<CheckedLog> checked;
    private volatile Worker worker;
    private volatile boolean paused;
    private volatile boolean atTarget;
    private volatile RedoState state = RedoState.RUNNING;
    private volatile String reason = "";

    /**
     * Goes on from where {@code redo} stands.
     *
     * @param target what redo was told to stop at, for people
     * @param limitLsn up to where WAL may be redone now
     * @param progressed called after redo has moved, and after it stopped for whatever reason
     */
    ContinuousRedo(Redo redo, RecoveryTarget target, LongSupplier limitLsn, Runnable progressed) {
        this(redo, target, limitLsn, progressed, Optional.empty());
    }

    /**
     * As the other.
     *
     * @param checked if nothing of the log is redone here: what is known of it from its check
     */
    ContinuousRedo(
            Redo redo,
            RecoveryTarget target,
            LongSupplier limitLsn,
            Runnable progressed,
            Optional<CheckedLog> checked) {
        this.redo = redo;
        this.target = target;
        this.limitLsn = limitLsn;
        this.progressed = progressed;
        this.checked = checked;
    }

    /** Tells whom {@link #wake} wakes. */
    void runBy(Worker newWorker) {
        worker = newWorker;
    }

    void wake() {
        Worker own = worker;
        if (own != null) {
            own.wake();
        }
    }

    /** The limit has moved. */
    void limitMoved() {
        if (checked.isEmpty() || limitLsn.getAsLong() - redo.appliedLsn() >= UNHURRIED_BYTES) {
            wake();
        }
    }

    @Override
    public long run() {
        long next = redoBatch();
        progressed.run();
        return next;
    }

    private synchronized long redoBatch() {
        if (atTarget) {
            return UNTIL_WOKEN;
        }
        if (paused) {
            become(RedoState.PAUSED, "an operator has paused it");
            return UNTIL_WOKEN;
        }
        try {
            long limit = limitLsn.getAsLong();
            if (checked.isPresent()) {
                long checkedFrom = checked.get().fromLsn();
                if (redo.appliedLsn() >= checkedFrom) {
                    redo.skipTo(Math.max(redo.appliedLsn(), checked.get().pass()));
                    become(RedoState.WAITING, "");
                    return UNHURRIED_NANOS;
                }
                limit = Math.min(limit, checkedFrom);
            }
            for (int i = 0; i < BATCH; i++) {
                switch (redo.step(limit)) {
                    case APPLIED -> {}
                    case WAIT -> {
                        become(RedoState.WAITING, "");
                        return checked.isPresent() ? UNHURRIED_NANOS : UNTIL_WOKEN;
                    }
                    case BLOCKED -> {
                        become(RedoState.BLOCKED, redo.blockedReason().orElse("a resource manager is missing"));
                        return RETRY_NANOS;
                    }
                    case STOPPED -> {
                        atTarget = true;
                        become(RedoState.PAUSED, "paused at recovery target " + target);
                        return UNTIL_WOKEN;
                    }
                    case END -> {
                        become(
                                RedoState.FAILED,
                                "the WAL at " + Lsn.text(redo.appliedLsn()) + " cannot be redone: " + redo.endReason());
                        return RETRY_NANOS;
                    }
                }
            }
            become(RedoState.RUNNING, "");
            return AGAIN;
        } catch (IOException | RuntimeException e) {
            if (state != RedoState.FAILED) {
                log.error("redo at {} failed; it is tried again", Lsn.text(redo.appliedLsn()), e);
            }
            become(
                    RedoState.FAILED,
                    "redo at " + Lsn.text(redo.appliedLsn()) + " failed: "
                            + (e instanceof IOException ? e.getMessage() : e.toString()));
            return RETRY_NANOS;
        }
    }

    private void become(RedoState next, String why) {
        boolean moving = state == RedoState.RUNNING || state == RedoState.WAITING;
        boolean willMove = next == RedoState.RUNNING || next == RedoState.WAITING;
        if (state != next && !(moving && willMove)) {
            log.info("redo: {} -> {} at {} {}", state, next, Lsn.text(redo.appliedLsn()), why);
        }
        reason = why;
        state = next;
    }

    /** Changes WAL that has not been redone, while no record is; redo reads it anew. */
    synchronized void whileHeld(Action action) throws IOException {
        action.run();
        redo.forget();
    }

    /** Returns to an earlier place, while redo is held; see {@link Redo#returnTo}. */
    void returnTo(long lsn) {
        redo.returnTo(lsn);
    }

    /** Stops after the record it is at; waits for that. */
    void pause() {
        paused = true;
        synchronized (this) {
            if (!atTarget) {
                become(RedoState.PAUSED, "an operator has paused it");
            }
        }
    }

    /** Stops for good, because there is no more WAL and none will come. */
    synchronized void end() {
        atTarget = true;
        become(RedoState.PAUSED, "paused at recovery target " + target);
    }

    /** Returns whether redo has ended for good: at the target, or where all WAL ends. */
    boolean isAtTarget() {
        return atTarget;
    }

    /** Returns from where on what was redone is a state that the log describes; see {@link Redo#consistentLsn}. */
    long consistentLsn() {
        return redo.consistentLsn();
    }

    void resume() {
        paused = false;
        synchronized (this) {
            if (state == RedoState.PAUSED && !atTarget) {
                become(RedoState.RUNNING, "");
            }
        }
        wake();
    }

    long limitLsn() {
        return limitLsn.getAsLong();
    }

    long appliedLsn() {
        return redo.appliedLsn();
    }

    RedoState state() {
        return state;
    }

    String reason() {
        return reason;
    }
}
