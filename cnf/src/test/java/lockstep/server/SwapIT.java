package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Transports are changed while commits wait for them. */
final class SwapIT {
    private static final Path EXAMPLES =
            Path.of(System.getProperty("lockstep.home")).resolve("examples");
    private static final String LOAD_SECONDS = "30";
    private static final int UPDATES = 100;

    /** The bundles that are swapped here, and what the framework makes of them. */
    private static final Pattern SWAPPED =
            Pattern.compile("transport\\.(tcp|unix) .*|core\\.bundle lockstep\\.transports\\.Carrier");

    /** A heading of {@code inspect}, such as {@code core.bundle [39] provides:}. */
    private static final Pattern BUNDLE = Pattern.compile("(\\S+) \\[(\\d+)\\] provides:");

    @TempDir
    private Path folder;

    /** What is left behind after an update, or not. */
    private record Left(long threads, long files, long loaders, long transports, long buffers) {
        boolean isNoMoreThan(Left before) {
            return threads <= before.threads + 2
                    && files <= before.files + 2
                    && loaders <= before.loaders + 1
                    && transports <= before.transports
                    && buffers <= before.buffers + 8;
        }
    }

    @Test
    void everyWayToSwapATransportUnderLoadFailsNoCommitAndLosesNone() throws IOException {
        Path unix = EXAMPLES.resolve("transport.unix.jar");
        String tcp = Pair.endpoint(Pair.freePort());
        String socket = "unix://" + folder.resolve("sock");
        try (Pair pair = new Pair(folder, tcp + "," + socket, tcp + "," + socket, List.of())) {
            ServerProcess primary = pair.primary().compiledInFull();
            ServerProcess standby = pair.standby().compiledInFull();
            pair.start();
            Set<String> before = starts(primary);
            Set<String> standbysBefore = starts(standby);
            for (String bundle :
                    List.of("core.bundle", "receiver.bundle", "kv.bundle", "shell.bundle", "transport.ssh")) {
                assertTrue(standbysBefore.stream().anyMatch(start -> start.startsWith(bundle + " ")), bundle);
            }
            Path acked = folder.resolve("acked");
            CompletableFuture<Result> load = primary.begin(
                    "load", "--clients", "4", "--seconds", LOAD_SECONDS, "--acked", acked.toString(), "--json");
            primary.await(() -> Files.exists(acked) || load.isDone());

            // Another file, in both of the ways in which it can come.
            primary.shell("transport", "install", unix.toString());
            Path dropped = Files.copy(unix, standby.directory().resolve("bundles/unix.jar"));
            standby.await(() -> isHere(standby, "unix"));
            assertTrue(primary.shell("transport", "use", Pair.NAME, "unix").contains("has moved"));
            assertEquals(
                    socket,
                    standby.ask("conninfo", "receiver").split(",", -1)[1].strip());
            assertTrue(primary.shell("transports", "links").contains("unix"));

            // To commits there is a standby all the time, even where they would go on without one at once.
            primary.shell("set", "standby_unavailable", "degrade");
            String transitions = primary.ask("mode_transitions", "status");
            for (String scheme : List.of("tcp", "unix", "tcp", "unix", "tcp", "unix")) {
                primary.shell("transport", "use", Pair.NAME, scheme);
            }
            String stopped = primary.shell("transport", "stop", "unix");
            assertTrue(stopped.contains("is stopped; " + Pair.NAME + " has moved"), stopped);
            primary.shell("transport", "start", "transport.unix");
            primary.shell("transport", "use", Pair.NAME, "unix");
            String left = standby.shell("transport", "stop", "unix");
            assertTrue(left.contains("is stopped; this standby has moved to " + tcp), left);
            standby.shell("transport", "start", "transport.unix");
            primary.shell("transport", "use", Pair.NAME, "unix");
            assertEquals(transitions, primary.ask("mode_transitions", "status"));
            primary.shell("set", "standby_unavailable", "hang");

            // The one in use goes with its file, and there is another way.
            Files.delete(dropped);
            standby.await(() -> !isHere(standby, "unix"));
            pair.awaitStreaming();
            assertTrue(primary.tryShell("transport", "use", Pair.NAME, "unix").status() != 0);

            // The same bundle again, on both sides.
            standby.shell("transport", "update", "tcp");
            primary.shell("transport", "update", "tcp");
            primary.shell("update", id(primary, "transport.tcp"));
            standby.shell("transport", "stop", "transport.tcp");
            standby.shell("transport", "start", "transport.tcp");
            pair.awaitStreaming();

            // A changed parameter.
            standby.shell("transport", "install", unix.toString());
            standby.shell("set", "primary_conninfo", socket);
            primary.await(() -> primary.shell("transports", "links").contains("unix"));
            primary.shell("transport", "stop", "transport.tcp");
            primary.shell("transport", "start", "transport.tcp");
            standby.shell("set", "primary_conninfo", tcp + "," + socket);
            primary.await(() -> primary.shell("transports", "links").contains("tcp"));
            primary.shell("transport", "uninstall", "transport.unix");

            Result result = load.join();
            assertEquals(0, result.status(), result::toString);
            assertEquals("0", ServerProcess.member(result.out(), "failed"), result::toString);
            pair.assertSame();
            Pair.assertHolds(standby, acked);
            assertEquals(before, starts(primary));
            assertEquals(standbysBefore, starts(standby));
        }
    }

