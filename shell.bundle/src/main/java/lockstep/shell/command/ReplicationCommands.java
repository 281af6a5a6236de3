package lockstep.shell.command;

import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import lockstep.commit.SyncRole;
import lockstep.receiver.api.ReceiverStatus;
import lockstep.receiver.api.RedoState;
import lockstep.receiver.api.RedoStatus;
import lockstep.receiver.api.StandbyControl;
import lockstep.send.StandbyNode;
import lockstep.send.StandbyView;
import lockstep.send.WalSenders;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Peer;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/** Shows both ends of replication, and pauses redo. */
@Component(service = ReplicationCommands.class)
@GogoCommand(
        scope = "lockstep",
        function = {"standbys", "receiver", "redo", "rebuild"})
public final class ReplicationCommands {
    private static final Pattern ADDRESS = Pattern.compile("(\\[[0-9a-fA-F:.]+]|[\\w.-]+):\\d+");

    private static final String REDO_USAGE = "redo pause|resume [--json]";

    private final LocalServer server;

    /** Made by the framework. */
    @Activate
    public ReplicationCommands(@Reference LocalServer server) {
        this.server = server;
    }

    /** Lists the standbys. */
    @Descriptor("list the connected standbys, with the columns of pg_stat_replication; pid is the session's number")
    public String standbys(
            @Descriptor("one JSON object with the array standbys")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("all standbys of standbys as well, with their lag behind this server")
                    @Parameter(names = "--tree", presentValue = "true", absentValue = "false")
                    boolean tree,
            String... words) {
        Words.none("standbys [--tree] [--json]", words);
        if (tree) {
            List<Fields> nodes = server.findSenders().map(WalSenders::tree).orElse(List.of()).stream()
                    .map(ReplicationCommands::row)
                    .toList();
            return Fields.present(nodes, "standbys", "no standby is connected", json);
        }
        List<Fields> rows = standbys().stream()
                .map(standby -> json ? details(standby) : row(standby))
                .toList();
        return Fields.present(rows, "standbys", "no standby is connected", json);
    }

    /** On a standby these are its own, for which no commit waits. */
    private List<StandbyView> standbys() {
        return server.findStandby().isPresent()
                ? server.findSenders()
                        .map(senders -> senders.standbys(standby -> SyncRole.ASYNC))
                        .orElse(List.of())
                : server.primary("standbys are connected").standbys();
    }

    private static Fields row(StandbyNode standby) {
        return new Fields()
                .text("application_name", standby.applicationName())
                .text("upstream", standby.upstream())
                .count("depth", standby.depth())
                .text("state", standby.state())
                .lsn("sent_lsn", standby.sentLsn())
                .lsn("write_lsn", standby.writeLsn())
                .lsn("flush_lsn", standby.flushLsn())
                .lsn("replay_lsn", standby.replayLsn())
                .size("flush_lag_bytes", standby.flushLagBytes())
                .micros("flush_lag_us", standby.flushLagMicros())
                .size("replay_lag_bytes", standby.replayLagBytes())
                .micros("replay_lag_us", standby.replayLagMicros())
                .count("omitted", standby.omitted());
    }

    private static Fields row(StandbyView standby) {
        return new Fields()
                .count("pid", standby.id())
                .text("application_name", standby.applicationName())
                .text("client_addr", standby.clientAddr())
                .time("backend_start", standby.backendStartMicros())
                .text("state", standby.state().toString())
                .lsn("sent_lsn", standby.sentLsn())
                .lsn("write_lsn", standby.writeLsn())
                .lsn("flush_lsn", standby.flushLsn())
                .lsn("replay_lsn", standby.replayLsn())
                .interval("write_lag", standby.writeLagMicros())
                .interval("flush_lag", standby.flushLagMicros())
                .interval("replay_lag", standby.replayLagMicros())
                .count("sync_priority", standby.syncPriority())
                .text("sync_state", standby.syncState())
                .time("reply_time", standby.replyMicros())
                .text("feed", standby.feed())
                .text("reason", standby.reason());
    }

    /** Besides, who it is and how its session is protected, for which a table has no room. */
    private static Fields details(StandbyView standby) {
        return row(standby).text("identity", standby.identity()).object("link", link(standby.link()));
    }

    /** What is known of the way to a standby; of a certificate also how long it is still valid. */
    private static Fields link(Map<String, String> facts) {
        Fields link = new Fields();
        facts.forEach(link::text);
        String expires = facts.get(Peer.CERTIFICATE_EXPIRES);
        if (expires != null) {
            link.count(
                    "certificate_days_left",
                    Duration.between(Instant.now(), Instant.parse(expires)).toDays());
        }
        return link;
    }

