package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import lockstep.server.ServerProcess.Result;

/**
 * A real PostgreSQL server on a port of its own. It does not run as root, so that its programs run as {@code postgres} where
 * the tests do. Closing it ends the server and removes its files.
 */
final class PostgresServer implements AutoCloseable {
    static final String PROGRAMS = "/usr/lib/postgresql/15/bin/";
    private static final String USER = "postgres";

    private final List<String> place;
    private final Path home;
    private final int port = Pair.freePort();

    private PostgresServer(List<String> place) throws IOException {
        this.place = place;
        home = Files.createTempDirectory(Path.of("/tmp"), "lockstep-pg");
        if (isRoot()) {
            run(List.of("chown", USER, home.toString()));
        }
    }

    /** Makes a new system and starts it. */
    static PostgresServer create(String... settings) throws IOException {
        PostgresServer server = new PostgresServer(List.of());
        server.program("initdb", "-D", server.data(), "--wal-segsize=1", "-U", USER, "-A", "trust", "-N");
        server.configure(settings);
        server.start();
        return server;
    }

    /** Makes a standby of it, and starts that. */
    PostgresServer standby() throws IOException {
        PostgresServer server = copy(place, "-R");
        server.start();
        return server;
    }

    /** Makes a standby of it that streams from somebody else, and starts that. */
    PostgresServer standbyOf(int otherPort, String name) throws IOException {
        return standbyOf(place, otherPort, name, "-X", "stream");
    }

    /** Makes a standby of it that streams from somebody else, in another place, and starts that. */
    PostgresServer standbyOf(List<String> where, int otherPort, String name, String... options) throws IOException {
        PostgresServer server = copy(where, options);
        server.configure(
                "primary_conninfo = 'host=127.0.0.1 port=" + otherPort + " user=" + USER + " application_name=" + name
                        + "'",
                "wal_retrieve_retry_interval = 100ms");
        server.program("touch", server.home.resolve("data/standby.signal").toString());
        server.start();
        return server;
    }

    private PostgresServer copy(List<String> where, String... options) throws IOException {
        PostgresServer server = new PostgresServer(where);
        List<String> arguments = new ArrayList<>(
                List.of("-D", server.data(), "-h", "127.0.0.1", "-p", "" + port, "-U", USER, "-c", "fast"));
        arguments.addAll(List.of(options));
        program("pg_basebackup", arguments.toArray(String[]::new));
        server.configure();
        return server;
    }

    /** Returns what it has logged. */
    String log() throws IOException {
        return Files.readString(home.resolve("log"));
    }

    private static boolean isRoot() {
        return System.getProperty("user.name").equals("root");
    }

    private String data() {
        return home.resolve("data").toString();
    }

    /** Returns where its WAL is. */
    Path pgWal() {
        return home.resolve("data/pg_wal");
    }

    /** Returns a directory in which it, and who talks to it, may write. */
    Path home() {
        return home;
    }

    int port() {
        return port;
    }

    private void configure(String... settings) throws IOException {
        List<String> lines = new ArrayList<>(List.of(
                "port = " + port,
                "listen_addresses = '127.0.0.1'",
                "unix_socket_directories = ''",
                "wal_keep_size = 1GB",
                "max_wal_size = 2GB",
                "autovacuum = off",
                // Who leaves the server waiting holds up its shutdown for ever.
                "wal_sender_timeout = 0"));
        lines.addAll(List.of(settings));
        Files.write(home.resolve("data/postgresql.conf"), lines, StandardOpenOption.APPEND);
    }

    void start() {
        program("pg_ctl", "-D", data(), "-l", home.resolve("log").toString(), "-w", "start");
    }

    /** Stops it in a way of {@code pg_ctl}: fast, or immediate, which is like a crash. */
    void stop(String mode) {
        program("pg_ctl", "-D", data(), "-m", mode, "-w", "stop");
    }

    /** Kills all its processes, as a crash would. */
    void kill() throws IOException {
        String pid = Files.readAllLines(home.resolve("data/postmaster.pid")).get(0);
        ProcessHandle server = ProcessHandle.of(Long.parseLong(pid)).orElseThrow();
        List<ProcessHandle> all = new ArrayList<>(List.of(server));
        all.addAll(server.descendants().toList());
        all.forEach(ProcessHandle::destroyForcibly);
        all.forEach(process -> process.onExit().join());
    }

    void promote() {
        program("pg_ctl", "-D", data(), "-w", "promote");
    }

    /** Runs a statement; returns what it printed. */
    String sql(String statement) {
        Result result = trySql(statement);
        assertEquals(0, result.status(), result::toString);
        return result.out().strip();
    }

    /** Begins a statement, and does not wait for it. */
    CompletableFuture<Result> begin(String statement) {
        return CompletableFuture.supplyAsync(() -> trySql(statement));
    }

    private Result trySql(String statement) {
        return ServerProcess.run(command("psql", "-h", "127.0.0.1", "-p", "" + port, "-U", USER, "-XAtc", statement));
    }

    /** Begins {@code pgbench}, and does not wait for its end. */
    CompletableFuture<Result> pgbench(String... arguments) {
        List<String> all = new ArrayList<>(List.of("-h", "127.0.0.1", "-p", "" + port, "-U", USER));
        all.addAll(List.of(arguments));
        return CompletableFuture.supplyAsync(() -> ServerProcess.run(command("pgbench", all.toArray(String[]::new))));
    }

    /** Returns whether somebody waits for a standby. */
    boolean isWaitedFor() {
        return !sql("select 1 from pg_stat_activity where wait_event = 'SyncRep'")
                .isEmpty();
    }

    /** Runs a program of PostgreSQL, which shall succeed. */
    String program(String name, String... arguments) {
        return run(command(name, arguments)).out();
    }

    private List<String> command(String name, String... arguments) {
        List<String> command = new ArrayList<>(place);
        if (isRoot()) {
            command.addAll(List.of("setpriv", "--reuid=" + USER, "--regid=" + USER, "--init-groups"));
        }
        Path program = Path.of(PROGRAMS, name);
        command.add(Files.exists(program) ? program.toString() : name);
        command.addAll(List.of(arguments));
        return command;
    }

    private static Result run(List<String> command) {
        Result result = ServerProcess.run(command);
        assertEquals(0, result.status(), result::toString);
        return result;
    }

    @Override
    public void close() throws IOException {
        ServerProcess.run(command("pg_ctl", "-D", data(), "-m", "immediate", "-w", "stop"));
        if (!Files.exists(home)) {
            return; // It has been closed before.
        }
        try (Stream<Path> files = Files.walk(home)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
