package lockstep.transport.postgres.server;

import io.netty.channel.Channel;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;
import lockstep.security.AccessException;
import lockstep.security.Security;
import lockstep.send.ServedLog;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Peer;
import lockstep.transport.netty.DelayedVerdict;
import lockstep.transport.netty.PortListener.Arrival;
import lockstep.transport.netty.Tls;
import lockstep.transport.netty.TlsContexts;
import lockstep.transport.postgres.protocol.BackendMessage;
import lockstep.transport.postgres.protocol.BackendMessage.BackendKeyData;
import lockstep.transport.postgres.protocol.BackendMessage.EncryptionAnswer;
import lockstep.transport.postgres.protocol.BackendMessage.ErrorResponse;
import lockstep.transport.postgres.protocol.BackendMessage.NegotiateProtocolVersion;
import lockstep.transport.postgres.protocol.BackendMessage.ParameterStatus;
import lockstep.transport.postgres.protocol.FrontendDecoder;
import lockstep.transport.postgres.protocol.FrontendMessage;
import lockstep.transport.postgres.protocol.FrontendMessage.AuthenticationResponse;
import lockstep.transport.postgres.protocol.Report;
import lockstep.transport.postgres.protocol.StartupPacket;
import lockstep.transport.postgres.protocol.StartupPacket.GssEncryptionRequest;
import lockstep.transport.postgres.protocol.StartupPacket.SslRequest;
import lockstep.transport.postgres.protocol.StartupPacket.Startup;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The beginning of a connection, from its first byte to the first command: TLS, who the client is, and what it is told of
 * this server. What comes out of it is a {@link Client}. Nothing of the core is asked before that.
 *
 * <pre>
 *   state           event                          next            said
 *   STARTUP         SslRequest                     STARTUP         a bare byte, and TLS begins
 *                   Startup for replication        AUTHENTICATION  what {@link Admittance} asks
 *                   Startup for anything else      OVER            an error, the last word
 *   AUTHENTICATION  the client proves who it is    OVER            AuthenticationOk … ReadyForQuery: a client
 *                   it does not                    OVER            an error, the last word
 * </pre>
 *
 * <p>All on the connection's thread.
 */
final class ClientLogin {
    private static final Logger log = LoggerFactory.getLogger(ClientLogin.class);
    private static final String NO_NAME = "walreceiver";
    private static final String NOT_SUPPORTED = "0A000";
    private static final String INVALID_AUTHORIZATION = "28000";
    private static final String INVALID_PASSWORD = "28P01";

    private enum State {
        STARTUP,
        AUTHENTICATION,
        OVER
    }

    /**
     * Who has been let in.
     *
     * @param name of the standby
     * @param reported the settings that it has been told
     */
    record Client(Peer peer, String name, Map<String, String> reported) {}

    private final Channel channel;
    private final FrontendDecoder decoder;
    private final ClientOutput out;
    private final Arrival arrival;
    private final Supplier<ServedLog> servedLog;
    private final Security security;
    private final TlsContexts tls;
    private final DelayedVerdict verdict = new DelayedVerdict();

    private State state = State.STARTUP;
    private String user;
    private String name;
    private Admittance admittance;
    private Client client;

    /**
     * @param decoder what reads the connection
     * @param arrival hears once how this ends
     * @param tls null to be without
     */
    ClientLogin(
            Channel channel,
            FrontendDecoder decoder,
            ClientOutput out,
            Arrival arrival,
            Supplier<ServedLog> servedLog,
            Security security,
            TlsContexts tls) {
        this.channel = channel;
        this.decoder = decoder;
        this.out = out;
        this.arrival = arrival;
        this.servedLog = servedLog;
        this.security = security;
        this.tls = tls;
    }

    boolean isOver() {
        return state == State.OVER;
    }

    /** Returns who has been let in; null while nobody has. */
    Client client() {
        return client;
    }

    /** Hears that the connection has ended. */
    void ended(String why) {
        if (!isOver()) {
            state = State.OVER;
            arrival.refused(why);
        }
    }

    void hear(StartupPacket packet) throws MalformedMessageException {
        if (packet instanceof SslRequest) {
            startTls();
        } else if (packet instanceof GssEncryptionRequest) {
            out.write(EncryptionAnswer.NO);
        } else if (packet instanceof Startup startup) {
            begin(startup);
        } else {
            out.end("it asks to cancel a query: there are none here");
        }
    }

