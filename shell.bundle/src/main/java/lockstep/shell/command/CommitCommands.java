package lockstep.shell.command;

import java.io.IOException;
import lockstep.commit.CommitPosition;
import lockstep.commit.CommitStatus;
import lockstep.commit.Commits;
import lockstep.io.DataDirectory;
import lockstep.io.Disk;
import lockstep.io.FileDisk;
import lockstep.primary.Primary;
import lockstep.recovery.ControlFile;
import lockstep.recovery.LogCourse;
import lockstep.transport.api.Lsn;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Asks what became of a commit, on any server; and lets commits go by hand, on a primary. */
@Component(service = CommitCommands.class)
@GogoCommand(scope = "lockstep", function = "commit")
public final class CommitCommands {
    private static final String USAGE =
            "commit status LSN|RECEIPT [--timeline N] [--epoch N] | commit release LSN [--json]";
    private static final String STATUS = "status";

    private final LocalServer server;
    private final Disk disk;

    /** Made by the framework. */
    @Activate
    public CommitCommands(@Reference LocalServer server, @Reference DataDirectory directory) throws IOException {
        this.server = server;
        disk = new FileDisk(directory.path());
    }

    /** Does one of two things. */
    @Descriptor(
            "status: tell whether a commit is COMMITTED, IN DOUBT or LOST, from the log of this server; release: let all"
                    + " commits up to LSN go although the standbys that they ask for do not have them")
    public String commit(
            CommandSession session,
            @Descriptor("N: the timeline that the commit was written on")
                    @Parameter(names = "--timeline", absentValue = "0")
                    String timeline,
            @Descriptor("N: the epoch that the commit was written in") @Parameter(names = "--epoch", absentValue = "0")
                    String epoch,
            @Descriptor("one JSON object: status, lsn, reason; or released, lsn")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("status LSN | status TIMELINE/EPOCH/LSN, as put --json shows it | release LSN") String... words)
            throws IOException {
        Words given = new Words(USAGE, 2, 2, words);
        if (given.oneOf(USAGE, STATUS, "release").equals(STATUS)) {
            CommitPosition text = CommitPosition.parse(given.get(1));
            return status(
                    new CommitPosition(
                            orElse(Words.number("--timeline", timeline, 0, Integer.MAX_VALUE), text.timeline()),
                            orElse(Words.number("--epoch", epoch, 0, Integer.MAX_VALUE), text.epoch()),
                            text.lsn()),
                    json);
        }
        return release(Lsn.parse(given.get(1)).value(), Operator.of(session), json);
    }

    private static int orElse(int given, int inText) {
        return given == 0 ? inText : given;
    }

    private String status(CommitPosition position, boolean json) throws IOException {
        boolean isReleased = isReleased(position.lsn());
        LogCourse.Answer answer = LogCourse.of(disk).answer(position, isReleased);
        String status = answer.status().name().replace('_', ' ');
        return json
                ? new Fields()
                        .text(STATUS, status)
                        .lsn("lsn", position.lsn())
                        .text("reason", answer.reason())
                        .json()
                : status + (answer.reason().isEmpty() ? "" : ": " + answer.reason());
    }

    /** Returns whether what ends there in the log of this server is released or, on a standby, applied. */
    private boolean isReleased(long lsn) throws IOException {
        if (server.findStandby().isPresent()) {
            if (!ControlFile.exists(disk)) {
                throw new IOException("there is no WAL here yet: this standby has not finished its base backup");
            }
            return lsn <= server.findStandby().get().report().redo().appliedLsn();
        }
        Primary primary = server.primary("commits are made");
        Commits commits = primary.commits().orElseThrow(() -> LocalServer.notRunning(primary));
        return commits.status(new CommitPosition(0, 0, lsn)) == CommitStatus.COMMITTED;
    }

    private String release(long lsn, String operator, boolean json) throws IOException {
        long released = server.primary("commits wait").releaseByHand(lsn, operator);
        return json
                ? new Fields().count("released", released).lsn("lsn", lsn).json()
                : Text.count(released, "commit") + " released up to " + Lsn.text(lsn) + " (LOCAL_ONLY)";
    }
}
