package lockstep.transport.ssh;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.Session;
import lockstep.transport.api.TransportException;
import lockstep.transport.tck.RecordingHandler;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/** Who is let in, who is not and what they are told; and what happens to the SSH connection under a session. */
@Timeout(120)
class SecurityTest {
    private static final String SECRET = "correct horse";
    private static final int PIECE_BYTES = 64 << 10;

    @TempDir
    Path folder;

    private final BlockingQueue<RecordingHandler> accepted = new LinkedBlockingQueue<>();
    private final List<SshTransport> transports = new ArrayList<>();
    private OpenSsh sshd;
    private Endpoint endpoint;

    @BeforeEach
    void listen() throws Exception {
        sshd = new OpenSsh(folder, "RekeyLimit 16M");
        endpoint = through(listen("ssh://" + folder + "/wal.sock", Map.of()).endpoint());
    }

    @AfterEach
    void end() {
        transports.forEach(SshTransport::close);
        sshd.close();
    }

    private Endpoint through(Endpoint listening) {
        return ForwardContract.through(listening, sshd.port());
    }

    private Listener listen(String at, Map<String, Object> settings) throws TransportException {
        return transport(settings, Map.of()).listen(Endpoint.parse(at), session -> {
            var handler = new RecordingHandler().on(session);
            accepted.add(handler);
            return handler;
        });
    }

    private SshTransport transport(Map<String, Object> settings, Map<String, String> environment) {
        var transport = new SshTransport(folder, environment, Defaults.except(settings));
        transports.add(transport);
        return transport;
    }

    private Map<String, Object> client(String name, Object value) {
        var settings = sshd.client();
        settings.put(name, value);
        return settings;
    }

    private RecordingHandler connect(Map<String, Object> settings) throws TransportException {
        return connect(endpoint, settings, Map.of());
    }

    private RecordingHandler connect(Endpoint to, Map<String, Object> settings, Map<String, String> environment)
            throws TransportException {
        var handler = new RecordingHandler();
        return handler.on(transport(settings, environment).connect(to, handler));
    }

    private String refusal(Map<String, Object> settings) {
        return refusal(endpoint, settings);
    }

    private String refusal(Endpoint to, Map<String, Object> settings) {
        String message = assertThrows(TransportException.class, () -> connect(to, settings, Map.of()))
                .getMessage();
        assertTrue(message.startsWith("cannot connect to " + to + ": "), message);
        assertFalse(message.contains(SECRET), message);
        return message;
    }

