package lockstep.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A PostgreSQL primary, and who may be its synchronous standby: PostgreSQL's own receiver, a PostgreSQL standby, or Lockstep. One of
 * them at a time, since they would take the machine from each other: the others are halted by a signal, so that each is as warm as a
 * server is that has run for a while, and disconnected, since the primary would go on to send to them.
 */
final class PostgresStandbys implements AutoCloseable {
    /** Who receives. */
    enum Kind {
        PG_RECEIVEWAL,
        POSTGRESQL_STANDBY,
        LOCKSTEP;

        String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** What a load came to, the CPU of who received included. */
    record Load(double perSecond, Latencies latencies, long walBytes, double cpuSeconds) {}

    /** What catching up took. */
    record CatchUp(long bytes, double seconds, double cpuSeconds) {
        double megabytesPerSecond() {
            return bytes / 1e6 / seconds;
        }
    }

    private static final double TICKS_PER_SECOND = 100;
    private static final int CPU_FIELD = 11;
    private static final int CPU_FIELDS = 4;
    private static final Pattern TPS = Pattern.compile("tps = ([0-9.]+)");
    private static final int LATENCY_FIELD = 2;
    private static final long NANOS_PER_MICRO = 1000;
    private static final String COMMIT =
            "select pg_logical_emit_message(true, 'bench', '" + "x".repeat(Main.COMMIT_BYTES) + "');\n";

    private final String program;
    private final Path directory;
    private final PostgresServer primary;
    private final PostgresServer standby;
    private final Map<Kind, Receiver> running = new EnumMap<>(Kind.class);
    private int loads;

    /**
     * Starts the primary.
     *
     * @param program the path of {@code lockstep}
     */
    PostgresStandbys(String program, Path directory) throws IOException {
        this.program = program;
        this.directory = directory;
        // PostgreSQL may run as another user.
        for (Path each = directory;
                each.getFileName().toString().matches("lockstep-bench.*|servers.*");
                each = each.getParent()) {
            Files.setPosixFilePermissions(each, PosixFilePermissions.fromString("rwxrwxrwx"));
        }
        primary = PostgresServer.create(directory.resolve("primary"), "wal_sender_timeout = 0");
        standby = primary.standby(
                directory.resolve("standby"), Kind.POSTGRESQL_STANDBY.label(), "wal_retrieve_retry_interval = 100ms");
        Files.writeString(directory.resolve("commit.sql"), COMMIT);
        primary.sql("create table bulk (n bigint, filler text)");
    }

    /** Somebody who receives until it is closed. */
    private abstract static class Receiver implements AutoCloseable {
        /** Returns its processes. */
        abstract List<ProcessHandle> processes() throws IOException;

        /** Returns what its processes have spent so far. */
        double cpuSeconds() throws IOException {
            double seconds = 0;
            for (ProcessHandle process : processes()) {
                seconds += cpu(process.pid());
            }
            return seconds;
        }

        /** Sends all its processes a signal, such as STOP. */
        void signal(String name) throws IOException {
            List<String> command = new ArrayList<>(List.of("kill", "-" + name));
            processes().forEach(process -> command.add(Long.toString(process.pid())));
            execute(command);
        }

        @Override
        public abstract void close() throws IOException;
    }

    /** Who receives now, until this is closed. */
    final class Active implements AutoCloseable {
        private final Receiver receiver;

        private Active(Receiver receiver) {
            this.receiver = receiver;
        }

        /** Clients commit, and wait for each commit. */
        Load load(int clients, int seconds) throws IOException {
            double cpuBefore = receiver.cpuSeconds();
            long walBefore = walBytes();
            Path log = directory.resolve("load" + ++loads);
            double perSecond = pgbench(clients, seconds, log);
            return new Load(perSecond, latencies(log), walBytes() - walBefore, receiver.cpuSeconds() - cpuBefore);
        }

        @Override
        public void close() throws IOException {
            synchronous("");
            receiver.signal("STOP");
            primary.sql("select pg_terminate_backend(pid, 10000) from pg_stat_replication");
        }
    }

    /** Has one receive and the others halt, and returns when commits wait for it. */
    Active receive(Kind kind) throws IOException {
        Receiver receiver = running.get(kind);
        if (receiver == null) {
            receiver = start(kind, kind.label(), "");
            running.put(kind, receiver);
        } else {
            receiver.signal("CONT");
        }
        synchronous(kind.label());
        until(kind, "sync_state = 'sync' and flush_lsn >= pg_current_wal_flush_lsn()");
        return new Active(receiver);
    }

    /** Ends all receivers. */
    void end() throws IOException {
        for (Receiver receiver : running.values()) {
            receiver.signal("CONT");
            receiver.close();
        }
        running.clear();
    }

    private void synchronous(String names) throws IOException {
        primary.sql("alter system set synchronous_standby_names = '" + names + "'");
        primary.sql("select pg_reload_conf()");
    }

    private Receiver start(Kind kind, String name, String slot) throws IOException {
        return switch (kind) {
            case PG_RECEIVEWAL -> pgReceivewal(name, slot);
            case POSTGRESQL_STANDBY -> postgresStandby();
            case LOCKSTEP -> lockstep(name, slot);
        };
    }

    private Receiver pgReceivewal(String name, String slot) throws IOException {
        Path files = directory.resolve(name);
        Files.createDirectories(files);
        Files.setPosixFilePermissions(files, PosixFilePermissions.fromString("rwxrwxrwx"));
        List<String> words = new ArrayList<>(
                List.of("-D", files.toString(), "--synchronous", "-d", primary.conninfo(Kind.PG_RECEIVEWAL.label())));
        if (!slot.isEmpty()) {
            words.add("--slot=" + slot);
        }
        Process process = new ProcessBuilder(PostgresServer.command("pg_receivewal", words.toArray(String[]::new)))
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve(name + ".log").toFile())
                .start();
        return new Receiver() {
            @Override
            List<ProcessHandle> processes() {
                return List.of(process.toHandle());
            }

            @Override
            public void close() {
                process.destroy();
                process.onExit().join();
            }
        };
    }

