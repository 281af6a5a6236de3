package lockstep.transport.postgres.server;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import lockstep.retention.SlotException;
import lockstep.send.ServedLog;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.postgres.protocol.BackendMessage;
import lockstep.transport.postgres.protocol.BackendMessage.Column;
import lockstep.transport.postgres.protocol.BackendMessage.CommandComplete;
import lockstep.transport.postgres.protocol.BackendMessage.DataRow;
import lockstep.transport.postgres.protocol.BackendMessage.ErrorResponse;
import lockstep.transport.postgres.protocol.BackendMessage.RowDescription;
import lockstep.transport.postgres.protocol.Report;
import lockstep.transport.postgres.server.ReplicationCommand.CreateSlot;
import lockstep.transport.postgres.server.ReplicationCommand.DropSlot;
import lockstep.transport.postgres.server.ReplicationCommand.IdentifySystem;
import lockstep.transport.postgres.server.ReplicationCommand.ReadSlot;
import lockstep.transport.postgres.server.ReplicationCommand.Show;
import lockstep.transport.postgres.server.ReplicationCommand.StartReplication;
import lockstep.transport.postgres.server.ReplicationCommand.TimelineHistoryOf;
import lockstep.wal.TimelineHistory;

/** The answers to all commands but {@code START_REPLICATION}, with the columns, tags and errors of a PostgreSQL server. */
final class Answers {
    private static final String UNDEFINED_OBJECT = "42704";
    private static final String DUPLICATE_OBJECT = "42710";
    private static final String INVALID_NAME = "42602";
    private static final String UNDEFINED_FILE = "58P01";
    private static final String OBJECT_IN_USE = "55006";
    private static final String OBJECT_NOT_IN_PREREQUISITE_STATE = "55000";
    private static final String CONFIGURATION_LIMIT_EXCEEDED = "53400";
    private static final String TOO_MANY_CONNECTIONS = "53300";
    private static final String CANNOT_CONNECT_NOW = "57P03";
    private static final String IO_ERROR = "58030";
    private static final String PROTOCOL_VIOLATION = "08P01";
    private static final String INTERNAL_ERROR = "XX000";

    private Answers() {}

    /** Answers a command, except for {@link lockstep.transport.postgres.protocol.BackendMessage.ReadyForQuery}. */
    static List<BackendMessage> to(ReplicationCommand command, ServedLog log, Map<String, String> reported) {
        try {
            if (command instanceof IdentifySystem) {
                return row(
                        "IDENTIFY_SYSTEM",
                        List.of(
                                Column.text("systemid"),
                                Column.int4("timeline"),
                                Column.text("xlogpos"),
                                Column.text("dbname")),
                        Long.toUnsignedString(log.systemId()),
                        Integer.toString(log.history().timeline()),
                        Lsn.text(log.flushedLsn()),
                        null);
            } else if (command instanceof Show show) {
                return show(show.name(), log, reported);
            } else if (command instanceof TimelineHistoryOf asked) {
                return history(asked.timeline(), log);
            } else if (command instanceof ReadSlot asked) {
                return readSlot(asked.name(), log);
            } else if (command instanceof CreateSlot asked) {
                log.createSlot(asked.name(), asked.reserveWal(), asked.temporary());
                return row(
                        "CREATE_REPLICATION_SLOT",
                        List.of(
                                Column.text("slot_name"),
                                Column.text("consistent_point"),
                                Column.text("snapshot_name"),
                                Column.text("output_plugin")),
                        asked.name(),
                        Lsn.text(Lsn.INVALID),
                        null,
                        null);
            } else if (command instanceof DropSlot asked) {
                log.dropSlot(asked.name());
                return List.of(new CommandComplete("DROP_REPLICATION_SLOT"));
            }
            throw new IllegalArgumentException(command + " has no answer");
        } catch (SlotException e) {
            return error(Report.error(sqlState(command, e), e.getMessage()));
        } catch (IOException e) {
            return error(Report.error(IO_ERROR, e.getMessage()));
        }
    }

    private static String sqlState(ReplicationCommand command, SlotException e) {
        return switch (e.code()) {
            case SLOT_IN_USE -> command instanceof CreateSlot ? DUPLICATE_OBJECT : OBJECT_IN_USE;
            case NO_SUCH_SLOT ->
                !(command instanceof CreateSlot)
                        ? UNDEFINED_OBJECT
                        : e.getMessage().startsWith("\"") ? INVALID_NAME : CONFIGURATION_LIMIT_EXCEEDED;
            default -> OBJECT_NOT_IN_PREREQUISITE_STATE;
        };
    }

    private static List<BackendMessage> show(String name, ServedLog log, Map<String, String> reported) {
        String value = ServerSettings.show(name, reported, log);
        return value == null
                ? error(Report.error(UNDEFINED_OBJECT, "unrecognized configuration parameter \"" + name + '"'))
                : row("SHOW", List.of(Column.text(name)), value);
    }

