package lockstep.send;

import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import lockstep.security.AccessException;
import lockstep.security.AccessMethod;
import lockstep.security.AccessRule;
import lockstep.security.Security;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.BaseBackupRequest;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.StartReplication;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Stands between the transports of this server and its senders, and holds every peer to the rules of {@code access.conf}.
 *
 * <p>A transport that asks for the name before it lets anybody in has judged already, and says what it came to ({@link
 * Peer#admittedAs}): the peer may be that standby and no other. With any other transport the name is first heard in the
 * message that asks for a base backup or for WAL, and is judged then, by what the transport says of the peer. So the rules
 * count for transports that know nothing of them, too. Nothing is sent before.
 */
final class Doorman implements Acceptor {
    private static final Logger log = LoggerFactory.getLogger(Doorman.class);

    private final String scheme;
    private final Security security;
    private final Acceptor senders;

    Doorman(String scheme, Security security, Acceptor senders) {
        this.scheme = scheme;
        this.security = security;
        this.senders = senders;
    }

    @Override
    public SessionHandler accept(Session session) {
        SessionHandler handler = senders.accept(session);
        return handler == null ? null : new Held(handler);
    }

    private void judge(Peer peer, String standby) throws AccessException {
        if (peer.admittedAs().isPresent()) {
            String admitted = peer.admittedAs().get();
            if (!admitted.equals(standby)) {
                throw new AccessException(
                        "the session was let in as standby \"" + admitted + "\", and asks as \"" + standby + '"');
            }
            return;
        }
        AccessRule rule = security.rules().find(scheme, standby, address(peer.address()));
        if (rule.method() == AccessMethod.TRUST) {
            return;
        } else if (rule.method() != AccessMethod.PEER) {
            throw new AccessException(rule.place() + " asks for " + rule.method() + ", which the transport " + scheme
                    + " does not offer; what it offers is " + AccessMethod.PEER);
        } else if (peer.identity().isEmpty()) {
            throw new AccessException("the transport " + scheme + " has not authenticated standby \"" + standby
                    + "\", and " + rule.place() + " wants that");
        } else if (!rule.identity().isEmpty() && !rule.identity().equals(peer.identity())) {
            throw new AccessException("standby \"" + standby + "\" is authenticated as \"" + peer.identity()
                    + "\", and by " + rule.place() + " has to be another");
        }
    }

    /** Returns the address in what a transport calls its peer; null if there is none. */
    static InetAddress address(String peer) {
        try {
            URI uri = new URI("peer://" + peer);
            return uri.getHost() == null || uri.getPort() < 0 ? null : AccessRule.address(uri.getHost());
        } catch (URISyntaxException | IllegalArgumentException e) {
            return null;
        }
    }

    /** Hears what a session says before its sender does. */
    private final class Held implements SessionHandler {
        private final SessionHandler handler;
        private boolean refused;

        Held(SessionHandler handler) {
            this.handler = handler;
        }

        @Override
        public void received(Session session, Message message) {
            if (refused) {
                return;
            }
            if (message instanceof StartReplication start) {
                judge(session, start.standbyName());
            } else if (message instanceof BaseBackupRequest request) {
                judge(session, request.standbyName());
            }
            if (!refused) {
                handler.received(session, message);
            }
        }

        private void judge(Session session, String standby) {
            try {
                Doorman.this.judge(session.peer(), standby);
            } catch (AccessException e) {
                refused = true;
                log.warn("standby at {} refused: {}", session.peer().address(), e.getMessage());
                session.send(new Refusal(RefusalCode.NOT_ALLOWED, e.getMessage()));
                session.close(e.getMessage());
            }
        }

        @Override
        public void endOfBatch() {
            handler.endOfBatch();
        }

        @Override
        public void writable() {
            handler.writable();
        }

        @Override
        public void closed(String cause) {
            handler.closed(cause);
        }
    }
}
