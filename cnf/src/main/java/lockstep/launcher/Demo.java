package lockstep.launcher;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import lockstep.transport.api.Lsn;

/**
 * The demonstration: two servers in lockstep, and one of them killed.
 *
 * <p>The load runs in the primary and writes down the number of each record after its commit was acknowledged. A third
 * into it the standby is killed. Commits wait from then on, as the default {@code synchronous_commit = on} demands, until
 * the standby is back and has caught up; none fails. At the end it is not the servers' word that counts: the standby's
 * store is read for every acknowledged record, both stores are hashed, and the files of both logs are compared byte for
 * byte.
 */
final class Demo {
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(5);
    private static final long SHOW_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
    private static final long PATIENCE_NANOS = TimeUnit.MINUTES.toNanos(5);
    private static final int KEY_DIGITS = 10;
    private static final int COMPARE_BYTES = 1 << 20;
    private static final String CLEAR_LINE = "\r\u001b[K";

    private final Optional<Path> input;
    private final int seconds;
    private final int clients;
    private final boolean json;
    private final boolean terminal = System.getProperty("lockstep.tty") != null;

    private Path directory;
    private DemoServer primary;
    private DemoServer standby;
    private volatile String progress = "";
    private String shown = "";

    Demo(Optional<Path> input, int seconds, int clients, boolean json) {
        this.input = input;
        this.seconds = seconds;
        this.clients = clients;
        this.json = json;
    }

    /** What both sides hold, compared. */
    private record Comparison(
            long acknowledged, long missing, boolean storesEqual, long logBytes, String logDifference) {
        boolean isGood() {
            return missing == 0 && storesEqual && logDifference.isEmpty();
        }
    }

    /** Returns whether all is well. */
    boolean run() throws IOException, InterruptedException {
        directory = Files.createTempDirectory("lockstep-demo");
        String endpoint = "tcp://127.0.0.1:" + freePort();
        primary = new DemoServer("primary", directory.resolve("primary"), List.of("--listen", endpoint));
        standby =
                new DemoServer("standby", directory.resolve("standby"), List.of("--from", endpoint, "--name", "demo"));
        boolean good = false;
        try {
            good = show(endpoint);
        } finally {
            end(primary);
            end(standby);
            if (good) {
                delete(directory);
            } else {
                System.err.println("What the servers left is in " + directory);
            }
        }
        return good;
    }

    private boolean show(String endpoint) throws IOException, InterruptedException {
        say("Starting a primary on %s and a standby, in %s", endpoint, directory);
        primary.start();
        standby.start();
        awaitStreaming();
        say(
                "The standby has built itself from a base backup and streams. Loading %s with %d clients",
                input.map(file -> "the lines of " + file).orElse("generated records for " + seconds + " s"), clients);
        Path acked = directory.resolve("acked");
        CompletableFuture<String> load = CompletableFuture.supplyAsync(() -> load(acked));
        boolean midway = awaitThird(acked, load);
        say(
                midway
                        ? "Killing the standby (SIGKILL). Commits wait for it from now on"
                        : "The load was over before the standby could be killed; killing it now (SIGKILL)");
        standby.stop("immediate");
        long killedNanos = System.nanoTime();
        long heldAt = acknowledgements(acked);
        standby.start();
        awaitStreaming();
        double backSeconds = (System.nanoTime() - killedNanos) / 1e9;
        say(
                "The standby is back, has caught up and streams, %.1f s after it was killed; %,d commits had been"
                        + " acknowledged by then",
                backSeconds, heldAt);
        while (!load.isDone()) {
            showProgress();
            LockSupport.parkNanos(SHOW_NANOS);
        }
        String result = result(load);
        clear();
        say("Loaded. Comparing");
        Comparison comparison = compare(acked);
        report(result, comparison, midway, backSeconds);
        return comparison.isGood();
    }