    private void assertWorks(RecordingHandler there) throws Exception {
        there.session().send(new Message.BackupEnded(1));
        assertEquals(
                new Message.BackupEnded(1),
                accepted.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS).next());
    }

    @Test
    void aServerThatIsNotKnownIsRefusedWithItsFingerprint() {
        String hosts = folder.resolve("other_hosts").toString();
        String why = refusal(client("knownHostsFile", hosts));
        assertTrue(why.contains(sshd.hostKeyFingerprint()), why);
        assertTrue(why.contains("ssh-keyscan -p " + sshd.port() + " 127.0.0.1 >> " + hosts), why);
        assertFalse(Files.exists(Path.of(hosts)), "a key is never taken over by itself");
    }

    @Test
    void aServerWithAnotherKeyIsRefused() throws Exception {
        Path other = sshd.key("other_host_key", "ed25519", "");
        Files.writeString(sshd.knownHosts(), OpenSsh.knownHost(sshd.port(), Path.of(other + ".pub")));
        String why = refusal(sshd.client());
        assertTrue(why.contains("is another than in " + sshd.knownHosts()), why);
        assertTrue(why.contains(sshd.hostKeyFingerprint()), why);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ed25519", "ecdsa", "rsa"})
    void keysOfAllTypesAreLetIn(String type) throws Exception {
        Path key = sshd.key("id_" + type, type, "");
        sshd.authorize(key);
        assertWorks(connect(client("identityFile", key.toString())));
    }

    @Test
    void aKeyThatIsNotAuthorizedIsRefusedByName() throws Exception {
        Path stranger = sshd.key("stranger", "ed25519", "");
        String why = refusal(client("identityFile", stranger.toString()));
        assertTrue(why.contains("accepts none of the keys of " + stranger), why);
    }

    @Test
    void aKeyThatIsNotThereIsToldByName() {
        String why = refusal(client("identityFile", "missing"));
        assertTrue(why.contains("cannot read the private key " + folder.resolve("missing")), why);
    }

    @Test
    void aPassphraseComesFromAFileOrTheEnvironmentAndIsNeverShown() throws Exception {
        Path key = sshd.key("guarded", "ed25519", SECRET);
        sshd.authorize(key);
        var settings = client("identityFile", key.toString());
        assertTrue(refusal(settings).contains("needs a passphrase: set ssh.passphrase_file"));

        Files.writeString(folder.resolve("passphrase"), "wrong one\n");
        settings.put("passphraseFile", "passphrase");
        assertTrue(refusal(settings).contains("the passphrase is not that of the private key " + key));

        Files.writeString(folder.resolve("passphrase"), SECRET + "\n");
        assertWorks(connect(settings));

        settings.remove("passphraseFile");
        settings.put("passphraseEnvironment", "WAL_PASSPHRASE");
        assertWorks(connect(endpoint, settings, Map.of("WAL_PASSPHRASE", SECRET)));
        assertTrue(refusal(settings).contains("WAL_PASSPHRASE, which is not in this server's environment"));
    }

    @Test
    void theAgentsKeysAreTried() throws Exception {
        Path socket = folder.resolve("agent.sock");
        Process agent = new ProcessBuilder("ssh-agent", "-D", "-a", socket.toString())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            Path key = sshd.key("agents", "ed25519", "");
            sshd.authorize(key);
            while (!Files.exists(socket)) {
                assertTrue(agent.isAlive());
            }
            var adding = new ProcessBuilder("ssh-add", "-q", key.toString());
            adding.environment().put("SSH_AUTH_SOCK", socket.toString());
            assertEquals(0, adding.start().waitFor());
            Path stranger = sshd.key("stranger", "ed25519", "");
            var settings = client("identityFile", stranger.toString());
            settings.put("identityAgent", "SSH_AUTH_SOCK");
            assertWorks(connect(endpoint, settings, Map.of("SSH_AUTH_SOCK", socket.toString())));
        } finally {
            agent.destroy();
            agent.waitFor();
        }
    }

    @Test
    void anEndpointWithAPasswordIsRefusedAndNotShown() {
        var to = Endpoint.parse("ssh://me:hunter2@127.0.0.1:" + sshd.port() + "/wal.sock");
        String why = assertThrows(TransportException.class, () -> connect(to, sshd.client(), Map.of()))
                .getMessage();
        assertFalse(why.contains("hunter2"), why);
        assertTrue(why.contains("there are only keys here"), why);
    }

    @Test
    void aServerWithoutTheSubsystemIsNamed() {
        var to = Endpoint.parse("ssh://" + OpenSsh.USER + "@127.0.0.1:" + sshd.port());
        String why = refusal(to, sshd.client());
        assertTrue(why.contains("no subsystem lockstep-wal"), why);
    }

    @Test
    void whereNobodyListensBehindTheServerIsSaid() {
        var to = through(Endpoint.parse("ssh://" + folder + "/nobody.sock"));
        String why = refusal(to, sshd.client());
        assertTrue(why.contains(folder + "/nobody.sock"), why);
    }

    @Test
    void theSocketIsItsOwnersAlone() throws Exception {
        assertEquals(
                "rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve("wal.sock"))));
    }

    @Test
    void aStreamGoesOnWhileKeysAreMadeAnew() throws Exception {
        assertStreamsOn(connect(sshd.client()), 3200); // 200 MB, and new keys after each 16
    }

    @Test
    void aStreamGoesOnWhileTheEmbeddedServerMakesNewKeys() throws Exception {
        assertStreamsOn(connectEmbedded(Map.of("rekeyLimit", "16MB")), 3200);
    }

    /** The listening side sends, as a primary does. */
    private void assertStreamsOn(RecordingHandler there, int pieces) throws Exception {
        var renewals = new AtomicInteger();
        var keys = new AppenderBase<ILoggingEvent>() {
            @Override
            protected void append(ILoggingEvent event) {
                if (event.getFormattedMessage().endsWith("SSH_MSG_NEWKEYS sent")) {
                    renewals.incrementAndGet();
                }
            }
        };
        Logger log = (Logger) LoggerFactory.getLogger(ClientLink.class);
        keys.start();
        log.setLevel(Level.DEBUG);
        log.setAdditive(false);
        log.addAppender(keys);
        try {
            stream(there, pieces);
        } finally {
            log.detachAppender(keys);
            log.setAdditive(true);
            log.setLevel(null);
        }
        assertTrue(renewals.get() >= 5, () -> "keys were made anew only " + renewals + " times");
    }

    private void stream(RecordingHandler there, int pieces) throws Exception {
        var here = accepted.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        var session = here.session();
        var bytes = ByteBuffer.allocate(PIECE_BYTES);
        var sending = CompletableFuture.runAsync(() -> {
            for (int i = 0; i < pieces; i++) {
                awaitWritable(here, session);
                session.send(new Message.WalData(i, 0, 0, 0, bytes));
            }
        });
        for (int i = 0; i < pieces; i++) {
            assertEquals(i, ((Message.WalData) there.next()).startLsn());
            if (i % 10 == 0) {
                there.session().send(new Message.BackupEnded(i));
                assertEquals(new Message.BackupEnded(i), here.next());
            }
        }
        sending.join();
    }

    private static void awaitWritable(RecordingHandler handler, Session session) {
        try {
            while (!session.isWritable()) {
                handler.awaitWritable();
            }
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aServerThatIsKilledEndsItsSessionsWithACauseAndServesTheNext() throws Exception {
        var there = connect(sshd.client());
        var here = accepted.poll(RecordingHandler.PATIENCE_S, TimeUnit.SECONDS);
        sshd.kill();
        assertTrue(there.cause().contains("connection to " + OpenSsh.USER + "@127.0.0.1:" + sshd.port() + " lost"));
        assertTrue(here.cause().contains("closed the connection"), here.cause());
        assertTrue(refusal(sshd.client()).contains("connection refused; is an SSH server running there?"));
        sshd.start();
        assertWorks(connect(sshd.client()));
    }

    @Test
    void aServerThatFallsSilentIsGivenUp() throws Exception {
        var settings = client("serverAliveInterval", "100ms");
        settings.put("serverAliveCountMax", 2);
        var there = connect(settings);
        sshd.stop();
        try {
            assertTrue(there.cause().contains("no sign of life from"), there.cause());
        } finally {
            sshd.resume();
        }
    }

    // The embedded server.

    private RecordingHandler connectEmbedded(Map<String, Object> settings) throws Exception {
        Files.createDirectories(folder.resolve("ssh"));
        Files.copy(folder.resolve("id.pub"), folder.resolve("ssh/authorized_keys"));
        return connect(known(listen("ssh://127.0.0.1:0", settings)), sshd.client(), Map.of());
    }

    private Endpoint known(Listener listener) throws Exception {
        int port = listener.endpoint().uri().getPort();
        Files.writeString(sshd.knownHosts(), OpenSsh.knownHost(port, folder.resolve("ssh/host_key.pub")));
        return listener.endpoint();
    }

    @Test
    void theHostKeyIsMadeOnceAndReadableByItsOwnerOnly() throws Exception {
        assertWorks(connectEmbedded(Map.of()));
        Path key = folder.resolve("ssh/host_key");
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(key)));
        byte[] before = Files.readAllBytes(key);
        var again = listen("ssh://127.0.0.1:0", Map.of());
        assertWorks(connect(known(again), sshd.client(), Map.of()));
        assertEquals(ByteBuffer.wrap(before), ByteBuffer.wrap(Files.readAllBytes(key)));
        assertTrue(OpenSsh.run("ssh-keygen", "-lf", key.toString()).contains("(ED25519)"));
    }

    @Test
    void theEmbeddedServerLetsInNoKeyThatIsNotThereAnyMore() throws Exception {
        var listener = listen("ssh://127.0.0.1:0", Map.of());
        var to = known(listener);
        assertTrue(refusal(to, sshd.client()).contains("accepts none of the keys"));
        Path keys = folder.resolve("ssh/authorized_keys");
        Files.copy(folder.resolve("id.pub"), keys);
        assertWorks(connect(to, sshd.client(), Map.of()));
        Files.writeString(keys, "from=\"10.0.0.1\" " + Files.readString(folder.resolve("id.pub")));
        assertTrue(refusal(to, sshd.client()).contains("accepts none of the keys"));
        Files.writeString(keys, "restrict " + Files.readString(folder.resolve("id.pub")));
        assertWorks(connect(to, sshd.client(), Map.of()));
        Files.setPosixFilePermissions(keys, PosixFilePermissions.fromString("rw-rw-rw-"));
        assertTrue(refusal(to, sshd.client()).contains("accepts none of the keys"));
    }

    @Test
    void theEmbeddedServerHasNoShellNoForwardingAndNoPasswords() throws Exception {
        connectEmbedded(Map.of());
        String port = Files.readString(sshd.knownHosts()).replaceFirst("(?s).*\\]:(\\d+) .*", "$1");
        var command = List.of(
                "ssh",
                "-F",
                "none",
                "-p",
                port,
                "-i",
                folder.resolve("id").toString(),
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "BatchMode=yes",
                "-o",
                "UserKnownHostsFile=" + sshd.knownHosts(),
                "127.0.0.1");
        var shell = new ArrayList<>(command);
        shell.add("id");
        assertTrue(output(shell).contains("exec request failed"), output(shell));
        var forward = new ArrayList<>(command);
        forward.addAll(1, List.of("-W", "127.0.0.1:" + sshd.port()));
        assertFalse(output(forward).contains("SSH-2.0-OpenSSH"));
        var password = new ArrayList<>(command);
        password.addAll(1, List.of("-o", "PubkeyAuthentication=no"));
        assertTrue(output(password).contains("Permission denied (publickey)"), output(password));
    }

    private static String output(List<String> command) throws Exception {
        var process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String text = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        process.waitFor();
        return text;
    }

    @Test
    void whoDoesNotAuthenticateIsSentAwayInTimeAndInNumber() throws Exception {
        var listener = listen("ssh://127.0.0.1:0", Map.of("loginGraceTime", "1s", "maxStartups", 2));
        int port = listener.endpoint().uri().getPort();
        try (var first = new Socket(InetAddress.getLoopbackAddress(), port);
                var second = new Socket(InetAddress.getLoopbackAddress(), port)) {
            assertTrue(first.getInputStream().read() >= 0);
            assertTrue(second.getInputStream().read() >= 0);
            try (var third = new Socket(InetAddress.getLoopbackAddress(), port)) {
                assertTrue(ends(third));
            }
            assertTrue(ends(first));
            assertTrue(ends(second));
        }
    }

    /** Returns when the server has ended the connection. */
    private static boolean ends(Socket socket) {
        try {
            socket.getInputStream().readAllBytes();
        } catch (java.io.IOException reset) {
            // That is an end too.
        }
        return true;
    }

    @Test
    void aChangedParameterCountsForTheNextSession() throws Exception {
        var transport = transport(client("identityFile", "missing"), Map.of());
        var handler = new RecordingHandler();
        assertThrows(TransportException.class, () -> transport.connect(endpoint, handler));
        transport.configure(Defaults.except(new HashMap<>(sshd.client())));
        assertWorks(handler.on(transport.connect(endpoint, handler)));
    }
}
