package lockstep.config;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** The parameters in {@code recovery.conf}. The file itself makes a server a standby. */
@ObjectClassDefinition(pid = StandbyConfiguration.PID, name = "Lockstep standby")
public @interface StandbyConfiguration {
    /** What a component of a standby names as its configuration PID. */
    String PID = "lockstep.standby";

    /** Whether it follows a primary. */
    @AttributeDefinition(
            description =
                    "Whether the server goes on to receive WAL after it has applied what it has. " + Parameter.AT_START)
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

    /** A name. */
    @AttributeDefinition(description = "What the primary calls this standby.")
    String applicationName() default "walreceiver";
}
