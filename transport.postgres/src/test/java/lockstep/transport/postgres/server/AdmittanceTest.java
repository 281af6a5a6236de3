package lockstep.transport.postgres.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import lockstep.security.PasswordFile;
import lockstep.security.Security;
import lockstep.security.SecurityConfiguration;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.SocketIo;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Who is let in, with libpq at the other end. */
final class AdmittanceTest {
    private static final String PSQL = "/usr/lib/postgresql/15/bin/psql";
    private static final String PASSWORD = "pass, wörd";
    private static final long PATIENCE_S = 60;

    @TempDir
    private static Path home;

    private static EventLoops loops;
    private static Security security;
    private static Endpoint plain;
    private static Endpoint encrypted;

    @BeforeAll
    static void listen() throws Exception {
        certificate("server", "-addext", "subjectAltName=IP:127.0.0.1");
        certificate("repl");
        Files.writeString(home.resolve("access.conf"), """
                postgresql  s1  127.0.0.0/8  scram-sha-256  identity=repl
                postgresql  c1  127.0.0.0/8  cert           identity=repl
                postgresql  c2  127.0.0.0/8  cert
                postgresql  t1  127.0.0.0/8  trust
                """);
        PasswordFile.set(home.resolve(PasswordFile.FILE), "repl", PASSWORD.toCharArray());
        PasswordFile.set(home.resolve(PasswordFile.FILE), "other", PASSWORD.toCharArray());
        Map<String, Object> changed = Map.of("sslCaFile", "repl.crt");
        security = new Security(home, Map.of(), (SecurityConfiguration) Proxy.newProxyInstance(
                SecurityConfiguration.class.getClassLoader(),
                new Class<?>[] {SecurityConfiguration.class},
                (proxy, method, arguments) -> changed.getOrDefault(method.getName(), method.getDefaultValue())));
        loops = new EventLoops(SocketIo.best());
        plain = listen("postgresql://127.0.0.1:0");
        encrypted = listen("postgresql://127.0.0.1:0?ssl=on");
    }

    private static Endpoint listen(String endpoint) throws TransportException {
        return PostgresListener.open(loops, Endpoint.parse(endpoint), session -> null, ScriptedLog::new, security)
                .endpoint();
    }

    @AfterAll
    static void close() {
        loops.withdraw();
    }

    private static void certificate(String name, String... more) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=" + name,
                "-keyout",
                name + ".key",
                "-out",
                name + ".crt"));
        command.addAll(Arrays.asList(more));
        Process openssl = new ProcessBuilder(command)
                .directory(home.toFile())
                .redirectErrorStream(true)
                .start();
        String said = new String(openssl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, openssl.waitFor(), said);
    }

    /** Has {@code psql} ask something; returns what it printed. */
    private static String psql(Endpoint server, String conninfo, String password) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(
                        PSQL,
                        "host=127.0.0.1 replication=1 port=" + server.uri().getPort() + " "
                                + conninfo.replace("HOME", home.toString()),
                        "-XAtwc",
                        "SHOW wal_segment_size")
                .redirectErrorStream(true);
        builder.environment().put("PGPASSWORD", password);
        Process psql = builder.start();
        String said = new String(psql.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(psql.waitFor(PATIENCE_S, TimeUnit.SECONDS));
        return said.strip();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            plain     | application_name=s1 user=repl
            plain     | application_name=t1 user=any
            encrypted | application_name=t1 user=any sslmode=require
            encrypted | application_name=s1 user=repl sslmode=verify-full sslrootcert=HOME/server.crt channel_binding=require
            encrypted | application_name=s1 user=repl sslmode=require channel_binding=disable
            encrypted | application_name=c1 user=any sslmode=require sslcert=HOME/repl.crt sslkey=HOME/repl.key
            """)
    void whoProvesWhatTheRuleWantsIsLetIn(String listener, String conninfo) throws Exception {
        assertEquals("16MB", psql(listener.equals("plain") ? plain : encrypted, conninfo, PASSWORD));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            plain     | application_name=s1 user=other                   | password authentication failed for user "other"
            plain     | application_name=s1 user=nobody                  | password authentication failed for user "nobody"
            plain     | application_name=s9 user=repl                    | no line of access.conf lets standby "s9"
            plain     | application_name=s1 user=repl sslmode=require    | server does not support SSL
            plain     | application_name=c1 user=repl                    | shows no certificate
            encrypted | application_name=t1 user=any sslmode=disable     | this server wants TLS here
            encrypted | application_name=c1 user=any sslmode=require sslcert=none | shows no certificate
            encrypted | application_name=c2 user=any sslmode=require sslcert=HOME/repl.crt sslkey=HOME/repl.key | which may not be that standby
            """)
    void whoDoesNotIsToldAsMuchAsHelpsToMendThat(String listener, String conninfo, String said) throws Exception {
        String refused = psql(listener.equals("plain") ? plain : encrypted, conninfo, PASSWORD);
        assertTrue(refused.contains(said), refused);
    }

    @Test
    void aWrongPasswordIsRefusedWithAndWithoutChannelBinding() throws Exception {
        String said = "password authentication failed for user \"repl\"";
        assertTrue(psql(plain, "application_name=s1 user=repl", "wrong").contains(said));
        assertTrue(psql(encrypted, "application_name=s1 user=repl sslmode=require channel_binding=require", "wrong")
                .contains(said));
    }

    @Test
    void whoseAddressHasShownWrongPasswordsWaitsForTheVerdictOnTheNext() throws Exception {
        InetAddress here = InetAddress.getLoopbackAddress();
        security.wrongPasswords().right(here);
        for (int i = 0; i < 3; i++) {
            psql(plain, "application_name=s1 user=repl", "wrong");
        }
        long delayMs = security.wrongPasswords().delayMs(here);
        assertEquals(400, delayMs);
        long before = System.nanoTime();
        assertEquals("16MB", psql(encrypted, "application_name=s1 user=repl sslmode=require", PASSWORD));
        assertTrue(System.nanoTime() - before >= TimeUnit.MILLISECONDS.toNanos(delayMs), "it was let in at once");
        assertEquals(0, security.wrongPasswords().delayMs(here));
    }

    @Test
    void othersThanThisMachineAreNotListenedToWithoutTls() {
        TransportException refused = assertThrows(TransportException.class, () -> listen("postgresql://0.0.0.0:0"));
        assertTrue(refused.getMessage().contains("without TLS"), refused.getMessage());
    }

    @ParameterizedTest
    @CsvSource({
        "postgresql://127.0.0.1",
        "postgresql://me@127.0.0.1:0",
        "postgresql://127.0.0.1:0/db",
        "postgresql://127.0.0.1:0?ssl=perhaps",
        "postgresql://127.0.0.1:0?user=x"
    })
    void anEndpointThatSaysMoreOrLessIsRefused(String endpoint) {
        TransportException refused = assertThrows(TransportException.class, () -> listen(endpoint));
        assertTrue(refused.getMessage().contains("expected postgresql://HOST:PORT"), refused.getMessage());
    }
}
