package lockstep.transport.postgres.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import lockstep.security.Security;
import lockstep.security.SecurityConfiguration;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.BackupEnded;
import lockstep.transport.api.Message.BackupStarted;
import lockstep.transport.api.Message.BaseBackupRequest;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.StandbyStatus;
import lockstep.transport.api.Message.StartReplication;
import lockstep.transport.api.Message.WalData;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Term;
import lockstep.transport.api.TransportException;
import lockstep.transport.netty.EventLoops;
import lockstep.transport.netty.SocketIo;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The client against a real PostgreSQL 15: how it is let in, and what it is told. */
class PostgresClientTest {
    private static final String PROGRAMS = "/usr/lib/postgresql/15/bin/";
    private static final String PASSWORD = "s%C3%A9cret";
    private static final long PATIENCE_S = 60;

    private static Path home;
    private static int port;
    private static EventLoops loops;

    @BeforeAll
    static void startServer() throws Exception {
        home = Files.createTempDirectory(Path.of("/tmp"), "lockstep-pg");
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        certificate("ca", "-addext", "basicConstraints=critical,CA:TRUE");
        certificate("stranger", "-addext", "basicConstraints=critical,CA:TRUE");
        certificate("server", "-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1");
        certificate("certified", "-CA", "ca.crt", "-CAkey", "ca.key");
        run("cp", "server.key", "postgres.key");
        if (isRoot()) {
            run("chmod", "755", home.toString());
            run("chown", "postgres", home.toString(), "postgres.key");
        }
        Path data = home.resolve("data");
        postgres("initdb", "-D", data.toString(), "--wal-segsize=1", "-U", "postgres", "-A", "trust", "-N");
        Files.writeString(data.resolve("postgresql.conf"), """
                port = %d
                listen_addresses = '127.0.0.1'
                unix_socket_directories = ''
                ssl = on
                ssl_cert_file = '%2$s/server.crt'
                ssl_key_file = '%2$s/postgres.key'
                ssl_ca_file = '%2$s/ca.crt'
                """.formatted(port, home), StandardOpenOption.APPEND);
        Files.writeString(data.resolve("pg_hba.conf"), """
                host      all          postgres   127.0.0.1/32  trust
                host      replication  trusted    127.0.0.1/32  trust
                host      replication  scram      127.0.0.1/32  scram-sha-256
                hostnossl replication  hashed     127.0.0.1/32  md5
                host      replication  clear      127.0.0.1/32  password
                hostssl   replication  certified  127.0.0.1/32  cert
                hostnossl replication  unsealed   127.0.0.1/32  trust
                hostssl   replication  sealed     127.0.0.1/32  trust
                """);
        pgCtl("start");
        for (String role : List.of("trusted", "scram", "clear", "certified", "unsealed", "sealed")) {
            sql("create role " + role + " login replication password 'sécret'");
        }
        sql("set password_encryption = md5; create role hashed login replication password 'sécret'");
        loops = new EventLoops(SocketIo.best());
    }