    @Test
    void updatesLeaveNothingBehind() throws IOException {
        try (Pair pair = new Pair(folder).start()) {
            CompletableFuture<Result> load =
                    pair.primary().begin("load", "--clients", "2", "--seconds", "15", "--json");
            String loop =
                    IntStream.range(0, UPDATES).mapToObj(Integer::toString).collect(Collectors.joining(" "));
            for (ServerProcess server : List.of(pair.standby(), pair.primary())) {
                // The first one is not alone in bringing code that is compiled and threads that stay.
                server.shell("each [ 1 2 3 ] { transport update transport.tcp }");
                pair.awaitStreaming();
                Left before = left(server);
                server.shell("each [ " + loop + " ] { transport update transport.tcp }");
                pair.awaitStreaming();
                server.await(() -> left(server).isNoMoreThan(before));
            }
            Result result = load.join();
            assertEquals(0, result.status(), result::toString);
            pair.assertSame();
        }
    }

    @Test
    void aClientThatIsInstalledAtRunTimeCommitsAndReadsThroughServices() throws IOException {
        try (Pair pair = new Pair(folder).start()) {
            String jar = EXAMPLES.resolve("client.visits.jar").toUri().toString();
            for (ServerProcess server : List.of(pair.primary(), pair.standby())) {
                server.shell("install", jar);
                server.shell("start", "client.visits");
            }
            assertEquals(
                    "visit 1 of Anna: REPLICATED(on)",
                    pair.primary().shell("visits:visit", "Anna").strip());
            pair.primary().shell("visits:visit", "Anna");
            pair.assertSame();
            assertEquals("2", pair.standby().shell("visits:visits", "Anna").strip());
        }
    }

    private static boolean isHere(ServerProcess server, String scheme) {
        return server.shell("transports", "--json").contains("\"scheme\":\"" + scheme + '"');
    }

    private static String id(ServerProcess server, String bundle) {
        return server.shell("transports", "--json")
                .replaceAll("(?s).*\"bundle\":\"" + bundle + "\",\"id\":(\\d+).*", "$1");
    }

    /**
     * Returns which services the bundles offer that are not swapped, and when each was registered, by the number that the framework
     * gives it then and to no other: who is started again, registers what it offers again.
     */
    private static Set<String> starts(ServerProcess server) {
        Set<String> starts = new TreeSet<>();
        String bundle = "";
        String service = "";
        for (String line :
                server.shell("inspect", "capability", "service").lines().toList()) {
            Matcher heading = BUNDLE.matcher(line);
            if (heading.matches()) {
                bundle = heading.group(1);
            } else if (line.startsWith("service; ")) {
                service = line.split("[; ]+", -1)[1];
            } else if (line.startsWith("   service.id = ")
                    && !SWAPPED.matcher(bundle + " " + service).matches()) {
                starts.add(bundle + " " + service + line.substring("   service.id".length()));
            }
        }
        return starts;
    }

    /** Counts after a collection. */
    private static Left left(ServerProcess server) {
        String process = Long.toString(server.pid());
        ServerProcess.run(List.of("jcmd", process, "GC.run"));
        String histogram = ServerProcess.run(List.of("jcmd", process, "GC.class_histogram"))
                .out();
        try (Stream<Path> threads = Files.list(Path.of("/proc", process, "task"));
                Stream<Path> files = Files.list(Path.of("/proc", process, "fd"))) {
            return new Left(
                    threads.count(),
                    files.count(),
                    instances(histogram, "org.apache.felix.framework.BundleWiringImpl$BundleClassLoader"),
                    instances(histogram, "lockstep.transport.tcp.TcpTransport"),
                    instances(histogram, "java.nio.DirectByteBuffer"));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static long instances(String histogram, String type) {
        return Arrays.stream(histogram.split("\n", -1))
                .map(line -> line.strip().split("\\s+", -1))
                .filter(columns -> columns.length > 3 && columns[3].equals(type))
                .mapToLong(columns -> Long.parseLong(columns[1]))
                .findFirst()
                .orElse(0);
    }
}
