package lockstep.config;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;
import org.osgi.service.metatype.annotations.Option;

/** The parameters in {@code recovery.conf}. The file itself makes a server a standby. */
@ObjectClassDefinition(pid = StandbyConfiguration.PID, name = "Lockstep standby")
public @interface StandbyConfiguration {
    /** What a component of a standby names as its configuration PID. */
    String PID = "lockstep.standby";

    /** Whether it goes on for ever. */
    @AttributeDefinition(
            description =
                    "Whether the server goes on to look for WAL when it has applied all there is; when off, recovery"
                            + " ends there or at its target. "
                            + Parameter.AT_START)
    boolean standbyMode() default true;

    /** Endpoints, separated by commas or blanks. */
    @AttributeDefinition(
            description = "The endpoints of the primary in order of preference, separated by commas or blanks, such as"
                    + " tcp://127.0.0.1:5440.")
    String primaryConninfo() default "";

    /** A name; empty is none. */
    @AttributeDefinition(
            description = "The replication slot with which the primary keeps WAL for this standby while it is away;"
                    + " without one it keeps wal_keep_size.")
    String primarySlotName() default "";

    /** Whether to make the slot. */
    @AttributeDefinition(
            description = "Whether a base backup makes the slot primary_slot_name on the primary if it is not there.")
    boolean primarySlotCreate() default false;

    /** A path. */
    @AttributeDefinition(
            description =
                    "A file that promotes the standby when somebody makes it: an absolute path, or one relative to the"
                            + " data directory. It is removed then. "
                            + Parameter.AT_START)
    String triggerFile() default "";

    /** A name. */
    @AttributeDefinition(description = "What the primary calls this standby.")
    String applicationName() default "walreceiver";

    /** {@code all} or {@code needed}. */
    @AttributeDefinition(
            description =
                    "What is kept of the WAL of a PostgreSQL server: all of it, as an archive, until somebody removes the"
                            + " oldest segments; or what wal_keep_size, slots and connected standbys need. "
                            + Parameter.AT_START,
            options = {@Option(label = "all", value = "all"), @Option(label = "needed", value = "needed")})
    String keepWal() default "all";

    /** A command. */
    @AttributeDefinition(
            description =
                    "The command that copies a file from the archive: /bin/sh runs it in the data directory, with %f for"
                            + " the file's name, %p for the path to copy it to, %r for the oldest segment still needed, %% for %."
                            + " It exits with 0 only if it has. "
                            + Parameter.AT_START)
    String restoreCommand() default "";

    /** An LSN. */
    @AttributeDefinition(
            description = "The position in the WAL that recovery goes to, such as 0/3000148. " + Parameter.AT_START)
    String recoveryTargetLsn() default "";

    /** A time. */
    @AttributeDefinition(
            description =
                    "The time that recovery goes to, such as 2026-05-01 12:00:00.25 UTC, as commit records tell it."
                            + " Without a zone it is the server's. "
                            + Parameter.AT_START)
    String recoveryTargetTime() default "";

    /** A transaction id. */
    @AttributeDefinition(description = "The transaction that recovery goes to. " + Parameter.AT_START)
    String recoveryTargetXid() default "";

    /** A name. */
    @AttributeDefinition(description = "The restore point that recovery goes to. " + Parameter.AT_START)
    String recoveryTargetName() default "";

    /** Whether the target itself is part. */
    @AttributeDefinition(
            description =
                    "Whether recovery ends just after its target, or just before; of no meaning for a restore point. "
                            + Parameter.AT_START)
    boolean recoveryTargetInclusive() default true;

    /** What happens at the target. */
    @AttributeDefinition(
            description = "What the server does when recovery has reached its target. " + Parameter.AT_START,
            options = {
                @Option(label = "pause", value = "pause"),
                @Option(label = "promote", value = "promote"),
                @Option(label = "shutdown", value = "shutdown")
            })
    String recoveryTargetAction() default "pause";

    /** {@code latest}, {@code current} or a number. */
    @AttributeDefinition(
            description = "The timeline that recovery goes to: latest, current, or a number. " + Parameter.AT_START)
    String recoveryTargetTimeline() default "latest";
}
