package lockstep.receiver.api;

import java.util.Optional;
import java.util.concurrent.CompletionStage;
import lockstep.retention.Retention;
import org.osgi.annotation.versioning.ProviderType;

/** A running standby. An OSGi service, there while the server is one. May be used from any thread. */
@ProviderType
public interface StandbyControl {
    /** Returns how it is doing. Takes no lock that work holds, so it answers at once. */
    StandbyReport report();

    /**
     * Stops redo after the record it is at, until {@link #resumeRedo}. WAL is received and acknowledged all the same;
     * only {@code remote_apply} waits.
     */
    void pauseRedo();

    /**
     * Ends what {@link #pauseRedo} began. Where redo has come to the recovery target, past which there is none, recovery ends
     * instead: the server becomes a primary, as by {@link #promote}, and says in {@link #report} if it cannot.
     */
    void resumeRedo();

    /**
     * Has a restartpoint taken at the last checkpoint record that was redone.
     *
     * @return whether there is one that is newer than the last restartpoint
     */
    boolean requestRestartpoint();

    /**
     * Has this standby build itself anew from a base backup of its primary: all work ends at once, and when the primary has begun
     * to send, the data and the WAL here are removed. Configuration, bundles and slots stay. Until then a restart of the server
     * goes on with the old data, and after it with the base backup.
     *
     * @throws IllegalStateException if that is not possible now; says why
     */
    void rebuild();

    /** Returns who decides which WAL is kept for standbys of this one, once there is WAL. */
    Optional<Retention> retention();

    /**
     * Returns WAL that is missing here, or may be, and whose commits were acknowledged: as the primary said, and as long as the
     * WAL on the disk here ends before it. Who promotes the standby loses them.
     */
    Optional<MissingRange> missingRange();

    /**
     * Makes this server a primary on a new timeline, without a restart: it leaves its primary, redoes all valid WAL it has, and
     * opens the timeline where that ends. Where recovery has come to its target, it opens the timeline there, and what it has of
     * the log past that is given up.
     *
     * @param force also if commits that were acknowledged are known not to be here, or the recovery target has not been reached
     * @return completes when it has been decided, on the disk; the primary takes commits a moment later. Completes with an
     *     {@link IllegalStateException} that says why if the server cannot be promoted, and goes on as a standby
     */
    CompletionStage<Promoted> promote(boolean force);
}
