package lockstep.send;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import lockstep.security.Security;
import lockstep.security.SecuritySettings;
import lockstep.transport.api.Message;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Term;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DoormanTest {
    private static final Peer SOMEBODY = new Peer("10.0.0.7:4000", "", false);

    @TempDir
    private Path folder;

    /** Keeps what it is told. */
    private static final class Link implements Session, SessionHandler {
        private final Peer peer;
        private final List<Message> sent = new ArrayList<>();
        private final List<Message> heard = new ArrayList<>();
        private String closed;

        Link(Peer peer) {
            this.peer = peer;
        }

        @Override
        public void send(Message message) {
            sent.add(message);
        }

        @Override
        public boolean isWritable() {
            return true;
        }

        @Override
        public Peer peer() {
            return peer;
        }

        @Override
        public void close(String cause) {
            closed = cause;
        }

        @Override
        public void received(Session session, Message message) {
            heard.add(message);
        }

        @Override
        public void closed(String cause) {}
    }

    private static Message asksAs(String name) {
        return new Message.StartReplication(name, "", 1, 1, 1, 0, new Term(1, 1));
    }

    /** Lets a peer ask as a standby; returns why it was refused, or null. */
    private String refusal(String scheme, Peer peer, Message asked) {
        Security security = new Security(folder, Map.of(), SecuritySettings.except(Map.of()));
        Link link = new Link(peer);
        SessionHandler handler = new Doorman(scheme, security, session -> link).accept(link);
        Message before = new Message.DownstreamStatus(0, 0, List.of());
        handler.received(link, before);
        handler.received(link, asked);
        if (link.closed == null) {
            assertEquals(List.of(before, asked), link.heard);
            return null;
        }
        handler.received(link, asksAs("after it was refused"));
        assertEquals(List.of(before), link.heard);
        assertEquals(
                new Message.Refusal(Message.RefusalCode.NOT_ALLOWED, link.closed), link.sent.get(link.sent.size() - 1));
        return link.closed;
    }

    private void rules(String text) throws IOException {
        Files.writeString(folder.resolve("access.conf"), text);
    }

    @Test
    void whoWasLetInUnderANameMayAskAsNoOther() {
        Peer s1 = new Peer("10.0.0.7:4000", "s1", false, Optional.of("s1"), Map.of());
        assertNull(refusal("tcp", s1, asksAs("s1")));
        assertEquals("the session was let in as standby \"s1\", and asks as \"s2\"", refusal("tcp", s1, asksAs("s2")));
        assertNotNull(refusal("tcp", s1, new Message.BaseBackupRequest("s2", "", false)));
    }

    @Test
    void aTransportThatAsksForNoNameIsJudgedWhenTheStandbySaysIt() throws IOException {
        rules("acme s1 10.0.0.0/8 trust\nacme s2 all reject\n");
        assertNull(refusal("acme", SOMEBODY, asksAs("s1")));
        assertNull(refusal("acme", SOMEBODY, new Message.BaseBackupRequest("s1", "", false)));
        assertTrue(refusal("acme", SOMEBODY, asksAs("s2")).contains("is refused by access.conf:2"));
        assertTrue(refusal("acme", SOMEBODY, asksAs("s3")).startsWith("no line of access.conf lets standby \"s3\""));
        assertNotNull(refusal("acme", new Peer("11.0.0.7:4000", "", false), asksAs("s1")));
    }

    @Test
    void aRuleThatWantsAnAuthenticatedPeerHasOne() throws IOException {
        rules("ssh s1 all peer identity=\"lockstep SHA256:abc\"\nssh s2 all peer\nssh s3 all cert\n");
        Peer key = new Peer("10.0.0.7:4000", "lockstep SHA256:abc", false);
        Peer otherKey = new Peer("10.0.0.7:4000", "lockstep SHA256:xyz", false);
        assertNull(refusal("ssh", key, asksAs("s1")));
        assertEquals(
                "standby \"s1\" is authenticated as \"lockstep SHA256:xyz\", and by access.conf:1 has to be another",
                refusal("ssh", otherKey, asksAs("s1")));
        assertNull(refusal("ssh", otherKey, asksAs("s2")));
        assertTrue(refusal("ssh", SOMEBODY, asksAs("s2")).contains("has not authenticated standby \"s2\""));
        assertTrue(refusal("ssh", key, asksAs("s3")).contains("asks for cert, which the transport ssh does not offer"));
    }

    @ParameterizedTest
    @CsvSource({
        "10.0.0.7:4000, 10.0.0.7",
        "[::1]:4000, 0:0:0:0:0:0:0:1",
        "/srv/a/wal.sock#3,",
        "/srv/a/wal.sock (user me),",
        "db1:4000,",
        "memory,"
    })
    void theAddressOfAPeerIsReadFromWhatItsTransportCallsIt(String text, String address) {
        var found = Doorman.address(text);
        assertEquals(address, found == null ? null : found.getHostAddress());
    }
}
