package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import lockstep.server.CaseTable.Case;
import lockstep.server.ServerProcess.Client;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Plays the cases of {@code CASES.md} in which standbys are away, on one primary and three standbys: {@code s1} lives behind a
 * network that can be cut, {@code s2} and the primary have a disk that can be made slow.
 */
final class CommitCasesIT {
    private static final String TABLE = "While a standby is away";

    /** In this order they are made: a flush that takes long shall not hold back what need not be flushed. */
    private static final List<String> LEVELS = List.of("remote_write", "local", "on", "remote_apply");

    private static final String WAITS = "waits";
    private static final String REPLICATED = "REPLICATED";
    private static final String NOTHING = "nothing";
    private static final String NOBODY = "–";
    private static final Pattern AWAITED =
            Pattern.compile("\"name\":\"(\\w+)\",\"awaited\":\"awaited\",\"stage\":\"([^\"]+)\"");
    private static final Pattern ACKNOWLEDGED = Pattern.compile("\"name\":\"(\\w+)\",\"written_us\":\\d+");
    private static final Pattern COUNT = Pattern.compile("(?:FIRST|ANY) (\\d)");

    /** What a row does not say; times are short, so that nobody waits long for the tests. */
    private static final Map<String, String> DEFAULTS = Map.of(
            "standby_timeout", "300ms",
            "degraded_return_delay", "100ms",
            "degrade_to", "local",
            "min_copies", "1",
            "degraded_max_time", "0",
            "degraded_exhausted", "hang",
            "wal_sender_timeout", "60s");

    @TempDir
    private static Path folder;

    private static NetworkNamespace network;
    private static String whyNoNetwork = "";
    private static ServerProcess primary;
    private static final Map<String, ServerProcess> standbys = new TreeMap<>();
    private static int keys;

    private final Map<String, Event> events = new LinkedHashMap<>();
    private final Map<String, Runnable> ends = new LinkedHashMap<>();
    private final Set<String> away = new TreeSet<>();
    private final List<Commit> commits = new ArrayList<>();
    private SlowDisk slow;

    /** What happens before the commits are made, how they are made, and what happens while they wait. */
    private record Event(Runnable before, List<String> options, Runnable meanwhile) {}

    /** A commit and its client. */
    private record Commit(String level, String key, Client client) {}

    CommitCasesIT() {
        before(NOTHING, () -> {});
        before("s1 is killed", () -> kill("s1"));
        before("s1 and s2 are killed", () -> kill("s1", "s2"));
        before("s1 is stopped", () -> {
            standbys.get("s1").stop();
            away.add("s1");
        });
        before("s1 is killed and returns", () -> {
            kill("s1");
            awaitMode("degraded");
            comeBack();
            awaitMode("normal");
        });
        before("s1 is killed, and the time passes", () -> {
            kill("s1");
            awaitMode("exhausted");
        });
        before("the network to s1 is cut", () -> {
            assumeTrue(network != null, () -> "no network namespace can be made: " + whyNoNetwork);
            network.cut();
        });
        before("a flush on s2 takes long", () -> slow(standbys.get("s2")));
        before("a flush on the primary takes long", () -> slow(primary));
        before("redo of s1 is paused", () -> standbys.get("s1").shell("redo", "pause"));
        meanwhile("the names become s1 while commits wait", () -> names("s1"));
        meanwhile(
                "the client cancels",
                () -> commits.forEach(commit -> commit.client().interrupt()));
        events.put("the client waits for 100 ms only", new Event(() -> {}, List.of("--timeout", "100ms"), () -> {}));
        meanwhile("an operator releases what waits", () -> primary.shell("commit", "release", lastLsn()));

        ends.put(NOTHING, () -> {});
        ends.put("s1 returns", this::comeBack);
        ends.put("s1 and s2 return", this::comeBack);
        ends.put("s1 returns, and s2 after it", () -> {
            comeBack("s1");
            primary.await(() -> primary.askNumber("waiting_commits", "status") == 0);
            comeBack();
        });
        ends.put("the network is back", () -> network.mend());
        ends.put("the disk of s2 is well", () -> slow.close());
        ends.put("the disk of the primary is well", () -> slow.close());
        ends.put("redo of s1 goes on", () -> standbys.get("s1").shell("redo", "resume"));
        ends.put("the names become s1", () -> names("s1"));
    }

