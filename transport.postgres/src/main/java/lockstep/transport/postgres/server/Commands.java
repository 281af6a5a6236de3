package lockstep.transport.postgres.server;

import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import lockstep.retention.SlotException;
import lockstep.send.ServedLog;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Message;
import lockstep.transport.api.Term;
import lockstep.transport.postgres.protocol.BackendMessage;
import lockstep.transport.postgres.protocol.BackendMessage.CommandComplete;
import lockstep.transport.postgres.protocol.BackendMessage.ErrorResponse;
import lockstep.transport.postgres.protocol.BackendMessage.ReadyForQuery;
import lockstep.transport.postgres.protocol.FrontendMessage;
import lockstep.transport.postgres.protocol.FrontendMessage.Query;
import lockstep.transport.postgres.protocol.FrontendMessage.Unsupported;
import lockstep.transport.postgres.protocol.Report;
import lockstep.transport.postgres.server.ClientLogin.Client;
import lockstep.transport.postgres.server.ReplicationCommand.CreateSlot;
import lockstep.transport.postgres.server.ReplicationCommand.DropSlot;
import lockstep.transport.postgres.server.ReplicationCommand.NotUnderstoodException;
import lockstep.transport.postgres.server.ReplicationCommand.StartReplication;
import lockstep.wal.TimelineHistory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a client asks while nothing is copied. All is answered at once, from the {@link ServedLog}, but for {@code
 * START_REPLICATION}: that begins a {@link WalCopy}, until whose end no command is heard. Temporary slots end with the
 * connection, so they are kept in mind here.
 *
 * <p>All on the connection's thread.
 */
final class Commands {
    private static final Logger log = LoggerFactory.getLogger(Commands.class);
    private static final String PROTOCOL_VIOLATION = "08P01";

    private final ClientOutput out;
    private final Supplier<ServedLog> servedLog;
    private final Acceptor acceptor;
    private final Set<String> temporarySlots = new HashSet<>();

    Commands(ClientOutput out, Supplier<ServedLog> servedLog, Acceptor acceptor) {
        this.out = out;
        this.servedLog = servedLog;
        this.acceptor = acceptor;
    }

    /** Hears a client; returns the copy that begins thereby, or null if there is none. */
    WalCopy hear(FrontendMessage message, Client client) {
        if (message instanceof Query query) {
            return answer(query.text(), client);
        } else if (message instanceof Unsupported part && part.isSync()) {
            out.write(new ReadyForQuery());
        } else if (message instanceof Unsupported) {
            out.write(new ErrorResponse(Report.error(
                    PROTOCOL_VIOLATION, "extended query protocol not supported in a replication connection")));
        }
        // Else it is what a client still said of a copy that has ended.
        return null;
    }

    private WalCopy answer(String text, Client client) {
        ServedLog served = servedLog.get();
        if (served == null) {
            out.answer(Answers.error(Answers.notServing()));
            return null;
        }
        ReplicationCommand command;
        try {
            command = ReplicationCommand.parse(text);
        } catch (NotUnderstoodException e) {
            out.answer(Answers.error(e.report()));
            return null;
        }
        if (command instanceof StartReplication start) {
            return copy(start, served, client);
        }
        List<BackendMessage> answer = Answers.to(command, served, client.reported());
        if (answer.get(answer.size() - 1) instanceof CommandComplete) {
            if (command instanceof CreateSlot created && created.temporary()) {
                temporarySlots.add(created.name());
            } else if (command instanceof DropSlot dropped) {
                temporarySlots.remove(dropped.name());
            }
        }
        out.answer(answer);
        return null;
    }

    private WalCopy copy(StartReplication asked, ServedLog served, Client client) {
        TimelineHistory history = served.history();
        Report objection = Answers.objection(asked, history, served.flushedLsn());
        if (objection != null) {
            out.answer(Answers.error(objection));
            return null;
        }
        int timeline = asked.timeline() == 0 ? history.timeline() : asked.timeline();
        long timelineEndLsn = history.endOf(timeline);
        if (asked.startLsn() == timelineEndLsn) {
            out.answer(Answers.endOfCopy(timeline, history));
            return null;
        }
        WalCopy copy = new WalCopy(out, servedLog, client.peer(), timeline, asked.startLsn(), timelineEndLsn);
        copy.begin(
                acceptor,
                new Message.StartReplication(
                        client.name(),
                        asked.slot(),
                        served.systemId(),
                        timeline,
                        0,
                        asked.startLsn(),
                        new Term(timeline, 0)));
        return copy;
    }

    /** Hears that the connection has ended. */
    void ended() {
        ServedLog served = servedLog.get();
        for (String slot : temporarySlots) {
            try {
                if (served != null) {
                    served.dropSlot(slot);
                }
            } catch (IOException | RuntimeException e) {
                log.warn("temporary replication slot \"{}\" of {} stays: {}", slot, out.address(), e.getMessage());
            } catch (SlotException e) {
                log.debug("temporary replication slot \"{}\" is gone already", slot, e);
            }
        }
    }
}
