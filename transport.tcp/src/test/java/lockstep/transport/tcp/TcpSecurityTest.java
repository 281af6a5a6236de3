package lockstep.transport.tcp;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.AppenderBase;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import lockstep.security.Certificates;
import lockstep.security.PasswordFile;
import lockstep.security.Security;
import lockstep.security.SecuritySettings;
import lockstep.security.WrongPasswords;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.Peer;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.SocketIo;
import lockstep.transport.tck.RecordingHandler;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/** Who is let in, and as whom. */
class TcpSecurityTest {
    private static final int OPEN_MS = 10_000;
    private static final String PASSWORD = "open-sesame";
    private static final String OTHER_PASSWORD = "close-sesame";

    @TempDir
    static Path authority;

    private static Certificates certificates;

    @TempDir
    Path folder;

    private final Map<String, Object> server = new HashMap<>();
    private final Map<String, Object> client = new HashMap<>();
    private final List<TcpTransport> transports = new ArrayList<>();
    private final LinkedBlockingQueue<RecordingHandler> accepted = new LinkedBlockingQueue<>();
    private WrongPasswords wrongPasswords;

    private final Logger logger = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    private final Level level = logger.getLevel();
    private final Queue<String> logged = new ConcurrentLinkedQueue<>();
    private final AppenderBase<ILoggingEvent> appender = new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
            logged.add(event.getFormattedMessage()
                    + (event.getThrowableProxy() == null
                            ? ""
                            : ThrowableProxyUtil.asString(event.getThrowableProxy())));
        }
    };

    /** A standby as the transport sees it. */
    private static final class Named extends RecordingHandler {
        private final String name;

        Named(String name) {
            this.name = name;
        }

        @Override
        public String localName() {
            return name;
        }
    }

    @BeforeAll
    static void makeCertificates() throws IOException {
        certificates = new Certificates(authority).sign("server").sign("s1").sign("new");
    }

    @BeforeEach
    void listenToLog() {
        appender.start();
        logger.addAppender(appender);
    }

    @AfterEach
    void end() {
        transports.forEach(TcpTransport::close);
        logger.detachAppender(appender);
        logger.setLevel(level);
    }

    private Security security(Map<String, Object> settings, String... environment) {
        return new Security(
                folder,
                environment.length == 0 ? Map.of() : Map.of(environment[0], environment[1]),
                SecuritySettings.except(settings));
    }

    private TcpTransport transport(Security security) {
        TcpTransport transport = new TcpTransport(SocketIo.best(), OPEN_MS, security);
        transports.add(transport);
        return transport;
    }

    private void rules(String text) throws IOException {
        Files.writeString(folder.resolve("access.conf"), text);
    }

    private void withTls() throws IOException {
        certificates.install("server", folder.resolve("server.crt"), folder.resolve("server.key"));
        server.put("ssl", true);
        server.put("sslCaFile", authority.resolve("ca.crt").toString());
        client.put("sslmode", "verify-full");
        client.put("sslrootcert", authority.resolve("ca.crt").toString());
    }

    private void withCertificateOf(String name) {
        client.put("sslcert", authority.resolve(name + ".crt").toString());
        client.put("sslkey", authority.resolve(name + ".key").toString());
    }

    private Endpoint listen() throws TransportException {
        return listen("tcp://127.0.0.1:0").endpoint();
    }

    private Listener listen(String endpoint) throws TransportException {
        Security security = security(server);
        wrongPasswords = security.wrongPasswords();
        return transport(security).listen(Endpoint.parse(endpoint), session -> {
            RecordingHandler handler = new RecordingHandler();
            handler.on(session);
            accepted.add(handler);
            return handler;
        });
    }

    /** Connects as a standby; returns how its primary sees it. */
    private Peer seen(Endpoint at, String name, String... environment) throws Exception {
        RecordingHandler here = connect(at, name, environment);
        RecordingHandler there = accepted.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        here.session().send(new Message.BackupEnded(1));
        assertEquals(new Message.BackupEnded(1), there.next());
        return there.session().peer();
    }

    private RecordingHandler connect(Endpoint at, String name, String... environment) throws TransportException {
        RecordingHandler handler = new Named(name);
        handler.on(transport(security(client, environment)).connect(at, handler));
        return handler;
    }

    private String refusal(Endpoint at, String name, String... environment) {
        TransportException e = assertThrows(TransportException.class, () -> connect(at, name, environment));
        assertTrue(accepted.isEmpty(), "somebody was let in");
        return e.getMessage().substring(("cannot connect to " + at + ": ").length());
    }

    @Test
    void aPasswordLetsInTheStandbyOfItsNameAndNoOther() throws Exception {
        rules("tcp all all scram-sha-256\n");
        PasswordFile.set(folder.resolve("passwords"), "s1", PASSWORD.toCharArray());
        Endpoint at = listen();
        Peer peer = seen(at, "s1", "PGPASSWORD", PASSWORD);
        assertEquals("s1", peer.identity());
        assertEquals("s1", peer.admittedAs().orElseThrow());
        assertEquals(Map.of("authentication", "scram-sha-256"), peer.facts());
        assertEquals(
                "the server refuses: standby \"s1\" has not proved that it knows the password",
                refusal(at, "s1", "PGPASSWORD", OTHER_PASSWORD));
        assertEquals(
                "the server refuses: standby \"s2\" has not proved that it knows the password",
                refusal(at, "s2", "PGPASSWORD", PASSWORD));
        Endpoint asS1 = Endpoint.parse("tcp://s1@127.0.0.1:" + at.uri().getPort());
        assertEquals(
                "the server refuses: standby \"s2\" has not proved that it knows the password",
                refusal(asS1, "s2", "PGPASSWORD", PASSWORD));
        assertTrue(refusal(at, "s1")
                .startsWith("the server asks for the password of \"s1\", and there is none here: put" + " 127.0.0.1:"
                        + at.uri().getPort() + ":replication:s1:PASSWORD into passfile"));
    }

    @Test
    void whoseAddressHasShownWrongPasswordsWaitsForTheVerdictOnTheNext() throws Exception {
        rules("tcp all all scram-sha-256\n");
        PasswordFile.set(folder.resolve("passwords"), "s1", PASSWORD.toCharArray());
        Endpoint at = listen();
        InetAddress here = InetAddress.getLoopbackAddress();
        for (int i = 0; i < 3; i++) {
            refusal(at, "s1", "PGPASSWORD", OTHER_PASSWORD);
        }
        long delayMs = wrongPasswords.delayMs(here);
        assertEquals(400, delayMs);
        long before = System.nanoTime();
        seen(at, "s1", "PGPASSWORD", PASSWORD);
        assertTrue(System.nanoTime() - before >= TimeUnit.MILLISECONDS.toNanos(delayMs), "it was let in at once");
        assertEquals(0, wrongPasswords.delayMs(here));
    }

    @Test
    void withTlsThePasswordIsBoundToTheCertificateOfTheServer() throws Exception {
        withTls();
        rules("tcp s1 127.0.0.0/8 scram-sha-256 identity=replicator\n");
        PasswordFile.set(folder.resolve("passwords"), "replicator", PASSWORD.toCharArray());
        Endpoint at =
                Endpoint.parse("tcp://replicator@127.0.0.1:" + listen().uri().getPort());
        Peer peer = seen(at, "s1", "PGPASSWORD", PASSWORD);
        assertEquals("replicator", peer.identity());
        assertEquals("TLSv1.3", peer.facts().get(Peer.ENCRYPTION));
        assertTrue(peer.facts().get(Peer.CIPHER).startsWith("TLS_"), peer.toString());
    }

    @Test
    void aCertificateLetsInTheStandbyOfItsNameAndNoOther() throws Exception {
        withTls();
        withCertificateOf("s1");
        rules("tcp s9 all cert identity=s1\ntcp all all cert\n");
        Endpoint at = listen();
        Peer peer = seen(at, "s1");
        assertEquals("s1", peer.identity());
        assertEquals("s1", peer.admittedAs().orElseThrow());
        assertEquals("cert", peer.facts().get(Peer.AUTHENTICATION));
        assertFalse(peer.facts().get(Peer.CERTIFICATE_SERIAL).isEmpty());
        assertTrue(peer.facts().get(Peer.CERTIFICATE_EXPIRES).endsWith("Z"));
        assertEquals(
                "the server refuses: standby \"s2\" shows the certificate of \"s1\", which may not be that standby",
                refusal(at, "s2"));
        assertEquals("s1", seen(at, "s9").identity());
        client.remove("sslcert");
        assertTrue(refusal(at, "s1").startsWith("the server refuses: standby \"s1\" shows no certificate"));
    }

    @Test
    void aCertificateOfAnotherAuthorityIsNotTrustedByEitherSide() throws Exception {
        Certificates others =
                new Certificates(folder.resolve("others")).sign("s1").sign("server");
        withTls();
        client.put("sslcert", others.file("s1.crt").toString());
        client.put("sslkey", others.file("s1.key").toString());
        Endpoint at = listen();
        String why = refusal(at, "s1");
        assertTrue(
                why.startsWith("the peer does not trust this side's certificate: ") || why.endsWith("its log says why"),
                why);
        assertTrue(awaitLog("refused").contains("the client's certificate is not trusted (ssl_ca_file, ssl_crl_file)"));
        client.keySet().removeAll(List.of("sslcert", "sslkey"));
        client.put("sslrootcert", others.file("ca.crt").toString());
        why = refusal(at, "s1");
        assertTrue(why.startsWith("the server's certificate is not trusted (sslmode, sslrootcert): "), why);
    }

    private String awaitLog(String part) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(RecordingHandler.PATIENCE_S);
        while (System.nanoTime() < deadline) {
            for (String line : logged) {
                if (line.contains(part)) {
                    return line;
                }
            }
            Thread.onSpinWait();
        }
        throw new AssertionError("nothing was logged of " + part + ": " + logged);
    }

    @Test
    void theServersCertificateMustBeForTheHostThatWasAskedForUnlessSaidOtherwise() throws Exception {
        withTls();
        Endpoint at = Endpoint.parse("tcp://127.0.0.2:"
                + listen("tcp://127.0.0.2:0").endpoint().uri().getPort());
        String why = refusal(at, "s1");
        assertTrue(why.contains("is not trusted") && why.contains("127.0.0.2"), why);
        client.put("sslmode", "verify-ca");
        assertEquals("TLSv1.3", seen(at, "s1").facts().get(Peer.ENCRYPTION));
        client.put("sslmode", "require");
        client.remove("sslrootcert");
        assertEquals("", connect(at, "s2").session().peer().identity());
    }

    @Test
    void theFirstRuleDecidesAndNoRuleRefuses() throws Exception {
        rules("tcp s1 all reject\ntcp s2 all trust\n");
        Endpoint at = listen();
        assertEquals(
                "the server refuses: standby \"s1\" from 127.0.0.1 over tcp is refused by access.conf:1",
                refusal(at, "s1"));
        assertEquals("trust", seen(at, "s2").facts().get(Peer.AUTHENTICATION));
        assertTrue(refusal(at, "s3").startsWith("the server refuses: no line of access.conf lets standby \"s3\" from"));
        rules("tcp s3 all trust\n");
        assertEquals("s3", seen(at, "s3").admittedAs().orElseThrow());
    }

    @Test
    void oneSideWithTlsAndOneWithoutAreToldSo() throws Exception {
        Endpoint plain = listen();
        withTls();
        assertEquals(
                "the server hung up on TLS: does it listen with TLS (ssl = on)? sslmode=disable goes without",
                refusal(plain, "s1"));
        Endpoint at = listen();
        client.put("sslmode", "disable");
        assertEquals(
                "the server refuses: this server wants TLS here: connect with sslmode=verify-full and sslrootcert",
                refusal(at, "s1"));
    }

    @Test
    void aNewCertificateIsTakenUpAndOpenSessionsStay() throws Exception {
        withTls();
        Endpoint at = listen();
        RecordingHandler before = connect(at, "s1");
        RecordingHandler beforeThere = accepted.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        assertEquals("server", before.session().peer().identity());
        certificates.install("new", folder.resolve("server.crt"), folder.resolve("server.key"));
        RecordingHandler after = connect(at, "s2");
        assertEquals("new", after.session().peer().identity());
        Files.writeString(folder.resolve("server.crt"), "not a certificate\n");
        assertEquals("new", connect(at, "s3").session().peer().identity());
        assertTrue(awaitLog("goes on to count").contains("server.crt holds no certificate"));
        before.session().send(new Message.BackupEnded(7));
        assertEquals(new Message.BackupEnded(7), beforeThere.next());
    }

    @Test
    void othersThanThisMachineAreNotListenedToWithoutTls() throws Exception {
        TransportException e = assertThrows(TransportException.class, () -> listen("tcp://0.0.0.0:0"));
        assertEquals(
                "cannot listen on tcp://0.0.0.0:0: other machines can reach it, and it would be without TLS. Set ssl = on,"
                        + " with ssl_cert_file and ssl_key_file; or, if everybody who can reach it is trusted, add"
                        + " insecure=true to its query, as in tcp://0.0.0.0:0?insecure=true",
                e.getMessage());
        Endpoint insecure = listen("tcp://0.0.0.0:0?insecure=true").endpoint();
        assertTrue(insecure.toString().endsWith("?insecure=true"), insecure.toString());
        server.put("ssl", true);
        e = assertThrows(TransportException.class, () -> listen("tcp://0.0.0.0:0"));
        assertTrue(
                e.getMessage().startsWith("cannot listen on tcp://0.0.0.0:0 with TLS: there is no file "),
                e.getMessage());
        withTls();
        assertEquals(
                "server",
                connectTo(listen("tcp://0.0.0.0:0").endpoint()).session().peer().identity());
    }

    private RecordingHandler connectTo(Endpoint everywhere) throws TransportException {
        return connect(Endpoint.parse("tcp://127.0.0.1:" + everywhere.uri().getPort()), "s1");
    }

    @Test
    void anotherMachineIsNotConnectedToWithoutTlsUnasked() {
        Endpoint far = Endpoint.parse("tcp://192.0.2.1:5440");
        assertTrue(refusal(far, "s1").startsWith("sslmode verify-full needs sslrootcert"));
        client.put("sslmode", "disable");
        Endpoint prefer = Endpoint.parse("tcp://192.0.2.1:5440?sslmode=prefer");
        assertTrue(refusal(prefer, "s1").startsWith("with sslmode prefer anybody in between could do without TLS"));
    }

    @Test
    void strangersFromOneAddressCannotTakeAllPlaces() throws Exception {
        server.put("maxUnauthenticatedConnections", 3);
        server.put("maxUnauthenticatedPerAddress", 2);
        Endpoint at = listen("tcp://0.0.0.0:0?insecure=true").endpoint();
        int port = at.uri().getPort();
        List<Socket> strangers = new ArrayList<>();
        try {
            for (int i = 0; i < 3; i++) {
                strangers.add(new Socket(InetAddress.getLoopbackAddress(), port));
            }
            assertTrue(awaitLog("max_unauthenticated_per_address").contains("2 connections from 127.0.0.1 have not"));
            try (Socket other = new Socket()) {
                other.bind(new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 3}), 0));
                other.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
                other.getOutputStream().write("LOCKSTEP".getBytes(StandardCharsets.US_ASCII));
                other.getOutputStream()
                        .write(new byte[] {0, 0, 0, 2, 0, 12, 1, 1, 4, 'n', 'a', 'm', 'e', 0, 3, 'r', 'a', 'w'});
                assertEquals(
                        "raw",
                        accepted.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS)
                                .session()
                                .peer()
                                .admittedAs()
                                .orElseThrow());
            }
        } finally {
            for (Socket stranger : strangers) {
                stranger.close();
            }
        }
    }

    @Test
    void noSecretIsInAnyLogOrMessage() throws Exception {
        logger.setLevel(Level.TRACE);
        withTls();
        rules("tcp all all scram-sha-256\n");
        PasswordFile.set(folder.resolve("passwords"), "s1", PASSWORD.toCharArray());
        Endpoint at = listen();
        Peer peer = seen(at, "s1", "PGPASSWORD", PASSWORD);
        String refusal = refusal(at, "s1", "PGPASSWORD", OTHER_PASSWORD);
        client.put("password", OTHER_PASSWORD);
        refusal += refusal(at, "s1");
        String verifier = Files.readString(folder.resolve("passwords")).strip();
        String storedKey = verifier.substring(verifier.lastIndexOf('$') + 1, verifier.lastIndexOf(':'));
        String key = Files.readAllLines(folder.resolve("server.key")).get(1);
        awaitLog("the password is wrong");
        String all = String.join("\n", logged) + refusal + peer;
        assertTrue(all.contains("refused"), "something was logged");
        for (String secret : List.of("sesame", storedKey, key)) {
            assertFalse(all.contains(secret), secret);
        }
    }
}
