package lockstep.bench;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import lockstep.io.SyncMethod;

/**
 * Measures commits of a primary and a standby on this machine, against what the machine itself can do. Limits and servers
 * are measured in one run, because the machine may be another tomorrow; compare ratios, never figures of two runs.
 */
public final class Main {
    private static final int[] CLIENTS = {1, 16, 64, 256};
    private static final int OUTSTANDING = 4096;
    static final int COMMIT_BYTES = 100;
    private static final int BULK_BYTES = 16 << 10;
    private static final int BULK_OUTSTANDING = 1024;
    private static final int SSH_ROUNDS = 7;
    private static final long SSH_BYTES = 1L << 30;
    private static final int SWAP_ROUNDS = 7;
    private static final int SWAP_CLIENTS = 4;
    private static final List<String> LEVELS = List.of("local", "remote_write", "on", "remote_apply");
    private static final String USAGE = """
            usage: lockstep bench [--seconds N] [--dir DIRECTORY] [--only PARTS] [--json]
              --seconds N     how long each figure is measured (default 5)
              --dir DIRECTORY where the files are, which decides which disk is measured (default: the temporary directory)
              --only PARTS    only these, with commas between: limits,commits,methods,bulk,ssh,swaps, which are the default,
                              and postgres, which needs PostgreSQL
              --json          one JSON object on one line at the end, instead of text
            """;

    private final int seconds;
    private final Path directory;
    private final List<String> parts;
    private final String program;
    private final Figures figures;

    private Main(int seconds, Path directory, List<String> parts, Figures figures, String program) {
        this.seconds = seconds;
        this.directory = directory;
        this.parts = parts;
        this.figures = figures;
        this.program = program;
    }

    /** Measures as the arguments say. The system property {@code lockstep.program} is the path of {@code lockstep}. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        int seconds = 5;
        Path base = Path.of(System.getProperty("java.io.tmpdir"));
        List<String> parts = List.of("limits", "commits", "methods", "bulk", "ssh", "swaps");
        boolean json = false;
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--seconds" -> seconds = Integer.parseInt(arguments[++i]);
                case "--dir" -> base = Path.of(arguments[++i]);
                case "--only" -> parts = List.of(arguments[++i].split(",", -1));
                case "--json" -> json = true;
                default -> {
                    System.err.print(USAGE);
                    System.exit(64);
                }
            }
        }
        Path directory = Files.createTempDirectory(base, "lockstep-bench");
        try {
            new Main(seconds, directory, parts, new Figures(json), System.getProperty("lockstep.program")).run();
        } finally {
            delete(directory);
        }
    }

    private void run() throws IOException, InterruptedException {
        if (parts.contains("limits")) {
            limits();
        }
        if (parts.contains("commits")) {
            commits();
        }
        if (parts.contains("methods")) {
            methods();
        }
        if (parts.contains("bulk")) {
            bulk();
        }
        if (parts.contains("ssh")) {
            ssh();
        }
        if (parts.contains("swaps")) {
            swaps();
        }
        if (parts.contains("postgres")) {
            new PostgresPart(figures, program, fresh(), seconds).run();
        }
        figures.end();
    }

    private void figure(String name, Latencies latencies) {
        figures.put(name + "_p50_us", latencies.p50Micros());
        figures.put(name + "_per_second", latencies.perSecond());
        figures.say("  %-44s %s", name.replace('_', ' '), latencies);
    }

    private void limits() throws IOException, InterruptedException {
        figures.say("The machine (%d s each)", seconds);
        Limits limits = new Limits(directory, seconds * 1000L);
        figure("loopback_round_trip", limits.roundTrips());
        for (int bytes : new int[] {8 << 10, 64 << 10, 1 << 20}) {
            for (Map.Entry<SyncMethod, Latencies> entry : limits.flushes(bytes).entrySet()) {
                figure("flush_" + (bytes >> 10) + "kB_" + entry.getKey().parameterValue(), entry.getValue());
            }
        }
        for (SyncMethod method : SyncMethod.values()) {
            figure("bare_commit_serial_" + method.parameterValue(), limits.bareCommits(method, false));
            figure("bare_commit_parallel_" + method.parameterValue(), limits.bareCommits(method, true));
        }
    }

    private void commits() throws IOException {
        figures.say("Commits of %d bytes, primary and standby on this machine", COMMIT_BYTES);
        try (Servers servers = new Servers(program, fresh(), List.of())) {
            load(servers, "warm_up", "--clients 16 --commit on", COMMIT_BYTES);
            for (String level : LEVELS) {
                for (int clients : CLIENTS) {
                    load(
                            servers,
                            level + "_" + clients + "_clients",
                            "--clients " + clients + " --commit " + level,
                            COMMIT_BYTES);
                }
                load(
                        servers,
                        level + "_" + OUTSTANDING + "_outstanding",
                        "--outstanding " + OUTSTANDING + " --commit " + level,
                        COMMIT_BYTES);
            }
        }
    }

    private void methods() throws IOException {
        figures.say("Flush methods (wal_sync_method), commits of %d bytes at on", COMMIT_BYTES);
        for (SyncMethod method : SyncMethod.values()) {
            String name = method.parameterValue();
            try (Servers servers = new Servers(program, fresh(), List.of("wal_sync_method=" + name))) {
                load(servers, "warm_up", "--clients 16 --commit on", COMMIT_BYTES);
                load(servers, name + "_1_client", "--clients 1 --commit on", COMMIT_BYTES);
                load(servers, name + "_64_clients", "--clients 64 --commit on", COMMIT_BYTES);
                load(
                        servers,
                        name + "_" + OUTSTANDING + "_outstanding",
                        "--outstanding " + OUTSTANDING + " --commit on",
                        COMMIT_BYTES);
            }
        }
    }

    private void bulk() throws IOException {
        figures.say("Bulk: commits of %d kB", BULK_BYTES >> 10);
        try (Servers servers = new Servers(program, fresh(), List.of())) {
            String bulk = "--outstanding " + BULK_OUTSTANDING + " --commit on";
            load(servers, "warm_up", bulk, BULK_BYTES);
            long from = flushedLsn(servers);
            String result = load(servers, "bulk_on", bulk, BULK_BYTES);
            figures.megabytes(
                    "wal_streamed_and_flushed_twice", flushedLsn(servers) - from, Servers.number(result, "seconds"));
            redo(servers);
        }
    }

    /** Lets WAL pile up in front of a paused redo, and measures how fast it is redone. */
    private void redo(Servers servers) {
        servers.standby("redo", "pause");
        long from = flushedLsn(servers);
        String result =
                load(servers, "commits_while_redo_is_paused", "--outstanding " + OUTSTANDING + " --commit on", 100);
        long written = flushedLsn(servers) - from;
        figures.megabytes("wal_written", written, Servers.number(result, "seconds"));
        long start = System.nanoTime();
        servers.standby("redo", "resume");
        Servers.await(
                () -> Servers.lsn(servers.primary("standbys", "--json"), "replay_lsn") >= from + written,
                "the standby to redo");
        figures.megabytes("wal_redone", written, (System.nanoTime() - start) / 1e9);
    }

