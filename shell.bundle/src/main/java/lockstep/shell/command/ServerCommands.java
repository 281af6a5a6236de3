package lockstep.shell.command;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import lockstep.archive.ArchiverStatus;
import lockstep.commit.CommitQueue;
import lockstep.commit.DegradedMode;
import lockstep.io.DataDirectory;
import lockstep.io.Disk;
import lockstep.io.FileDisk;
import lockstep.primary.Primary;
import lockstep.primary.WaitExplanation;
import lockstep.receiver.api.ReceiverStatus;
import lockstep.receiver.api.RedoStatus;
import lockstep.receiver.api.StandbyControl;
import lockstep.receiver.api.StandbyReport;
import lockstep.recovery.ControlFile;
import lockstep.send.SenderState;
import lockstep.send.StandbyView;
import lockstep.transport.api.Lsn;
import lockstep.wal.Wal;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Shows how this server is doing as a whole, and takes checkpoints. */
@Component(service = ServerCommands.class)
@GogoCommand(
        scope = "lockstep",
        function = {"status", "queue", "checkpoint"})
public final class ServerCommands {
    private static final String QUEUE_USAGE = "queue [explain [LSN]] [--json]";

    private final LocalServer server;
    private final DataDirectory directory;
    private final Disk disk;

    /** Made by the framework. */
    @Activate
    public ServerCommands(@Reference LocalServer server, @Reference DataDirectory directory) throws IOException {
        this.server = server;
        this.directory = directory;
        disk = new FileDisk(directory.path());
    }

    /** Shows the server. */
    @Descriptor("show role, state and positions of this server")
    public String status(
            @Descriptor("one JSON object") @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            String... words)
            throws IOException {
        Words.none("status [--json]", words);
        Fields fields = new Fields().text("role", server.role());
        server.findPrimary().ifPresent(primary -> state(fields, Text.lower(primary.state()), primary.reason()));
        server.findStandby().map(StandbyControl::report).ifPresent(report -> {
            fields.text("name", report.name());
            state(fields, report.phase(), report.problem());
        });
        system(fields);
        server.findPrimary().ifPresent(primary -> primary(fields, primary));
        server.findPrimary().flatMap(Primary::archiver).ifPresent(archiver -> archiver(fields, archiver));
        server.findStandby().map(StandbyControl::report).ifPresent(report -> standby(fields, report));
        fields.rows(
                "listeners",
                server.findListeners()
                        .map(listeners -> listeners.view().stream()
                                .map(view -> new Fields()
                                        .text("endpoint", view.endpoint())
                                        .text("state", view.state()))
                                .toList())
                        .orElse(List.of()));
        return fields.text("data_directory", directory.path().toString())
                .micros(
                        "uptime",
                        TimeUnit.MILLISECONDS.toMicros(
                                ManagementFactory.getRuntimeMXBean().getUptime()))
                .present(json);
    }

    private static void state(Fields fields, String state, String reason) {
        fields.text("state", state).text("reason", reason);
    }

    /** Adds what the control file says. A standby has none before its base backup is complete. */
    private void system(Fields fields) throws IOException {
        if (!ControlFile.exists(disk)) {
            return;
        }
        ControlFile control = ControlFile.read(disk);
        fields.text("system_identifier", Long.toUnsignedString(control.systemId()))
                .count("timeline", control.timeline())
                .text("term", control.term().toString())
                .lsn("checkpoint_lsn", control.checkpointLsn())
                .lsn("redo_lsn", control.redoLsn());
    }

    private static void primary(Fields fields, Primary primary) {
        if (primary.wal().isEmpty()) {
            fields.lsn("redone_lsn", primary.redoneLsn());
            return;
        }
        Wal wal = primary.wal().get();
        // From the last to the first, so that none is ahead of one that it cannot be ahead of.
        long flushedLsn = wal.flushedLsn();
        long writtenLsn = wal.writtenLsn();
        List<StandbyView> standbys = primary.standbys();
        fields.lsn("insert_lsn", wal.filledLsn())
                .lsn("write_lsn", writtenLsn)
                .lsn("flush_lsn", flushedLsn)
                .count("wal_syncs", wal.syncs());
        reads(fields, wal.memoryReads(), wal.fileReads());
        fields.count("standbys", standbys.size())
                .count(
                        "streaming_standbys",
                        standbys.stream()
                                .filter(standby -> standby.state() == SenderState.STREAMING)
                                .count());
        primary.degradedMode().map(DegradedMode::status).ifPresent(mode -> mode(fields, mode));
        primary.inDoubt()
                .ifPresent(range -> fields.lsn("in_doubt_from_lsn", range.fromLsn())
                        .lsn("in_doubt_to_lsn", range.toLsn())
                        .count("in_doubt_commits", range.commits()));
        primary.queue()
                .ifPresent(queue -> fields.count(
                                "waiting_commits",
                                Arrays.stream(queue.waiting())
                                        .mapToLong(CommitQueue.Waiting::waiters)
                                        .sum())
                        .count("settled_commits", queue.settledCommits()));
    }

