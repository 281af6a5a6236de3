package lockstep.primary;

import java.io.IOException;
import lockstep.commit.CommitQueue;
import lockstep.commit.Fence;
import lockstep.recovery.ControlStore;
import lockstep.transport.api.Term;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What this server knows of a primary beside it: the newest term that is foreign to its log.
 *
 * <p>It is known from the control file when the server starts, or a standby tells of it ({@link #heardOf}). Either raises the
 * {@link Fence} before the commit queue, which says why one is never lowered; the control file keeps it up over a restart.
 *
 * <pre>
 *   term heard of                     fence      control file
 *   newer than the one known          raised     keeps the newer one
 *   that, or an older one             as it was  as it was
 * </pre>
 *
 * <p><b>Lock.</b> {@code this} is held while something is heard, so that of two terms the newer one remains. Any thread may ask
 * for the {@link #reason}.
 */
final class Fencing {
    private static final Logger log = LoggerFactory.getLogger(Fencing.class);

    private final ControlStore control;
    private volatile String reason = "";

    /** What is guarded, once there is a commit queue. */
    private Fence fence;

    private CommitQueue queue;

    /** Begins with what the control file says. */
    Fencing(ControlStore control) {
        this.control = control;
        if (!control.get().fencedBy().equals(Term.NONE)) {
            reason = reason(control.get().fencedBy());
        }
    }

    /** Guards a queue by the fence before it, from now on. This server has opened its epoch: it is told by its present term. */
    synchronized void guard(CommitQueue queueBehind, Fence fenceBefore) {
        queue = queueBehind;
        fence = fenceBefore;
        if (isUp()) {
            reason = reason(control.get().fencedBy());
            fence.raise(reason);
        }
    }

    /** Takes note of a foreign term; {@code by} is who says so. */
    synchronized void heardOf(Term term, String by) {
        if (isUp() && term.compareTo(control.get().fencedBy()) <= 0) {
            return;
        }
        reason = reason(term);
        if (fence != null) {
            fence.raise(reason);
            // So that those who wait are told.
            queue.release();
        }
        log.error("{} ({} says so)", reason, by);
        try {
            control.update(present -> term.compareTo(present.fencedBy()) > 0 ? present.fenced(term) : present);
        } catch (IOException e) {
            log.error("the server is fenced only until its next start: {}", e.getMessage());
        }
    }

    private boolean isUp() {
        return !reason.isEmpty();
    }

    /** Returns why this server takes no commits; empty if it does. */
    String reason() {
        return reason;
    }

    private String reason(Term other) {
        Term own = control.get().term();
        return other.timeline() > own.timeline()
                ? "this server, of term " + own + ", is fenced by term " + other
                        + ": another server has been promoted, and this one takes no commits. Run it as a standby of that one"
                : "this server, of term " + own + ", is fenced by term " + other
                        + ": another server has gone on from a copy of this log, and may have acknowledged commits that are not"
                        + " here, so this one takes none. Run it as a standby of that one, after a rewind if need be; or, if that"
                        + " one is to be given up, stop it and promote a standby of this one";
    }
}