    /** Shows the WAL receiver. */
    @Descriptor("show the WAL receiver of this standby, with the columns of pg_stat_wal_receiver")
    public String receiver(
            @Descriptor("one JSON object") @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            String... words) {
        Words.none("receiver [--json]", words);
        ReceiverStatus receiver =
                server.standby("the WAL receiver runs").report().receiver();
        URI endpoint = URI.create(receiver.endpoint());
        return new Fields()
                .count("pid", ProcessHandle.current().pid())
                .text("status", receiver.state().toString())
                .lsn("receive_start_lsn", receiver.receiveStartLsn())
                .count("receive_start_tli", receiver.receiveStartTimeline())
                .lsn("written_lsn", receiver.writtenLsn())
                .lsn("flushed_lsn", receiver.flushedLsn())
                .count("received_tli", receiver.receivedTimeline())
                .time("last_msg_send_time", receiver.lastMessageSentMicros())
                .time("last_msg_receipt_time", receiver.lastMessageReceivedMicros())
                .lsn("latest_end_lsn", receiver.latestEndLsn())
                // Every message says where the primary's WAL ends.
                .time("latest_end_time", receiver.lastMessageSentMicros())
                .text("slot_name", receiver.slotName())
                .text("sender_host", senderHost(receiver, endpoint))
                .count("sender_port", Math.max(0, sender(receiver, endpoint).getPort()))
                .text("conninfo", receiver.conninfo())
                .lsn("received_lsn", receiver.receivedLsn())
                .lsn("primary_flushed_lsn", receiver.primaryFlushedLsn())
                .count("sessions", receiver.sessions())
                .count("corruptions", receiver.corruptions())
                .flag("disk_full", receiver.diskFull())
                .text("last_error", receiver.lastError())
                .text("written_by", receiver.writtenBy())
                .count("records", receiver.counted().records())
                .size("record_bytes", receiver.counted().recordBytes())
                .size("image_bytes", receiver.counted().imageBytes())
                .present(json);
    }

    /** Of an endpoint that is not of one host, the one that the session is with, if it is with a host. */
    private static URI sender(ReceiverStatus receiver, URI endpoint) {
        boolean isPeer =
                endpoint.getHost() == null && ADDRESS.matcher(receiver.peer()).matches();
        return isPeer ? URI.create("peer://" + receiver.peer()) : endpoint;
    }

    private static String senderHost(ReceiverStatus receiver, URI endpoint) {
        String host = sender(receiver, endpoint).getHost();
        return host == null ? receiver.endpoint() : host;
    }

    /** Pauses or resumes redo. */
    @Descriptor("pause redo on this standby, or let it go on; WAL is received and acknowledged all the same")
    public String redo(
            @Descriptor("one JSON object: state, reason, replay_lsn")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("pause | resume") String... words) {
        String what = new Words(REDO_USAGE, 1, 1, words).oneOf(REDO_USAGE, "pause", "resume");
        StandbyControl standby = server.standby("redo is paused and resumed");
        if (what.equals("pause")) {
            standby.pauseRedo();
        } else {
            standby.resumeRedo();
        }
        RedoStatus redo = standby.report().redo();
        return json
                ? new Fields()
                        .text("state", redo.state().toString())
                        .text("reason", redo.reason())
                        .lsn("replay_lsn", redo.appliedLsn())
                        .json()
                : redo.state() == RedoState.PAUSED && what.equals("resume")
                        ? "recovery has ended at " + Lsn.text(redo.appliedLsn())
                                + ", and this server promotes itself; \"status\" shows when it is the primary"
                        : "redo is " + redo.state() + " at " + Lsn.text(redo.appliedLsn())
                                + (redo.reason().isEmpty() ? "" : ": " + redo.reason());
    }

    /** Has a standby rebuilt. */
    @Descriptor(
            "replace the data and the WAL of this standby by a new base backup of its primary; configuration, bundles and"
                    + " slots stay")
    public String rebuild(
            @Descriptor("do it: what is here is removed when the primary has begun to send the base backup")
                    @Parameter(names = "--yes", presentValue = "true", absentValue = "false")
                    boolean yes,
            @Descriptor("one JSON object: phase")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            String... words) {
        Words.none("rebuild --yes [--json]", words);
        StandbyControl standby = server.standby("a rebuild is done");
        if (!yes) {
            throw new IllegalArgumentException("rebuild removes all data and WAL of this standby, and takes a new base"
                    + " backup of its primary: confirm it with \"rebuild --yes\"");
        }
        standby.rebuild();
        return json
                ? new Fields().text("phase", standby.report().phase()).json()
                : "the standby takes a base backup of its primary; \"status\" shows when it runs again";
    }
}