    private static void mode(Fields fields, DegradedMode.Status mode) {
        fields.text("mode", mode.state().toString())
                .text("mode_reason", mode.reason())
                .time("mode_since", mode.sinceMicros())
                .micros("mode_for_us", mode.forMicros())
                .size("bytes_at_risk", mode.bytesAtRisk())
                .count("mode_transitions", mode.transitions());
    }

    private static void standby(Fields fields, StandbyReport report) {
        ReceiverStatus receiver = report.receiver();
        RedoStatus redo = report.redo();
        fields.text("wal_source", report.walSource())
                .text("archive_problem", report.archiveProblem())
                .text("receiver", receiver.state().toString())
                .text("last_error", receiver.lastError())
                .text("redo", redo.state().toString())
                .text("redo_reason", redo.reason())
                .lsn("receive_lsn", receiver.receivedLsn())
                .lsn("write_lsn", receiver.writtenLsn())
                .lsn("flush_lsn", receiver.flushedLsn())
                .lsn("replay_lsn", receiver.isPostgres() ? Lsn.INVALID : redo.appliedLsn())
                .lsn("primary_flush_lsn", receiver.primaryFlushedLsn());
        reads(fields, redo.memoryReads(), redo.fileReads());
    }

    private static void archiver(Fields fields, ArchiverStatus archiver) {
        fields.count("archived_count", archiver.archivedCount())
                .text("last_archived_wal", archiver.lastArchivedWal())
                .time("last_archived_time", archiver.lastArchivedMicros())
                .count("failed_count", archiver.failedCount())
                .text("last_failed_wal", archiver.lastFailedWal())
                .time("last_failed_time", archiver.lastFailedMicros())
                .count("archive_waiting", archiver.waiting())
                .text("archive_failure", archiver.failure());
    }

    private static void reads(Fields fields, long fromMemory, long fromFiles) {
        fields.count("wal_reads_from_memory", fromMemory).count("wal_reads_from_files", fromFiles);
    }

    /** Shows who waits. */
    @Descriptor(
            "show how many commits wait at each level, and for how long the oldest has; explain: who is awaited for a"
                    + " commit, at which stage, and what comes next")
    public String queue(
            @Descriptor("one JSON object with the array levels; explain: with the array standbys")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("nothing | explain [LSN]") String... words) {
        Primary primary = server.primary("commits wait");
        Words given = new Words(QUEUE_USAGE, 0, 2, words);
        if (given.find(0).isPresent()) {
            given.oneOf(QUEUE_USAGE, "explain");
            long lsn = given.find(1).map(text -> Lsn.parse(text).value()).orElse(Lsn.INVALID);
            return explain(primary.explain(lsn).orElseThrow(() -> LocalServer.notRunning(primary)), json);
        }
        CommitQueue queue = primary.queue().orElseThrow(() -> LocalServer.notRunning(primary));
        List<Fields> rows = Arrays.stream(queue.waiting())
                .map(waiting -> new Fields()
                        .text("level", waiting.level().parameterValue())
                        .count("waiters", waiting.waiters())
                        .micros("oldest_wait_us", waiting.waiters() == 0 ? -1 : waiting.oldestWaitMicros())
                        .lsn("oldest_lsn", waiting.oldestLsn()))
                .toList();
        return Fields.present(rows, "levels", "no commit can wait", json);
    }

    private static String explain(WaitExplanation why, boolean json) {
        Fields fields = new Fields()
                .lsn("lsn", why.lsn())
                .count("waiters", why.waiters())
                .micros("oldest_wait_us", why.waitMicros())
                .text("primary", why.stage());
        for (WaitExplanation.Released level : why.released()) {
            fields.text(level.level().parameterValue(), level.isReleased() ? "released" : "waits");
        }
        return fields.rows(
                        "standbys",
                        why.standbys().stream()
                                .map(standby -> new Fields()
                                        .text("name", standby.name())
                                        .text("awaited", standby.awaited() ? "awaited" : "not awaited")
                                        .text("stage", standby.stage())
                                        .time("reply_time", standby.replyMicros())
                                        .text("reason", standby.reason()))
                                .toList())
                .text("mode", why.mode().state().toString())
                .text("mode_reason", why.mode().reason())
                .time("mode_since", why.mode().sinceMicros())
                .text("next", why.mode().next())
                .micros("next_in_us", why.mode().nextInMicros())
                .present(json);
    }

    /** Takes a checkpoint. */
    @Descriptor("take a checkpoint now; on a standby, ask for a restartpoint")
    public String checkpoint(
            @Descriptor("one JSON object: checkpoint_lsn and redo_lsn; on a standby: restartpoint")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            String... words)
            throws IOException {
        Words.none("checkpoint [--json]", words);
        if (server.findStandby().isPresent()) {
            boolean requested = server.findStandby().get().requestRestartpoint();
            if (json) {
                return new Fields().flag("restartpoint", requested).json();
            }
            return requested
                    ? "a restartpoint is being taken"
                    : "there is no checkpoint of the primary since the last restartpoint";
        }
        Primary primary = server.primary("checkpoints are taken");
        primary.checkpoint();
        ControlFile control = primary.control();
        return json
                ? new Fields()
                        .lsn("checkpoint_lsn", control.checkpointLsn())
                        .lsn("redo_lsn", control.redoLsn())
                        .json()
                : "CHECKPOINT " + Lsn.text(control.checkpointLsn());
    }
}