    private void before(String text, Runnable action) {
        events.put(text, new Event(action, List.of(), () -> {}));
    }

    private void meanwhile(String text, Runnable action) {
        events.put(text, new Event(() -> {}, List.of(), action));
    }

    @BeforeAll
    static void start() throws IOException {
        try {
            network = NetworkNamespace.make();
        } catch (AssertionError | UncheckedIOException e) {
            whyNoNetwork = e.getMessage();
        }
        int port = Pair.freePort();
        String endpoint = Pair.endpoint(port);
        List<String> options = new ArrayList<>(List.of("--listen", endpoint, "--set", "wal_sync_method=fdatasync"));
        if (network != null) {
            options.addAll(List.of("--listen", overNetwork(port) + "?insecure=true"));
        }
        primary = ServerProcess.primary(folder.resolve("p"), options.toArray(String[]::new))
                .start();
        Files.writeString(primary.directory().resolve("access.conf"), "all all all trust\n");
        for (String name : List.of("s1", "s2", "s3")) {
            boolean isFar = network != null && name.equals("s1");
            ServerProcess standby = ServerProcess.standby(
                    folder.resolve(name),
                    isFar ? overNetwork(port) : endpoint,
                    "--set",
                    "wal_sync_method=fdatasync",
                    "--set",
                    "wal_retrieve_retry_interval=100ms",
                    "--set",
                    "wal_receiver_timeout=2s",
                    "--set",
                    "sslmode=disable");
            standbys.put(name, isFar ? standby.inside(network.inside()).start() : standby.start());
        }
        awaitStreaming();
    }

    private static String overNetwork(int port) {
        return "tcp://" + network.ourAddress() + ':' + port;
    }

    @AfterAll
    static void end() {
        standbys.values().forEach(ServerProcess::close);
        primary.close();
        if (network != null) {
            network.close();
        }
    }

    private static void awaitStreaming() {
        primary.await(() -> primary.askNumber("streaming_standbys", "status") == standbys.size());
    }

    private static void awaitMode(String mode) {
        primary.await(() -> primary.ask("mode", "status").equals(mode));
    }

    static List<Case> cases() {
        return CaseTable.below(TABLE);
    }

    @Test
    void everyEventOfTheseTestsStandsInTheTableAndTheOtherWayRound() {
        assertEquals(
                events.keySet(),
                cases().stream().map(row -> row.get("what happens")).collect(Collectors.toSet()));
        assertEquals(ends.keySet(), cases().stream().map(CommitCasesIT::end).collect(Collectors.toSet()));
    }

