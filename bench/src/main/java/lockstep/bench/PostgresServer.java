package lockstep.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * A PostgreSQL server, run by its own programs. It refuses to run as root: there, the user {@value #USER} runs it, who must
 * have all rights in its directory.
 */
final class PostgresServer implements AutoCloseable {
    static final String USER = "postgres";

    private static final Path INSTALLED = Path.of("/usr/lib/postgresql");
    private static final List<String> SETTINGS = List.of(
            "listen_addresses = '127.0.0.1'",
            "unix_socket_directories = ''",
            "max_connections = 200",
            "shared_buffers = 512MB",
            "autovacuum = off",
            // Neither a checkpoint nor the WAL that it removes disturbs what is measured.
            "checkpoint_timeout = 1h",
            "max_wal_size = 20GB",
            "wal_keep_size = 20GB");

    private final Path directory;
    private final int port;

    private PostgresServer(Path directory) throws IOException {
        this.directory = directory;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = socket.getLocalPort();
        }
    }

    /** Makes a new system, and starts it. */
    static PostgresServer create(Path directory, String... settings) throws IOException {
        PostgresServer server = new PostgresServer(directory);
        program("initdb", "-D", directory.toString(), "-U", USER, "-A", "trust", "-N");
        server.configure(SETTINGS);
        server.configure(List.of(settings));
        server.start();
        return server;
    }

    /** Makes a standby of it; {@link #start} runs it. */
    PostgresServer standby(Path where, String name, String... settings) throws IOException {
        PostgresServer server = new PostgresServer(where);
        program(
                "pg_basebackup",
                "-D",
                where.toString(),
                "-h",
                "127.0.0.1",
                "-p",
                "" + port,
                "-U",
                USER,
                "-c",
                "fast",
                "-X",
                "stream");
        server.configure(List.of("primary_conninfo = '" + conninfo(name) + "'"));
        server.configure(List.of(settings));
        program("touch", where.resolve("standby.signal").toString());
        return server;
    }

    private void configure(List<String> settings) throws IOException {
        List<String> lines = new ArrayList<>(settings);
        lines.add("port = " + port);
        Files.write(directory.resolve("postgresql.conf"), lines, StandardOpenOption.APPEND);
    }

    int port() {
        return port;
    }

    /** Returns how a standby of that name connects, as libpq has it. */
    String conninfo(String name) {
        return "host=127.0.0.1 port=" + port + " user=" + USER + " application_name=" + name;
    }

    void start() throws IOException {
        program("pg_ctl", "-D", directory.toString(), "-l", directory + ".log", "-w", "start");
    }

    void stop() throws IOException {
        program("pg_ctl", "-D", directory.toString(), "-m", "immediate", "-w", "stop");
    }

    /** Runs a statement; returns what it printed. */
    String sql(String statement) throws IOException {
        return program("psql", "-h", "127.0.0.1", "-p", "" + port, "-U", USER, "-XAtqc", statement)
                .strip();
    }

    /** Runs {@code pgbench}; returns what it printed. */
    String pgbench(List<String> arguments) throws IOException {
        List<String> all = new ArrayList<>(List.of("-h", "127.0.0.1", "-p", "" + port, "-U", USER));
        all.addAll(arguments);
        return program("pgbench", all.toArray(String[]::new));
    }

    /** Returns the process id of the server. */
    long pid() throws IOException {
        return Long.parseLong(
                Files.readAllLines(directory.resolve("postmaster.pid")).get(0));
    }

    private static String program(String name, String... arguments) throws IOException {
        Process process = new ProcessBuilder(command(name, arguments))
                .redirectErrorStream(true)
                .start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = process.onExit().join().exitValue();
        if (status != 0) {
            throw new IOException(name + " ended with " + status + ": " + output);
        }
        return output;
    }

    /** Returns the words that run one of PostgreSQL's programs, of the newest version there is. */
    static List<String> command(String name, String... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        if (System.getProperty("user.name").equals("root")) {
            command.addAll(List.of("setpriv", "--reuid=" + USER, "--regid=" + USER, "--init-groups"));
        }
        Path program = programs().resolve(name);
        command.add(Files.exists(program) ? program.toString() : name);
        command.addAll(List.of(arguments));
        return command;
    }

    private static Path programs() throws IOException {
        if (Files.isDirectory(INSTALLED)) {
            try (Stream<Path> versions = Files.list(INSTALLED)) {
                return versions.map(version -> version.resolve("bin"))
                        .filter(bin -> Files.exists(bin.resolve("pg_receivewal")))
                        .max(Comparator.comparing(
                                bin -> bin.getParent().getFileName().toString()))
                        .orElse(INSTALLED);
            }
        }
        throw new IOException("there is no PostgreSQL in " + INSTALLED + ": install the package postgresql");
    }

    @Override
    public void close() throws IOException {
        stop();
    }
}
