package lockstep.receiver;

import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import lockstep.config.StandbyConfiguration;
import lockstep.receiver.RecoveryConfig.TargetAction;
import lockstep.receiver.RecoveryConfig.TargetTimeline;

/** Reads what {@code recovery.conf} says of recovery. What is wrong is refused with its place, the value and the reason. */
final class RecoverySettings {
    private final UnaryOperator<String> placeOf;
    private final List<String> targetNames = new ArrayList<>();
    private RecoveryTarget target = RecoveryTarget.none();

    /**
     * Makes a reader, to be used once.
     *
     * @param placeOf tells where a parameter stands, such as {@code recovery.conf:3}
     */
    RecoverySettings(UnaryOperator<String> placeOf) {
        this.placeOf = placeOf;
    }

    /**
     * Reads the parameters.
     *
     * @throws IllegalArgumentException if they make no sense; says what is wrong
     */
    RecoveryConfig read(StandbyConfiguration values) {
        boolean inclusive = values.recoveryTargetInclusive();
        target("recovery_target_lsn", values.recoveryTargetLsn(), text -> RecoveryTarget.lsn(text, inclusive));
        target(
                "recovery_target_time",
                values.recoveryTargetTime(),
                text -> RecoveryTarget.time(text, inclusive, ZoneId.systemDefault()));
        target("recovery_target_xid", values.recoveryTargetXid(), text -> RecoveryTarget.xid(text, inclusive));
        target("recovery_target_name", values.recoveryTargetName(), RecoveryTarget::name);
        if (targetNames.size() > 1) {
            throw new IllegalArgumentException(placeOf.apply(targetNames.get(1)) + ": " + targetNames.get(1)
                    + ": recovery has at most one target, and " + placeOf.apply(targetNames.get(0)) + " sets "
                    + targetNames.get(0));
        }
        TargetTimeline timeline =
                checked("recovery_target_timeline", values.recoveryTargetTimeline(), TargetTimeline::parse);
        Optional<String> command = Optional.of(values.restoreCommand()).filter(text -> !text.isBlank());
        return checked(
                "standby_mode",
                values.standbyMode() ? "on" : "off",
                mode -> new RecoveryConfig(
                        values.standbyMode(),
                        command,
                        target,
                        TargetAction.valueOf(values.recoveryTargetAction().toUpperCase(Locale.ROOT)),
                        timeline));
    }

    private void target(String name, String value, Function<String, RecoveryTarget> reader) {
        if (!value.isEmpty()) {
            targetNames.add(name);
            target = checked(name, value, reader);
        }
    }

    private <T> T checked(String name, String value, Function<String, T> reader) {
        try {
            return reader.apply(value);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    placeOf.apply(name) + ": " + name + " = " + value + ": " + e.getMessage(), e);
        }
    }
}