    private static String result(CompletableFuture<String> load) {
        try {
            return load.join();
        } catch (CompletionException e) {
            throw new Failure(
                    ExitStatus.FAILED, "the load failed: " + e.getCause().getMessage());
        }
    }

    private String load(Path acked) {
        String command = "load --json --progress --patience 5min --clients " + clients + " --acked '" + acked + "'"
                + input.map(file -> " --input '" + file + "'").orElse(" --seconds " + seconds);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            primary.ask(command, out, new ProgressLines());
        } catch (IOException e) {
            throw new CompletionException(e);
        }
        return out.toString(StandardCharsets.UTF_8);
    }

    /** Keeps the last whole line of what the load says. */
    private final class ProgressLines extends OutputStream {
        private final ByteArrayOutputStream line = new ByteArrayOutputStream();

        @Override
        public void write(int b) {
            if (b == '\n') {
                progress = line.toString(StandardCharsets.UTF_8);
                line.reset();
            } else {
                line.write(b);
            }
        }
    }

    /** Waits until a third of the load is done; returns whether that was before its end. */
    private boolean awaitThird(Path acked, CompletableFuture<String> load) throws IOException {
        long startNanos = System.nanoTime();
        long lines = 0;
        if (input.isPresent()) {
            try (Stream<String> all = Files.lines(input.get(), StandardCharsets.ISO_8859_1)) {
                lines = all.count();
            }
        }
        long shownNanos = startNanos;
        while (!load.isDone()) {
            boolean third = input.isPresent()
                    ? acknowledgements(acked) >= Math.max(1, lines / 3)
                    : System.nanoTime() - startNanos > TimeUnit.SECONDS.toNanos(seconds) / 3
                            && acknowledgements(acked) > 0;
            if (third) {
                clear();
                return true;
            }
            if (System.nanoTime() - shownNanos > SHOW_NANOS) {
                shownNanos = System.nanoTime();
                showProgress();
            }
            LockSupport.parkNanos(LOOK_NANOS);
        }
        clear();
        return false;
    }

    private static long acknowledgements(Path acked) throws IOException {
        if (!Files.exists(acked)) {
            return 0;
        }
        try (FileChannel file = FileChannel.open(acked, StandardOpenOption.READ)) {
            ByteBuffer bytes = ByteBuffer.allocate(COMPARE_BYTES);
            long lines = 0;
            while (file.read(bytes.clear()) > 0) {
                for (int i = 0; i < bytes.position(); i++) {
                    lines += bytes.get(i) == '\n' ? 1 : 0;
                }
            }
            return lines;
        }
    }

    private void showProgress() throws IOException {
        String now = progress;
        // A line that is painted over shows the lag as well, which changes sooner than the load speaks.
        if (json || now.isEmpty() || (!terminal && now.equals(shown))) {
            return;
        }
        shown = now;
        String standbys = primary.ask("standbys --json");
        String lag = DemoServer.member(standbys, "replay_lag");
        String line = now + "  lag " + (standbys.contains("\"streaming\"") ? lag : "(no standby)");
        System.out.print(terminal ? CLEAR_LINE + line : line + System.lineSeparator());
        System.out.flush();
    }

    private void clear() {
        if (terminal && !json) {
            System.out.print(CLEAR_LINE);
        }
    }

    private void awaitStreaming() throws IOException {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (!primary.ask("standbys --json").contains("\"streaming\"")) {
            if (System.nanoTime() > deadline) {
                throw new Failure(ExitStatus.FAILED, "the standby does not stream; see " + directory);
            }
            LockSupport.parkNanos(LOOK_NANOS);
        }
    }

    private Comparison compare(Path acked) throws IOException {
        String expected = primary.ask("digest --json");
        String found = standby.ask("digest --json");
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (!DemoServer.member(expected, "lsn").equals(DemoServer.member(found, "lsn"))
                && System.nanoTime() < deadline) {
            LockSupport.parkNanos(LOOK_NANOS);
            found = standby.ask("digest --json");
        }
        BitSet present = new BitSet();
        standby.ask("scan --limit " + Integer.MAX_VALUE, new Keys(present), OutputStream.nullOutputStream());
        long acknowledged = 0;
        long missing = 0;
        try (BufferedReader numbers = Files.newBufferedReader(acked)) {
            for (String number = numbers.readLine(); number != null; number = numbers.readLine()) {
                acknowledged++;
                missing += present.get(Integer.parseInt(number)) ? 0 : 1;
            }
        }
        long endLsn = Lsn.parse(DemoServer.member(standby.ask("receiver --json"), "flushed_lsn"))
                .value();
        LogComparison logs = LogComparison.of(primary.path(), standby.path(), endLsn);
        return new Comparison(
                acknowledged,
                missing,
                DemoServer.member(expected, "digest").equals(DemoServer.member(found, "digest")),
                logs.bytes(),
                logs.difference());
    }

    /** Picks the keys out of the lines of a scan. */
    private static final class Keys extends OutputStream {
        private final BitSet present;
        private int digits;
        private int number;

        Keys(BitSet present) {
            this.present = present;
        }

        @Override
        public void write(int b) {
            if (b == '\n') {
                digits = 0;
                number = 0;
            } else if (digits >= 0 && b >= '0' && b <= '9' && digits < KEY_DIGITS) {
                number = number * 10 + b - '0';
                if (++digits == KEY_DIGITS) {
                    present.set(number);
                    digits = -1;
                }
            } else {
                digits = -1;
            }
        }
    }

    private void report(String result, Comparison comparison, boolean midway, double backSeconds) {
        if (json) {
            System.out.println("{\"commits\":" + DemoServer.member(result, "commits")
                    + ",\"commits_per_second\":" + DemoServer.member(result, "commits_per_second")
                    + ",\"p50_us\":" + DemoServer.member(result, "p50_us")
                    + ",\"p99_us\":" + DemoServer.member(result, "p99_us")
                    + ",\"failed\":" + DemoServer.member(result, "failed")
                    + ",\"killed_midway\":" + midway
                    + ",\"standby_back_seconds\":" + String.format(Locale.ROOT, "%.3f", backSeconds)
                    + ",\"acknowledged\":" + comparison.acknowledged()
                    + ",\"missing\":" + comparison.missing()
                    + ",\"stores_equal\":" + comparison.storesEqual()
                    + ",\"logs_equal\":" + comparison.logDifference().isEmpty()
                    + ",\"log_bytes\":" + comparison.logBytes()
                    + ",\"verdict\":\"" + (comparison.isGood() ? "equal" : "different") + "\"}");
            return;
        }
        say(
                "  %s commits at %s per second, p50 %s us, p99 %s us (the pause included), %s failed",
                DemoServer.member(result, "commits"),
                DemoServer.member(result, "commits_per_second"),
                DemoServer.member(result, "p50_us"),
                DemoServer.member(result, "p99_us"),
                DemoServer.member(result, "failed"));
        say(
                "  acknowledged commits on the standby   %,d of %,d",
                comparison.acknowledged() - comparison.missing(), comparison.acknowledged());
        say("  stores                                %s", comparison.storesEqual() ? "equal" : "DIFFERENT");
        say(
                "  logs, byte for byte                   %s",
                comparison.logDifference().isEmpty()
                        ? String.format(Locale.ROOT, "equal, %,d bytes", comparison.logBytes())
                        : "DIFFERENT: " + comparison.logDifference());
        say(comparison.isGood() ? "All is equal: nothing was lost." : "NOT equal: this should never happen.");
    }

    private void say(String format, Object... values) {
        if (!json) {
            System.out.printf(Locale.ROOT, format + "%n", values);
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static void end(DemoServer server) throws InterruptedException {
        try {
            server.stop("immediate");
        } catch (IOException | Failure e) {
            // It does not run, which is what is wanted.
        }
    }

    private static void delete(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
