package lockstep.shell.command;

import java.util.Optional;
import lockstep.kv.KeyValueStore;
import lockstep.primary.Primary;
import lockstep.receiver.api.StandbyControl;
import lockstep.retention.Retention;
import lockstep.send.Listeners;
import lockstep.send.WalSenders;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/**
 * What the commands find on this server. Services come and go with its role and its bundles, and the commands stay: one
 * that needs what is not here throws {@link IllegalStateException}, saying what this server is.
 */
@Component(service = LocalServer.class)
public final class LocalServer {
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile Primary primary;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile StandbyControl standby;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile KeyValueStore store;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile WalSenders senders;

    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            policyOption = ReferencePolicyOption.GREEDY)
    volatile Listeners listeners;

    Optional<Primary> findPrimary() {
        return Optional.ofNullable(primary);
    }

    Optional<StandbyControl> findStandby() {
        return Optional.ofNullable(standby);
    }

    /** Returns who serves standbys, on a primary or a standby, once it can. */
    Optional<WalSenders> findSenders() {
        return Optional.ofNullable(senders);
    }

    Optional<Listeners> findListeners() {
        return Optional.ofNullable(listeners);
    }

    /** Returns who decides which WAL is kept, whatever this server is. */
    Retention retention() {
        Primary onPrimary = primary;
        StandbyControl onStandby = standby;
        if (onPrimary != null) {
            return onPrimary.retention().orElseThrow(() -> notRunning(onPrimary));
        }
        if (onStandby == null) {
            throw new IllegalStateException("this server is still starting: it keeps no WAL yet");
        }
        return onStandby
                .retention()
                .orElseThrow(() -> new IllegalStateException(
                        "this standby is " + onStandby.report().phase() + ": it keeps no WAL yet"));
    }

    /** Returns {@code primary}, {@code standby} or {@code starting}. */
    String role() {
        if (primary != null) {
            return "primary";
        }
        return standby != null ? "standby" : "starting";
    }

    /**
     * Returns the primary.
     *
     * @param what what only a primary has or does, to begin the message with
     */
    Primary primary(String what) {
        return findPrimary().orElseThrow(() -> notHere(what, "primary"));
    }

    /** Returns the standby; {@code what} as above. */
    StandbyControl standby(String what) {
        return findStandby().orElseThrow(() -> notHere(what, "standby"));
    }

    private IllegalStateException notHere(String what, String wanted) {
        String role = role();
        return new IllegalStateException(
                role.equals("starting")
                        ? "this server is still starting: it is neither a primary nor a standby yet"
                        : "this server is a " + role + ": " + what + " on a " + wanted);
    }

    /** Returns why something of a primary is not there yet. */
    static IllegalStateException notRunning(Primary primary) {
        String reason = primary.reason();
        return new IllegalStateException(
                "this primary is " + Text.lower(primary.state()) + (reason.isEmpty() ? "" : ": " + reason));
    }

    KeyValueStore store() {
        StandbyControl onStandby = standby;
        if (onStandby != null && onStandby.report().receiver().isPostgres()) {
            throw new IllegalStateException("this server keeps the log of a PostgreSQL server, whose records only"
                    + " PostgreSQL can redo: there is no key-value store here. Ask a PostgreSQL standby that has the WAL"
                    + " from here");
        }
        KeyValueStore found = store;
        if (found == null) {
            throw new IllegalStateException(
                    "there is no key-value store here: it comes with kv.bundle, which \"lb\" shows");
        }
        return found;
    }
}
