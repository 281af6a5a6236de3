package lockstep.transport.postgres.server;

import java.io.IOException;
import java.net.InetAddress;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import lockstep.security.AccessException;
import lockstep.security.AccessRule;
import lockstep.security.ScramServer;
import lockstep.security.ScramVerifier;
import lockstep.security.Security;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.api.Peer;
import lockstep.transport.netty.Tls;
import lockstep.transport.postgres.protocol.BackendMessage;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationOk;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationSasl;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationSaslContinue;
import lockstep.transport.postgres.protocol.BackendMessage.AuthenticationSaslFinal;
import lockstep.transport.postgres.protocol.FrontendMessage.AuthenticationResponse;
import lockstep.transport.postgres.protocol.FrontendMessage.AuthenticationResponse.SaslInitial;

/**
 * Lets one client in by the rules of {@code access.conf}, or not. The name of the standby that it wants to be is its {@code
 * application_name}; the user whose password or certificate it shows is the {@code user} of its startup packet. A rule lets in a user of
 * another name than the standby's by {@code identity=USER}.
 *
 * <pre>
 *   rule            this server asks          the client answers
 *   trust           (nothing)
 *   cert            (nothing: TLS has)
 *   scram-sha-256   AuthenticationSasl        the mechanism and its first message
 *                   …SaslContinue             its last
 *                   …SaslFinal
 * </pre>
 */
final class Admittance {
    private enum Awaited {
        FIRST,
        LAST,
        NOTHING
    }

    private final Security security;
    private final InetAddress address;
    private final Tls tls;
    private final String user;
    private final String standby;
    private final AccessRule rule;
    private Awaited awaited = Awaited.NOTHING;
    private ScramServer scram;
    private String identity = "";

    /**
     * Finds the rule.
     *
     * @param tls null without TLS
     * @throws AccessException if no rule lets that standby in
     */
    Admittance(Security security, InetAddress address, Tls tls, String user, String standby) throws AccessException {
        this.security = security;
        this.address = address;
        this.tls = tls;
        this.user = user;
        this.standby = standby;
        rule = security.rules().find("postgresql", standby, address);
    }

    /** Returns what is asked of the client first. */
    List<BackendMessage> begin() throws AccessException {
        switch (rule.method()) {
            case SCRAM_SHA_256 -> {
                awaited = Awaited.FIRST;
                return List.of(new AuthenticationSasl(ScramServer.mechanisms(ownCertificate())));
            }
            case CERT, PEER -> identity = Tls.certified(tls, rule, standby);
            default -> identity = tls == null ? "" : tls.peersName();
        }
        return List.of(new AuthenticationOk());
    }

    private X509Certificate ownCertificate() {
        return tls == null ? null : tls.own();
    }

    /** Takes an answer, and returns what to say to it. */
    List<BackendMessage> hear(AuthenticationResponse response) throws AccessException, MalformedMessageException {
        switch (awaited) {
            case FIRST -> {
                SaslInitial first = response.saslInitial();
                scram = new ScramServer(verifier(), ownCertificate(), first.mechanism());
                awaited = Awaited.LAST;
                return List.of(new AuthenticationSaslContinue(scram.first(first.data())));
            }
            case LAST -> {
                String proof = prove(response.sasl());
                identity = user;
                awaited = Awaited.NOTHING;
                return List.of(new AuthenticationSaslFinal(proof), new AuthenticationOk());
            }
            default -> throw new MalformedMessageException("an answer to a question that was not asked");
        }
    }

    private String prove(String answer) throws AccessException {
        String proof;
        try {
            proof = scram.last(answer);
        } catch (AccessException e) {
            security.wrongPasswords().wrong(address);
            throw e;
        }
        security.wrongPasswords().right(address);
        return proof;
    }

    /** Returns how long the client is to wait for what is said to its next answer. */
    long delayMs() {
        return awaited == Awaited.LAST ? security.wrongPasswords().delayMs(address) : 0;
    }

    /** Of one who may not be this standby, no password fits. */
    private ScramVerifier verifier() throws AccessException {
        try {
            return security.verifier(rule.identityOf(standby).equals(user) ? user : ":" + user);
        } catch (IOException e) {
            throw new AccessException("this server cannot check passwords: " + e.getMessage(), e);
        }
    }

    /** Returns whether the client has been let in, after {@link #begin}. */
    boolean isOver() {
        return awaited == Awaited.NOTHING;
    }

    /** Returns what to tell a client that is not let in. Whoever guesses a password is told that it was wrong, and not what about it. */
    String refusal(AccessException e) {
        return awaited == Awaited.NOTHING ? e.getMessage() : "password authentication failed for user \"" + user + '"';
    }

    /** Returns whether it was a password that failed. */
    boolean isAboutPassword() {
        return awaited != Awaited.NOTHING;
    }

    /** Returns the client as the core shall know it. */
    Peer peer(String address) {
        Map<String, String> facts = Tls.facts(tls);
        facts.put(Peer.AUTHENTICATION, rule.method().toString());
        return new Peer(address, identity, true, Optional.of(standby), facts);
    }
}
