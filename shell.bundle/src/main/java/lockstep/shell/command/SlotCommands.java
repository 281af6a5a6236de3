package lockstep.shell.command;

import java.io.IOException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import lockstep.retention.Retention;
import lockstep.retention.SlotException;
import lockstep.retention.SlotView;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Shows, makes and drops replication slots, on a primary and on a standby that serves others. */
@Component(service = SlotCommands.class)
@GogoCommand(
        scope = "lockstep",
        function = {"slots", "slot"})
public final class SlotCommands {
    private static final String USAGE = "slot create NAME [--reserve] | slot drop NAME [--json]";

    private final LocalServer server;

    /** Made by the framework. */
    @Activate
    public SlotCommands(@Reference LocalServer server) {
        this.server = server;
    }

    /** Lists the slots. */
    @Descriptor(
            "list the replication slots, with the columns of pg_replication_slots; minutes_to_full is when a slot is"
                    + " lost at the present rate of writing")
    public String slots(
            @Descriptor("one JSON object with the array slots")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            String... words) {
        Words.none("slots [--json]", words);
        List<Fields> rows =
                server.retention().slots().stream().map(SlotCommands::row).toList();
        return Fields.present(rows, "slots", "there is no replication slot", json);
    }

    private static Fields row(SlotView slot) {
        Fields row = new Fields()
                .text("slot_name", slot.name())
                .text("slot_type", "physical")
                .flag("active", slot.active())
                .lsn("restart_lsn", slot.restartLsn())
                .text("wal_status", slot.walStatus().toString());
        if (slot.safeWalBytes() == Long.MAX_VALUE) {
            row.none("safe_wal_size");
        } else {
            row.size("safe_wal_size", Math.max(0, slot.safeWalBytes()));
        }
        if (slot.secondsToFull() < 0) {
            row.none("minutes_to_full");
        } else {
            row.count("minutes_to_full", TimeUnit.SECONDS.toMinutes(slot.secondsToFull()));
        }
        return row.text("invalidation_reason", slot.invalidationReason())
                .time("inactive_since", slot.inactiveSinceMicros());
    }

    /** Makes or drops a slot. */
    @Descriptor("create: make a replication slot, which keeps WAL for the standby that names it in primary_slot_name;"
            + " drop: remove one that no standby uses")
    public String slot(
            @Descriptor("create: keep WAL at once, from the last checkpoint on, and not only from the standby's first"
                            + " connection on")
                    @Parameter(names = "--reserve", presentValue = "true", absentValue = "false")
                    boolean reserve,
            @Descriptor("one JSON object") @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("create NAME | drop NAME") String... words)
            throws IOException {
        Words given = new Words(USAGE, 2, 2, words);
        boolean create = given.oneOf(USAGE, "create", "drop").equals("create");
        String name = given.get(1);
        Retention retention = server.retention();
        try {
            if (create) {
                return row(retention.createSlot(name, reserve)).present(json);
            }
            retention.dropSlot(name);
        } catch (SlotException e) {
            throw new IllegalArgumentException(e.getMessage(), e);
        }
        return json ? new Fields().text("slot_name", name).json() : "replication slot \"" + name + "\" is dropped";
    }
}