    private void startTls() throws MalformedMessageException {
        if (tls == null || out.tls() != null) {
            out.write(EncryptionAnswer.NO);
        } else if (decoder.bufferedBytes() > 0) {
            throw new MalformedMessageException("the client, or somebody in between, has sent bytes before TLS began");
        } else {
            try {
                SslHandler handler = tls.listening().newHandler(channel.alloc());
                out.write(EncryptionAnswer.YES);
                channel.pipeline().addFirst(handler);
            } catch (IOException e) {
                log.warn("no TLS for {}: {}", out.address(), e.getMessage());
                out.end("this server has no certificate to show: " + e.getMessage());
            }
        }
    }

    private void begin(Startup startup) {
        Map<String, String> asked = startup.parameters();
        user = asked.getOrDefault("user", "");
        String replication = asked.getOrDefault("replication", "");
        if (user.isEmpty()) {
            refuse(Report.fatal(INVALID_AUTHORIZATION, "no PostgreSQL user name specified in startup packet"));
        } else if (replication.equals("database")) {
            refuse(Report.fatal(NOT_SUPPORTED, "logical replication is not supported by a Lockstep server"));
        } else if (!ReplicationCommand.isTrue(replication)) {
            refuse(Report.fatal(
                            NOT_SUPPORTED,
                            "this is a Lockstep server, which takes replication connections and runs no SQL")
                    .withHint("Connect with replication=true."));
        } else if (tls != null && out.tls() == null) {
            refuse(Report.fatal(INVALID_AUTHORIZATION, "this server wants TLS here")
                    .withHint("Connect with sslmode=verify-full and sslrootcert."));
        } else {
            name = asked.getOrDefault("application_name", "");
            name = name.isEmpty() ? NO_NAME : name;
            negotiateVersion(startup);
            authenticate();
        }
    }

    private void negotiateVersion(Startup startup) {
        List<String> unknown = startup.parameters().keySet().stream()
                .filter(parameter -> parameter.startsWith("_pq_."))
                .toList();
        if (startup.minor() > 0 || !unknown.isEmpty()) {
            out.write(new NegotiateProtocolVersion(0, unknown));
        }
    }

    private void authenticate() {
        state = State.AUTHENTICATION;
        try {
            admittance = new Admittance(
                    security,
                    ((InetSocketAddress) channel.remoteAddress()).getAddress(),
                    Tls.of(out.tls()),
                    user,
                    name);
            authenticated(admittance.begin());
        } catch (AccessException e) {
            notAuthenticated(e);
        }
    }

    /** Hears what a client says to what {@link Admittance} has asked. */
    void hear(FrontendMessage message) throws MalformedMessageException {
        if (!(message instanceof AuthenticationResponse response)) {
            throw new MalformedMessageException("expected an answer to the question for a password, found "
                    + message.getClass().getSimpleName());
        }
        if (verdict.isAwaited()) {
            throw new MalformedMessageException("the client does not wait for the answer to its password");
        }
        verdict.after(admittance.delayMs(), channel, () -> {
            if (out.cause() == null) {
                judge(response);
            }
        });
    }

    private void judge(AuthenticationResponse response) {
        try {
            authenticated(admittance.hear(response));
        } catch (AccessException e) {
            notAuthenticated(e);
        } catch (MalformedMessageException e) {
            out.end(e.getMessage());
        }
    }

    private void authenticated(List<BackendMessage> answers) {
        answers.forEach(out::write);
        if (admittance.isOver()) {
            letIn();
        }
    }

    private void letIn() {
        ServedLog served = servedLog.get();
        if (served == null) {
            refuse(Answers.notServing().asFatal());
            return;
        }
        state = State.OVER;
        client = new Client(admittance.peer(out.address()), name, ServerSettings.reported(name, user, served));
        arrival.letIn();
        client.reported().forEach((setting, value) -> out.write(new ParameterStatus(setting, value)));
        ThreadLocalRandom random = ThreadLocalRandom.current();
        out.answer(List.of(new BackendKeyData(random.nextInt(), random.nextInt())));
    }

    private void notAuthenticated(AccessException e) {
        boolean password = admittance != null && admittance.isAboutPassword();
        refuse(
                Report.fatal(
                        password ? INVALID_PASSWORD : INVALID_AUTHORIZATION,
                        admittance == null ? e.getMessage() : admittance.refusal(e)),
                "as standby \"" + name + "\": " + e.getMessage());
    }

    private void refuse(Report report) {
        refuse(report, report.message());
    }

    /** @param why for the log of this server, which may say more than the client is told */
    private void refuse(Report report, String why) {
        state = State.OVER;
        arrival.refused(why);
        out.last(new ErrorResponse(report), why);
    }
}