    private static List<BackendMessage> history(int timeline, ServedLog log) {
        TimelineHistory history = log.history();
        String file = TimelineHistory.fileName(timeline);
        if (timeline == TimelineHistory.FIRST || !history.contains(timeline)) {
            return error(Report.error(
                    UNDEFINED_FILE, "could not open file \"pg_wal/" + file + "\": No such file or directory"));
        }
        return row(
                "TIMELINE_HISTORY",
                List.of(Column.text("filename"), Column.text("content")),
                file,
                history.historyOf(timeline).text());
    }

    private static List<BackendMessage> readSlot(String name, ServedLog log) {
        OptionalLong restartLsn = log.slotRestartLsn(name);
        boolean reserved = restartLsn.orElse(Lsn.INVALID) != Lsn.INVALID;
        return row(
                "READ_REPLICATION_SLOT",
                List.of(Column.text("slot_type"), Column.text("restart_lsn"), Column.int8("restart_tli")),
                restartLsn.isPresent() ? "physical" : null,
                reserved ? Lsn.text(restartLsn.getAsLong()) : null,
                reserved ? Integer.toString(log.history().timelineAt(restartLsn.getAsLong())) : null);
    }

    /**
     * Returns why the WAL that is asked for is no part of the log, or not yet; null if it is.
     *
     * @param flushedLsn how far the log is sent
     */
    static Report objection(StartReplication asked, TimelineHistory history, long flushedLsn) {
        if (asked.timeline() == 0 || asked.timeline() == history.timeline()) {
            return Long.compareUnsigned(asked.startLsn(), flushedLsn) <= 0
                    ? null
                    : Report.error(
                            INTERNAL_ERROR,
                            "requested starting point " + Lsn.text(asked.startLsn())
                                    + " is ahead of the WAL flush position of this server " + Lsn.text(flushedLsn));
        }
        if (!history.contains(asked.timeline())) {
            return Report.error(
                    INTERNAL_ERROR, "requested timeline " + asked.timeline() + " is not in this server's history");
        }
        long endLsn = history.endOf(asked.timeline());
        return Long.compareUnsigned(asked.startLsn(), endLsn) <= 0
                ? null
                : Report.error(
                                INTERNAL_ERROR,
                                "requested starting point " + Lsn.text(asked.startLsn()) + " on timeline "
                                        + asked.timeline() + " is not in this server's history")
                        .withDetail("This server's history forked from timeline " + asked.timeline() + " at "
                                + Lsn.text(endLsn) + ".");
    }

    /**
     * Returns what follows a copy that has ended in good order: the next timeline, if this one has ended, and two tags, of which
     * clients wait for both.
     *
     * @param timeline the one that was streamed
     */
    static List<BackendMessage> endOfCopy(int timeline, TimelineHistory history) {
        List<BackendMessage> answer = new ArrayList<>();
        long endLsn = history.endOf(timeline);
        if (endLsn != Long.MAX_VALUE) {
            answer.addAll(row(
                    "START_STREAMING",
                    List.of(Column.int8("next_tli"), Column.text("next_tli_startpos")),
                    Integer.toString(history.successorOf(timeline)),
                    Lsn.text(endLsn)));
        } else {
            answer.add(new CommandComplete("START_STREAMING"));
        }
        answer.add(new CommandComplete("START_REPLICATION"));
        return answer;
    }

    /**
     * Says as PostgreSQL would why the core refuses to send, or to go on sending.
     *
     * @param segment the one that would have been sent next
     */
    static Report report(Refusal refusal, String segment) {
        if (refusal.code() == RefusalCode.WAL_REMOVED) {
            return Report.error(UNDEFINED_FILE, "requested WAL segment " + segment + " has already been removed")
                    .withDetail(refusal.text());
        }
        String sqlState = switch (refusal.code()) {
            case SYSTEM_MISMATCH, TIMELINE_MISMATCH, START_AHEAD, LOOP -> INTERNAL_ERROR;
            case NAME_IN_USE, SLOT_IN_USE -> OBJECT_IN_USE;
            case TOO_MANY_STANDBYS -> TOO_MANY_CONNECTIONS;
            case NOT_READY, SHUTTING_DOWN -> CANNOT_CONNECT_NOW;
            case PROTOCOL -> PROTOCOL_VIOLATION;
            case NO_SUCH_SLOT -> UNDEFINED_OBJECT;
            default -> OBJECT_NOT_IN_PREREQUISITE_STATE;
        };
        return Report.error(sqlState, refusal.text());
    }

    /** Says that no log is served at the moment. */
    static Report notServing() {
        return Report.error(CANNOT_CONNECT_NOW, "the server cannot serve standbys now");
    }

    static List<BackendMessage> error(Report report) {
        return List.of(new ErrorResponse(report));
    }

    private static List<BackendMessage> row(String tag, List<Column> columns, String... values) {
        return List.of(new RowDescription(columns), new DataRow(Arrays.asList(values)), new CommandComplete(tag));
    }
}
