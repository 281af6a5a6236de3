package lockstep.receiver;

import java.util.Optional;
import java.util.OptionalInt;

/**
 * How far recovery goes, and where WAL comes from besides a primary; parameters of {@code recovery.conf}.
 *
 * @param standbyMode {@code standby_mode}: whether the server goes on to look for WAL at the end of what there is
 * @param restoreCommand {@code restore_command}, if there is an archive
 * @param target where recovery ends
 * @param action {@code recovery_target_action}
 * @param timeline {@code recovery_target_timeline}
 */
record RecoveryConfig(
        boolean standbyMode,
        Optional<String> restoreCommand,
        RecoveryTarget target,
        TargetAction action,
        TargetTimeline timeline) {
    /** A standby that follows its primary for ever. */
    static final RecoveryConfig NONE = new RecoveryConfig(
            true,
            Optional.empty(),
            RecoveryTarget.none(),
            TargetAction.PAUSE,
            new TargetTimeline(true, OptionalInt.empty()));

    RecoveryConfig {
        if (!standbyMode && restoreCommand.isEmpty()) {
            throw new IllegalArgumentException("restore_command is missing: recovery with standby_mode = off needs an"
                    + " archive. Set it, or set standby_mode = on and primary_conninfo");
        }
    }

    /** What happens at the target. */
    enum TargetAction {
        /** Redo stops, and the state can be looked at. */
        PAUSE,
        /** The server becomes a primary. */
        PROMOTE,
        /** The server stops in good order. */
        SHUTDOWN
    }

    /**
     * Which timeline recovery follows.
     *
     * @param latest whether it is the newest there is; else the one named, or the one that the data directory is on
     */
    record TargetTimeline(boolean latest, OptionalInt number) {
        /**
         * Reads the form used in configuration.
         *
         * @throws IllegalArgumentException if it is none
         */
        static TargetTimeline parse(String text) {
            return switch (text) {
                case "latest" -> new TargetTimeline(true, OptionalInt.empty());
                case "current" -> new TargetTimeline(false, OptionalInt.empty());
                default -> new TargetTimeline(false, OptionalInt.of(number(text)));
            };
        }

        private static int number(String text) {
            try {
                int number = Integer.parseInt(text);
                if (number > 0) {
                    return number;
                }
            } catch (NumberFormatException e) {
                // The message below says it.
            }
            throw new IllegalArgumentException(
                    '"' + text + "\" is no timeline: expected latest, current or a number from 1 on");
        }
    }
}