    @AfterAll
    static void stopServer() throws Exception {
        loops.withdraw();
        pgCtl("-m", "immediate", "stop");
        try (Stream<Path> files = Files.walk(home)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    private static void pgCtl(String... words) throws Exception {
        List<String> arguments =
                new ArrayList<>(List.of("-D", home.resolve("data").toString(), "-w"));
        arguments.addAll(List.of("-l", home.resolve("log").toString()));
        arguments.addAll(List.of(words));
        postgres("pg_ctl", arguments.toArray(String[]::new));
    }

    private static boolean isRoot() {
        return System.getProperty("user.name").equals("root");
    }

    private static void certificate(String name, String... more) throws Exception {
        List<String> command = new ArrayList<>(List.of("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"));
        command.addAll(List.of("ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name, "-days", "30"));
        command.addAll(List.of("-keyout", name + ".key", "-out", name + ".crt"));
        command.addAll(List.of(more));
        run(command.toArray(String[]::new));
        Files.setPosixFilePermissions(home.resolve(name + ".key"), PosixFilePermissions.fromString("rw-------"));
    }

    private static String sql(String statement) throws Exception {
        return postgres("psql", "-h", "127.0.0.1", "-p", "" + port, "-U", "postgres", "-XAtc", statement);
    }

    private static String postgres(String program, String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        if (isRoot()) {
            command.addAll(List.of("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"));
        }
        command.add(PROGRAMS + program);
        command.addAll(List.of(arguments));
        return run(command.toArray(String[]::new));
    }

    private static String run(String... command) throws Exception {
        Path output = Files.createTempFile("output", "");
        Process process = new ProcessBuilder(command)
                .directory(home.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        assertTrue(process.waitFor(PATIENCE_S, TimeUnit.SECONDS), () -> String.join(" ", command));
        String said = Files.readString(output, StandardCharsets.UTF_8);
        Files.delete(output);
        assertEquals(0, process.exitValue(), said);
        return said.strip();
    }

    /** Hears what a session brings. */
    private static class Heard implements SessionHandler {
        private final LinkedBlockingQueue<Message> messages = new LinkedBlockingQueue<>();
        private final CompletableFuture<String> closed = new CompletableFuture<>();

        @Override
        public void received(Session session, Message message) {
            messages.add(message);
        }

        @Override
        public void closed(String cause) {
            closed.complete(cause);
        }

        /** Returns the next message; a keepalive may come at any time. */
        <T extends Message> T next(Class<T> kind) throws InterruptedException {
            Message next;
            do {
                next = messages.poll(PATIENCE_S, TimeUnit.SECONDS);
            } while (next instanceof Message.Keepalive);
            return assertInstanceOf(kind, next);
        }
    }

    private Session connect(String uri, Map<String, String> environment, SessionHandler handler) throws IOException {
        SecurityConfiguration defaults = (SecurityConfiguration) Proxy.newProxyInstance(
                SecurityConfiguration.class.getClassLoader(),
                new Class<?>[] {SecurityConfiguration.class},
                (proxy, method, arguments) -> method.getDefaultValue());
        Security security = new Security(home, environment, defaults);
        return new PostgresClient(loops, security, environment)
                .connect(
                        Endpoint.parse(uri.replace("PORT", "" + port).replace("HOME", home.toString())),
                        new PostgresClient.Self("s1", false),
                        handler);
    }

    /** Connects, and has the server answer something. */
    private void assertConnects(String uri, Map<String, String> environment) {
        try {
            Heard heard = new Heard();
            Session session = connect(uri, environment, heard);
            session.send(new BaseBackupRequest("s1", "", false));
            assertEquals(15, heard.next(BackupStarted.class).postgresVersion());
            session.close("done");
            assertEquals("done", heard.closed.get(PATIENCE_S, TimeUnit.SECONDS));
        } catch (IOException e) {
            throw new UncheckedIOException(uri, e);
        } catch (Exception e) {
            throw new AssertionError(uri, e);
        }
    }

    private void assertRefused(String uri, String why) {
        String message = assertThrows(TransportException.class, () -> connect(uri, Map.of(), new Heard()))
                .getMessage();
        assertTrue(message.contains(why), message);
        assertFalse(message.contains("écret") || message.contains("%C3") || message.contains("wr0ng"), message);
    }

    @Test
    void aPasswordIsProvedByScramBoundToTheConnection() {
        assertConnects(
                "postgresql://scram:" + PASSWORD
                        + "@127.0.0.1:PORT/?sslmode=verify-full&sslrootcert=HOME/ca.crt&channel_binding=require",
                Map.of());
        assertConnects("postgresql://scram@127.0.0.1:PORT/?sslmode=disable", Map.of("PGPASSWORD", "sécret"));
        assertRefused(
                "postgresql://scram:" + PASSWORD + "@127.0.0.1:PORT/?sslmode=disable&channel_binding=require",
                "channel_binding");
        assertRefused("postgresql://scram:wr0ng@127.0.0.1:PORT/", "password authentication failed");
        assertRefused("postgresql://trusted@127.0.0.1:PORT/?channel_binding=require", "channel_binding");
    }

    @Test
    void aPasswordIsToldInClearOverTlsOnly() {
        assertConnects("postgresql://clear:" + PASSWORD + "@127.0.0.1:PORT/?sslmode=require", Map.of());
        assertRefused("postgresql://clear:" + PASSWORD + "@127.0.0.1:PORT/?sslmode=disable", "in clear");
        assertConnects("postgresql://hashed:" + PASSWORD + "@127.0.0.1:PORT/?sslmode=disable", Map.of());
    }

    @Test
    void aPasswordIsFoundInAFileThatNobodyElseCanRead() throws IOException {
        Path file = home.resolve("pgpass");
        Files.writeString(file, "# \n*:1:*:*:no\n127.0.0.1:" + port + ":replication:scram:sécret\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        assertConnects("postgresql://scram@127.0.0.1:PORT/", Map.of("PGPASSFILE", file.toString()));
        assertConnects("postgresql://scram@127.0.0.1:PORT/?passfile=HOME/pgpass", Map.of());
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        assertRefused("postgresql://scram@127.0.0.1:PORT/?passfile=HOME/pgpass", "chmod 600");
        assertRefused("postgresql://scram@127.0.0.1:PORT/?passfile=HOME/none", "there is none");
    }

    @Test
    void aCertificateIsShownAndTheServersIsCheckedAsSslmodeSays() {
        assertConnects(
                "postgresql://certified@127.0.0.1:PORT/?sslmode=require&sslcert=HOME/certified.crt&sslkey=HOME/certified.key",
                Map.of());
        assertRefused("postgresql://certified@127.0.0.1:PORT/?sslmode=require", "certificate");
        assertConnects("postgresql://trusted@localhost:PORT/?sslmode=verify-ca&sslrootcert=HOME/ca.crt", Map.of());
        assertRefused("postgresql://trusted@localhost:PORT/?sslmode=verify-full&sslrootcert=HOME/ca.crt", "localhost");
        assertRefused(
                "postgresql://trusted@127.0.0.1:PORT/?sslmode=verify-ca&sslrootcert=HOME/stranger.crt", "TLS fails");
    }

    @Test
    void preferAndAllowTryBothKinds() {
        assertConnects("postgresql://unsealed@127.0.0.1:PORT/", Map.of());
        assertConnects("postgresql://sealed@127.0.0.1:PORT/?sslmode=allow", Map.of());
        assertRefused("postgresql://unsealed@127.0.0.1:PORT/?sslmode=require", "28000");
        assertRefused("postgresql://sealed@127.0.0.1:PORT/?sslmode=disable", "28000");
    }

    @Test
    void hostsAreTriedInOrder() {
        assertConnects("postgresql://trusted@127.0.0.1:1,127.0.0.1:PORT/?target_session_attrs=primary", Map.of());
        assertRefused("postgresql://trusted@127.0.0.1:1,127.0.0.1:PORT/?target_session_attrs=standby", "127.0.0.1:1");
    }

    @Test
    void aStreamBeginsAtTheExactByteAndWhatIsWrongIsARefusal() throws Exception {
        Heard heard = new Heard();
        Session session = connect("postgresql://trusted@127.0.0.1:PORT/", Map.of(), heard);
        session.send(new BaseBackupRequest("s1", "none", false));
        assertEquals(RefusalCode.NO_SUCH_SLOT, heard.next(Refusal.class).code());
        session.send(new BaseBackupRequest("s1", "some", true));
        BackupStarted started = heard.next(BackupStarted.class);
        assertEquals(0, started.redoLsn() % (1 << 20));
        heard.next(BackupEnded.class);
        sql("select pg_logical_emit_message(false, 'lockstep', repeat('x', 3000000))");
        long endLsn = Lsn.parse(sql("select pg_current_wal_flush_lsn()")).value();
        session.send(start(started, endLsn + (1 << 20), "some"));
        assertEquals(RefusalCode.START_AHEAD, heard.next(Refusal.class).code());
        long fromLsn = started.redoLsn() + 77;
        session.send(start(started, fromLsn, "some"));
        assertEquals(fromLsn, heard.next(ReplicationStarted.class).startLsn());
        assertEquals(fromLsn, heard.next(WalData.class).startLsn());
        session.send(new StandbyStatus(fromLsn + 1, fromLsn, 0, 0, false));
        sql("do $$ begin while not exists (select from pg_stat_replication where flush_lsn = '" + Lsn.text(fromLsn)
                + "') loop perform pg_sleep(0.01), pg_stat_clear_snapshot(); end loop; end $$");
        session.close("done");
        assertEquals("done", heard.closed.get(PATIENCE_S, TimeUnit.SECONDS));
    }

    @Test
    void aServerThatIsShutDownSaysSo() throws Exception {
        // The server waits until all of its WAL has been flushed here.
        Heard heard = new Heard() {
            @Override
            public void received(Session session, Message message) {
                super.received(session, message);
                if (message instanceof WalData data) {
                    session.send(new StandbyStatus(data.endLsn(), data.endLsn(), 0, 0, false));
                }
            }
        };
        Session session = connect("postgresql://trusted@127.0.0.1:PORT/?sslmode=require", Map.of(), heard);
        session.send(new BaseBackupRequest("s1", "", false));
        BackupStarted started = heard.next(BackupStarted.class);
        heard.next(BackupEnded.class);
        session.send(start(started, started.redoLsn(), ""));
        heard.next(ReplicationStarted.class);
        pgCtl("-m", "fast", "restart");
        String cause = heard.closed.get(PATIENCE_S, TimeUnit.SECONDS);
        assertTrue(cause.contains("shut down"), cause);
    }

    private static StartReplication start(BackupStarted log, long lsn, String slot) {
        return new StartReplication("s1", slot, log.systemId(), log.timeline(), 1, lsn, new Term(log.timeline(), 1));
    }
}