    private static String end(Case row) {
        return row.get("then").split(": ", -1)[0];
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void whatTheTableSaysIsSo(Case row) {
        configure(row);
        Event event = events.get(row.get("what happens"));
        event.before().run();
        LEVELS.forEach(level -> begin(level, event.options()));
        event.meanwhile().run();

        for (Commit commit : commits) {
            awaitEqual(row.get(commit.level()), () -> outcome(commit), commit.level());
        }
        assertVisible(commit -> isAnsweredWith(outcome(commit), REPLICATED, "LOCAL_ONLY"));
        assertReplicatedIsWhereItShallBe(row);
        assertOffIsAnsweredAtOnce(row);
        awaitEqual(row.get("mode"), () -> primary.ask("mode", "status"), "mode");
        awaitEqual(row.get("awaited"), CommitCasesIT::awaited, "awaited");

        List<Commit> waiting =
                commits.stream().filter(commit -> !commit.client().isDone()).toList();
        ends.get(end(row)).run();
        for (Commit commit : waiting) {
            assertEquals(end(row) + ": " + answer(commit.client().result()), row.get("then"), commit.level());
        }
        awaitMode("normal");
        primary.await(() -> primary.askNumber("waiting_commits", "status") == 0);
        assertVisible(commit -> !row.get(commit.level()).equals("refused"));
        awaitStreaming();
        standbys.values().forEach(CommitCasesIT::awaitSame);
    }

    @Test
    void aDegradedPeriodStandsInTheLogOnAllServers() {
        primary.shell("set", "standby_unavailable", "degrade");
        kill("s1");
        awaitMode("degraded");
        assertTrue(primary.shell("degraded", "log").contains("standby_unavailable=degrade"));
        comeBack();
        awaitMode("normal");
        String periods = primary.shell("degraded", "log", "--json");
        for (ServerProcess standby : standbys.values()) {
            standby.await(() -> standby.shell("degraded", "log", "--json").equals(periods));
        }
        assertTrue(primary.shell("wal", "dump").contains("NOOP lockstep degraded"));
        Pair.assertLogReadable(primary);
    }

    @Test
    void namesAreCheckedAndSayWhatEachStandbyIs() {
        names("ANY 1 (s1, s2)");
        assertEquals(List.of("quorum 1", "quorum 1", "async 0"), roles());
        names("FIRST 1 (s2, s3)");
        assertEquals(List.of("async 0", "sync 1", "potential 2"), roles());
        Result refused = primary.tryShell("set", "synchronous_standby_names", "FIRST (s1)");
        assertEquals(1, refused.status());
        assertTrue(refused.err().contains("syntax error at \"(\" (character 7)"), refused::toString);
    }

    private static List<String> roles() {
        String rows = primary.shell("standbys", "--json");
        return standbys.keySet().stream()
                .map(name -> rows.substring(rows.indexOf("\"application_name\":\"" + name + '"')))
                .map(row -> ServerProcess.member(row, "sync_state") + ' ' + ServerProcess.member(row, "sync_priority"))
                .toList();
    }

    private static void configure(Case row) {
        Map<String, String> settings = new TreeMap<>(DEFAULTS);
        String[] policy = row.get("policy").split(", ", -1);
        settings.put("standby_unavailable", policy[0]);
        for (String setting : Arrays.asList(policy).subList(1, policy.length)) {
            settings.put(setting.split(" = ", -1)[0], setting.split(" = ", -1)[1]);
        }
        settings.put("synchronous_standby_names", row.get("names"));
        primary.shell(settings.entrySet().stream()
                .map(setting -> "set " + setting.getKey() + " \"" + setting.getValue() + '"')
                .collect(Collectors.joining("\n")));
        awaitStreaming();
    }

    private static void names(String names) {
        primary.shell("set", "synchronous_standby_names", names);
    }

    private void kill(String... names) {
        for (String name : names) {
            standbys.get(name).kill();
            away.add(name);
        }
    }

    private void comeBack(String name) {
        standbys.get(name).start();
        away.remove(name);
    }

    private void comeBack() {
        away.parallelStream().forEach(name -> standbys.get(name).start());
        away.clear();
    }

    private void slow(ServerProcess server) {
        assumeTrue(SlowDisk.isPossible(), "a disk is made slow with strace, which is not there");
        slow = SlowDisk.stopping("fdatasync", server);
    }

    /** Makes a commit, and waits until it is answered, or waits itself. */
    private void begin(String level, List<String> options) {
        String key = "k" + keys++;
        List<String> command = new ArrayList<>(List.of("put", key, level, "--commit", level, "--json"));
        command.addAll(options);
        Commit commit = new Commit(level, key, primary.client(command.toArray(String[]::new)));
        commits.add(commit);
        primary.await(() -> commit.client().isDone() || waiters(level) == 1);
    }

    private static long waiters(String level) {
        return Long.parseLong(ServerProcess.member(line(level), "waiters"));
    }

    /** Returns what {@code queue} shows of a level, and of those after it. */
    private static String line(String level) {
        String levels = primary.shell("queue", "--json");
        return levels.substring(levels.indexOf("\"level\":\"" + level + '"'));
    }

    /** Returns where the last of those ends that wait. */
    private static String lastLsn() {
        return ServerProcess.member(line("remote_apply"), "oldest_lsn");
    }

    private static String outcome(Commit commit) {
        return commit.client().isDoneSoon() ? answer(commit.client().result()) : WAITS;
    }

    private static String answer(Result result) {
        if (result.status() == 0) {
            return ServerProcess.member(result.out(), "outcome");
        } else if (result.err().contains("takes no commits")) {
            return "refused";
        }
        // Who was interrupted is told nothing any more: it is for him to ask.
        boolean isInterrupted = result.status() == 128 + 2;
        assertTrue(isInterrupted || result.err().contains("IN DOUBT"), result::toString);
        return "IN_DOUBT";
    }

    private static boolean isAnsweredWith(String outcome, String... outcomes) {
        return List.of(outcomes).contains(outcome);
    }

    private interface Expected {
        boolean isVisible(Commit commit);
    }

    private void assertVisible(Expected expected) {
        Set<String> visible = visible();
        for (Commit commit : commits) {
            assertEquals(
                    expected.isVisible(commit), visible.contains(commit.key()), () -> "visible: " + commit.level());
        }
    }

    private static Set<String> visible() {
        return primary.shell("scan", "k", "--limit", "100000")
                .lines()
                .map(line -> line.split("\t", -1)[0])
                .collect(Collectors.toSet());
    }

    /** Checks that those standbys that its receipt names do have a commit, and are as many as it takes. */
    private void assertReplicatedIsWhereItShallBe(Case row) {
        Matcher count = COUNT.matcher(row.get("names"));
        int required = count.find() ? Integer.parseInt(count.group(1)) : 1;
        for (Commit commit : commits) {
            if (!commit.level().equals("local") && outcome(commit).equals(REPLICATED)) {
                String receipt = commit.client().result().out();
                List<String> names = ACKNOWLEDGED
                        .matcher(receipt)
                        .results()
                        .map(standby -> standby.group(1))
                        .toList();
                assertTrue(names.size() >= required, receipt);
                for (String name : names) {
                    String position = switch (commit.level()) {
                        case "remote_write" -> "write_lsn";
                        case "on" -> "flush_lsn";
                        default -> "replay_lsn";
                    };
                    long reached = standbys.get(name).askLsn(position, "status");
                    assertTrue(reached >= ServerProcess.lsn(ServerProcess.member(receipt, "lsn")), receipt);
                }
            }
        }
    }

    private void assertOffIsAnsweredAtOnce(Case row) {
        String key = "k" + keys++;
        assertEquals(REPLICATED, primary.ask("outcome", "put", key, "off", "--commit", "off"));
        if (row.get("local").equals(WAITS)) {
            assertFalse(visible().contains(key), "it is not on the disk");
        } else {
            primary.await(() -> visible().contains(key));
        }
    }

    private static String awaited() {
        String explained = primary.shell("queue", "explain", "--json");
        List<String> awaited = new ArrayList<>();
        String own = ServerProcess.member(explained, "primary");
        if (!own.equals("flushed")) {
            awaited.add("the primary: " + own);
        }
        Matcher standby = AWAITED.matcher(explained);
        while (standby.find()) {
            awaited.add(standby.group(1) + ": " + standby.group(2));
        }
        return awaited.isEmpty() ? NOBODY : String.join(", ", awaited);
    }

    /** It takes a moment until everybody knows what has happened. */
    private static void awaitEqual(String expected, Supplier<String> question, String what) {
        AtomicReference<String> answer = new AtomicReference<>();
        try {
            primary.await(() -> {
                answer.set(question.get());
                return answer.get().equals(expected);
            });
        } catch (AssertionError e) {
            assertEquals(expected, answer.get(), what);
        }
    }

    private static void awaitSame(ServerProcess standby) {
        String expected = primary.shell("digest", "--json");
        standby.await(() -> standby.shell("digest", "--json").equals(expected));
    }

    /** So that one case that fails fails alone. */
    @AfterEach
    void allIsWell() {
        if (slow != null) {
            slow.close();
        }
        if (network != null) {
            network.mend();
        }
        comeBack();
        standbys.get("s1").shell("redo", "resume");
        primary.shell("set standby_unavailable hang\nset synchronous_standby_names s1");
        awaitMode("normal");
        commits.forEach(commit -> commit.client().process().destroy());
    }
}