    private Receiver postgresStandby() throws IOException {
        standby.start();
        long pid = standby.pid();
        return new Receiver() {
            @Override
            List<ProcessHandle> processes() {
                ProcessHandle server = ProcessHandle.of(pid).orElseThrow();
                return Stream.concat(Stream.of(server), server.children()).toList();
            }

            @Override
            public void close() throws IOException {
                standby.stop();
            }
        };
    }

    private Receiver lockstep(String name, String slot) throws IOException {
        Path data = directory.resolve(name);
        String label = Kind.LOCKSTEP.label();
        List<String> words = new ArrayList<>(List.of("standby", data.toString(), "--name", label, "--daemon"));
        words.addAll(List.of(
                "--from",
                "postgresql://" + PostgresServer.USER + "@127.0.0.1:" + primary.port() + "/?application_name="
                        + label));
        if (!slot.isEmpty()) {
            words.addAll(List.of("--slot", slot));
        }
        run(words);
        long pid = Long.parseLong(Files.readString(data.resolve("lockstep.pid")).strip());
        return new Receiver() {
            @Override
            List<ProcessHandle> processes() {
                return List.of(ProcessHandle.of(pid).orElseThrow());
            }

            @Override
            public void close() throws IOException {
                run(List.of("stop", data.toString()));
            }
        };
    }

    private void run(List<String> words) throws IOException {
        List<String> command = new ArrayList<>(List.of(program));
        command.addAll(words);
        execute(command);
    }

    private static void execute(List<String> command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.onExit().join().exitValue() != 0) {
            throw new IOException(String.join(" ", command) + " failed: " + output);
        }
    }

    /** Returns what a process, and those of its children that have ended, have spent. */
    private static double cpu(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
        double ticks = 0;
        for (int i = CPU_FIELD; i < CPU_FIELD + CPU_FIELDS; i++) {
            ticks += Long.parseLong(fields[i]);
        }
        return ticks / TICKS_PER_SECOND;
    }

    /** Returns when something holds for who receives; asks within the primary, so that asking costs little. */
    private void until(Kind kind, String condition) throws IOException {
        primary.sql("set synchronous_commit = local; set statement_timeout = '2min'; do $$ begin"
                + " while not exists (select from pg_stat_replication where application_name = '" + kind.label()
                + "' and state = 'streaming' and "
                + condition + ") loop perform pg_sleep(0.01), pg_stat_clear_snapshot(); end loop; end $$");
    }

    /** Returns up to where the primary has written WAL. */
    long walBytes() throws IOException {
        return Long.parseLong(primary.sql("select (pg_current_wal_lsn() - '0/0')::bigint"));
    }

    /** Returns the commits per second; the duration of each is in the log. */
    private double pgbench(int clients, int seconds, Path log) throws IOException {
        String said = primary.pgbench(List.of(
                "-n",
                "-f",
                directory.resolve("commit.sql").toString(),
                "-M",
                "prepared",
                "-c",
                "" + clients,
                "-j",
                "" + Math.min(clients, 2),
                "-T",
                "" + seconds,
                "-l",
                "--log-prefix=" + log,
                "postgres"));
        Matcher tps = TPS.matcher(said);
        if (!tps.find()) {
            throw new IOException("pgbench has measured nothing: " + said);
        }
        return Double.parseDouble(tps.group(1));
    }

    private Latencies latencies(Path log) throws IOException {
        Latencies latencies = new Latencies();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, log.getFileName() + ".*")) {
            for (Path file : files) {
                for (String line : Files.readAllLines(file)) {
                    latencies.add(Long.parseLong(line.split(" ", LATENCY_FIELD + 2)[LATENCY_FIELD]) * NANOS_PER_MICRO);
                }
            }
        }
        return latencies;
    }

    /** Has the primary hold all WAL from now on for somebody of that name. */
    void slot(String name) throws IOException {
        primary.sql("select pg_create_physical_replication_slot('" + name + "', true)");
    }

    /** Has the primary write WAL, as rows do, and bring the rows to disk. */
    void bulk(long bytes) throws IOException {
        long untilBytes = walBytes() + bytes;
        while (walBytes() < untilBytes) {
            primary.sql("insert into bulk select n, repeat('x', 200) from generate_series(1, 500000) n");
        }
        primary.sql("checkpoint");
    }

    /**
     * Lets one catch up, from what its slot holds, or where it stopped, to the end of the log; returns how long that took from the
     * moment it connected. What was written before is brought to disk first: only who writes through the page cache would wait for it.
     */
    CatchUp catchUp(Kind kind, String slot, long fromBytes) throws IOException {
        execute(List.of("sync"));
        long endBytes = walBytes();
        String end = primary.sql("select pg_current_wal_lsn()");
        Receiver receiver = start(kind, kind.label() + "_" + slot, slot);
        try {
            until(kind, "flush_lsn >= '" + end + "'");
            String seconds = primary.sql("select extract(epoch from clock_timestamp() - backend_start)"
                    + " from pg_stat_replication where application_name = '" + kind.label() + "'");
            return new CatchUp(endBytes - fromBytes, Double.parseDouble(seconds), receiver.cpuSeconds());
        } finally {
            receiver.close();
        }
    }

    @Override
    public void close() throws IOException {
        end();
        primary.close();
    }
}
