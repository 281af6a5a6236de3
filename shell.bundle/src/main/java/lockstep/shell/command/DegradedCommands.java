package lockstep.shell.command;

import java.io.IOException;
import java.util.List;
import lockstep.commit.DegradedLog;
import lockstep.commit.DegradedPeriod;
import lockstep.io.DataDirectory;
import lockstep.io.Disk;
import lockstep.io.FileDisk;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Shows when commits were acknowledged with fewer copies than they had asked for; on any server. */
@Component(service = DegradedCommands.class)
@GogoCommand(scope = "lockstep", function = "degraded")
public final class DegradedCommands {
    private static final String USAGE = "degraded log [--json]";

    private final Disk disk;

    /** Made by the framework. */
    @Activate
    public DegradedCommands(@Reference DataDirectory directory) throws IOException {
        disk = new FileDisk(directory.path());
    }

    /** Lists the periods. */
    @Descriptor("list the degraded periods, oldest first: where the WAL is that may have had too few copies, and why")
    public String degraded(
            @Descriptor("one JSON object with the array periods")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("log") String... words)
            throws IOException {
        new Words(USAGE, 1, 1, words).oneOf(USAGE, "log");
        List<Fields> rows =
                DegradedLog.read(disk).stream().map(DegradedCommands::row).toList();
        return Fields.present(rows, "periods", "the server has never been degraded, as far as it knows", json);
    }

    private static Fields row(DegradedPeriod period) {
        return new Fields()
                .count("timeline", period.timeline())
                .lsn("from_lsn", period.startLsn())
                .lsn("to_lsn", period.endLsn())
                .time("since", period.startMicros())
                .time("until", period.endMicros())
                .text("degraded_to", period.degradedTo())
                .text("operator", period.operator())
                .text("reason", period.reason());
    }
}
