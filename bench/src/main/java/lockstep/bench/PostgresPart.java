package lockstep.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import lockstep.bench.PostgresStandbys.CatchUp;
import lockstep.bench.PostgresStandbys.Kind;
import lockstep.bench.PostgresStandbys.Load;

/** Measures the synchronous standbys of a PostgreSQL server beside each other. */
final class PostgresPart {
    private static final int[] CLIENTS = {1, 16, 64};
    private static final int ROUNDS = 12;
    private static final int ROUNDS_OF_A_PROCESS = 6;
    private static final int WARM_UP_SECONDS = 15;
    private static final int CATCH_UP_ROUNDS = 3;
    private static final long CATCH_UP_BYTES = 2_000_000_000;

    private final Figures figures;
    private final String program;
    private final Path directory;
    private final int seconds;

    /** @param seconds how long each load of a round lasts */
    PostgresPart(Figures figures, String program, Path directory, int seconds) {
        this.figures = figures;
        this.program = program;
        this.directory = directory;
        this.seconds = seconds;
    }

    /**
     * Alternates, beginning with another each round. Figures of a kind are the medians of its rounds, percentiles are of all its
     * commits. What compares two kinds is the ratio of what they did within a round, seconds apart: the machine is slower and faster
     * by a third within minutes. Two processes of the same program differ by a few percent for as long as they live, so each kind is
     * started anew, and warmed up, after some rounds.
     */
    void run() throws IOException {
        figures.say(
                "Commits of %d bytes on a PostgreSQL server, by its synchronous standby; %d rounds",
                Main.COMMIT_BYTES, ROUNDS);
        List<Kind> order = new ArrayList<>(List.of(Kind.values()));
        Map<Kind, Map<Integer, List<Load>>> loads = new EnumMap<>(Kind.class);
        try (PostgresStandbys postgres = new PostgresStandbys(program, directory)) {
            for (int round = 0; round < ROUNDS; round++) {
                if (round % ROUNDS_OF_A_PROCESS == 0) {
                    postgres.end();
                    for (Kind kind : order) {
                        warmUp(postgres, kind);
                    }
                }
                for (int clients : CLIENTS) {
                    for (Kind kind : order) {
                        loads.computeIfAbsent(kind, key -> new TreeMap<>())
                                .computeIfAbsent(clients, key -> new ArrayList<>())
                                .add(load(postgres, kind, clients, seconds));
                    }
                }
                Collections.rotate(order, 1);
            }
            for (Kind kind : Kind.values()) {
                loads.get(kind)
                        .forEach((clients, rounds) -> pgbench(kind.label() + "_" + clients + "_clients", rounds));
                List<Load> all =
                        loads.get(kind).values().stream().flatMap(List::stream).toList();
                cpu(
                        kind.label() + "_commits",
                        all.stream().mapToDouble(Load::cpuSeconds).sum(),
                        all.stream().mapToDouble(Load::walBytes).sum());
            }
            for (Kind other : List.of(Kind.PG_RECEIVEWAL, Kind.POSTGRESQL_STANDBY)) {
                loads.get(other)
                        .forEach((clients, rounds) -> ratio(
                                "lockstep_to_" + other.label() + "_" + clients + "_clients",
                                loads.get(Kind.LOCKSTEP).get(clients),
                                rounds));
            }
            postgres.end();
            catchUp(postgres);
        }
    }

    /** A few clients take other ways through the code than many. */
    private static void warmUp(PostgresStandbys postgres, Kind kind) throws IOException {
        try (PostgresStandbys.Active active = postgres.receive(kind)) {
            for (int clients : CLIENTS) {
                active.load(clients, WARM_UP_SECONDS);
            }
        }
    }

    private static Load load(PostgresStandbys postgres, Kind kind, int clients, int seconds) throws IOException {
        try (PostgresStandbys.Active active = postgres.receive(kind)) {
            return active.load(clients, seconds);
        }
    }

    private void pgbench(String name, List<Load> rounds) {
        Latencies all = new Latencies();
        rounds.forEach(load -> all.add(load.latencies()));
        double perSecond =
                Figures.median(rounds.stream().mapToDouble(Load::perSecond).toArray());
        figures.put(name + "_per_second", perSecond);
        figures.put(name + "_p50_us", all.p50Micros());
        figures.put(name + "_p99_us", all.p99Micros());
        figures.say(
                "  %-44s %9.0f /s   p50 %7.0f us   p99 %7.0f us",
                name.replace('_', ' '), perSecond, all.p50Micros(), all.p99Micros());
    }

    private void ratio(String name, List<Load> these, List<Load> those) {
        double[] sorted = IntStream.range(0, these.size())
                .mapToDouble(
                        round -> these.get(round).perSecond() / those.get(round).perSecond())
                .sorted()
                .toArray();
        int quarter = sorted.length / 4;
        figures.put(name + "_percent", Figures.median(sorted) * 100);
        figures.say(
                "  %-52s x %.3f   (half of the rounds: %.3f to %.3f)",
                name.replace('_', ' '), Figures.median(sorted), sorted[quarter], sorted[sorted.length - 1 - quarter]);
    }

    private void cpu(String name, double cpuSeconds, double bytes) {
        figures.put(name + "_cpu_s_per_gb", cpuSeconds / bytes * 1e9);
        figures.say("  %-44s %9.2f CPU s/GB", name.replace('_', ' '), cpuSeconds / bytes * 1e9);
    }

    /** Lets WAL pile up while nobody receives. */
    private void catchUp(PostgresStandbys postgres) throws IOException {
        figures.say(
                "Catching up with %d MB of WAL, %d rounds; the PostgreSQL standby once",
                CATCH_UP_BYTES / 1_000_000, CATCH_UP_ROUNDS);
        for (int round = 0; round < CATCH_UP_ROUNDS; round++) {
            for (Kind kind : Kind.values()) {
                postgres.slot(kind.label() + round);
            }
        }
        long from = postgres.walBytes();
        postgres.bulk(CATCH_UP_BYTES);
        Map<Kind, List<CatchUp>> found = new EnumMap<>(Kind.class);
        for (int round = 0; round < CATCH_UP_ROUNDS; round++) {
            for (Kind kind : Kind.values()) {
                if (round == 0 || kind != Kind.POSTGRESQL_STANDBY) {
                    found.computeIfAbsent(kind, key -> new ArrayList<>())
                            .add(postgres.catchUp(kind, kind.label() + round, from));
                }
            }
        }
        found.forEach((kind, rounds) -> {
            String name = kind.label() + "_catch_up";
            double rate = rounds.stream()
                    .mapToDouble(CatchUp::megabytesPerSecond)
                    .max()
                    .orElseThrow();
            double shortest =
                    rounds.stream().mapToDouble(CatchUp::seconds).min().orElseThrow();
            figures.put(name + "_mb_per_second", rate);
            figures.say("  %-44s %9.0f MB/s   %6.1f s, the best round", name.replace('_', ' '), rate, shortest);
            cpu(name, rounds.get(0).cpuSeconds(), (double) rounds.get(0).bytes());
        });
    }
}