    /** Alternates, and shows the median of each: neighbours change within seconds. */
    private void ssh() throws IOException, InterruptedException {
        figures.say("WAL over SSH, %d rounds of %d MB each", SSH_ROUNDS, SSH_BYTES >> 20);
        double[][] found = new double[4][SSH_ROUNDS];
        try (SshStreams streams = new SshStreams(fresh(), SSH_BYTES)) {
            streams.throughServer(); // warms up
            streams.fromEmbedded();
            for (int round = 0; round < SSH_ROUNDS; round++) {
                found[0][round] = streams.throughServer();
                found[1][round] = streams.throughTunnel();
                found[2][round] = streams.throughTunnel("-c", "aes128-gcm@openssh.com");
                found[3][round] = streams.fromEmbedded();
            }
        }
        String[] names = {
            "transport_ssh_through_sshd", "ssh_tunnel", "ssh_tunnel_aes128_gcm", "transport_ssh_embedded_server"
        };
        for (int i = 0; i < names.length; i++) {
            Arrays.sort(found[i]);
            double median = found[i][SSH_ROUNDS / 2];
            figures.put(names[i] + "_mb_per_second", median);
            figures.say(
                    "  %-44s %9.0f MB/s   (%.0f to %.0f)",
                    names[i].replace('_', ' '), median, found[i][0], found[i][SSH_ROUNDS - 1]);
        }
    }

    private void swaps() throws IOException, InterruptedException {
        figures.say(
                "Longest pause of commits while the transport is changed; %d clients at on, %d rounds",
                SWAP_CLIENTS, SWAP_ROUNDS);
        Path unixJar = Path.of(program).resolveSibling("../examples/transport.unix.jar");
        try (Swaps swaps = new Swaps(program, fresh(), unixJar.normalize(), SWAP_CLIENTS)) {
            for (int round = 0; round < SWAP_ROUNDS; round++) {
                swaps.round();
            }
            swaps.pausesMillis().forEach((name, found) -> {
                double[] sorted =
                        found.stream().mapToDouble(Double::doubleValue).sorted().toArray();
                figures.put("transport_" + name + "_pause_ms", Figures.median(sorted));
                figures.say(
                        "  %-44s %9.1f ms   (%.1f to %.1f)",
                        name.replace('_', ' '), Figures.median(sorted), sorted[0], sorted[sorted.length - 1]);
            });
        }
    }

    private static long flushedLsn(Servers servers) {
        return Servers.lsn(servers.primary("standbys", "--json"), "flush_lsn");
    }

    private String load(Servers servers, String name, String how, int bytes) {
        String result = servers.primary("load --json --seconds " + seconds + " --bytes " + bytes + " " + how);
        double perSecond = Servers.number(result, "commits_per_second");
        double p50 = Servers.number(result, "p50_us");
        double p99 = Servers.number(result, "p99_us");
        if (Servers.number(result, "failed") > 0) {
            throw new IllegalStateException("commits failed: " + result);
        }
        figures.put(name + "_per_second", perSecond);
        figures.put(name + "_p50_us", p50);
        figures.put(name + "_p99_us", p99);
        figures.say("  %-44s %9.0f /s   p50 %7.0f us   p99 %7.0f us", name.replace('_', ' '), perSecond, p50, p99);
        return result;
    }

    private Path fresh() throws IOException {
        return Files.createTempDirectory(directory, "servers");
    }

    private static void delete(Path directory) throws IOException {
        Files.walkFileTree(directory, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path visited, IOException e) throws IOException {
                Files.delete(visited);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
