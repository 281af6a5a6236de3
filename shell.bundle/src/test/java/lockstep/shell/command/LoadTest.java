package lockstep.shell.command;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import lockstep.commit.LogCommits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LoadTest {
    private static final int LINES = 500;

    @TempDir
    Path directory;

    private ShellOnPrimary shell;

    @BeforeEach
    void start() throws Exception {
        shell = new ShellOnPrimary(directory);
    }

    @AfterEach
    void stop() throws IOException {
        shell.close();
    }

    private static void await(BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, "the condition does not come true");
            LockSupport.parkNanos(1_000_000);
        }
    }

    private List<Integer> acked() throws IOException {
        String text = Files.readString(directory.resolve("acked"));
        assertTrue(text.isEmpty() || text.endsWith("\n"), "a line is written whole");
        try (Stream<String> lines = text.lines()) {
            return lines.map(Integer::valueOf).toList();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "--clients 7", "--outstanding 64"})
    void everyLineIsCommittedAndAcknowledgedOnce(String how) throws IOException {
        List<String> lines =
                IntStream.rangeClosed(1, LINES).mapToObj(n -> "line " + n).toList();
        Files.write(directory.resolve("input"), lines);
        String json = shell.run("load --input input --acked acked --json " + how);
        assertTrue(json.startsWith("{\"commits\":" + LINES + ",\"commits_per_second\":"), json);
        assertTrue(json.contains("\"replicated\":" + LINES + ",\"local_only\":0,\"in_doubt\":0,\"failed\":0,"), json);
        assertEquals(
                IntStream.rangeClosed(1, LINES).boxed().toList(),
                acked().stream().sorted().toList());
        for (int n = 1; n <= LINES; n++) {
            assertEquals("line " + n, shell.run(String.format("get %010d", n)));
        }
    }

    @Test
    void generatedKeysGoOnWhereTheLastLoadEnded() {
        shell.run("put 0000000041 x");
        shell.run("put other x");
        assertEquals(41, Records.lastNumber(shell.server.store()));
        String json = shell.run("load --seconds 1 --bytes 30 --json");
        long commits = Long.parseLong(json.replaceAll("\\{\"commits\":([0-9]+),.*", "$1"));
        assertTrue(commits > 0, json);
        assertTrue(json.endsWith("\"bytes_per_commit\":30.0}"), json);
        assertEquals(41 + commits, Records.lastNumber(shell.server.store()));
        assertEquals("0000000042klmnopqrstuvwxyzabcd", shell.run("get 0000000042"));
    }

    @Test
    void anEmptyStoreHasNoLastNumber() {
        assertEquals(0, Records.lastNumber(shell.server.store()));
    }

    @Test
    void anInterruptionCountsWhatNobodyHeardOf() throws Exception {
        ShellOnPrimary.Run run = shell.start();
        Thread client = new Thread(() -> run.execute("load --outstanding 5 --commit on --acked acked"));
        client.start();
        await(() -> shell.run("queue --json").contains("\"level\":\"on\",\"waiters\":5"));
        run.session.foregroundJob().interrupt();
        client.join();
        await(() -> run.warnings()
                .contains("interrupted after 0 commits; 5 more commits in the WAL of this server had not been"
                        + " acknowledged and may become visible later: IN DOUBT\n"));
        assertTrue(acked().isEmpty());
        assertFalse(Thread.getAllStackTraces().keySet().stream()
                .anyMatch(thread -> thread.getName().equals("load-1") && thread.isAlive()));
    }

    @Test
    void aLoadEndsInTimeAlsoIfNobodyAcknowledgesWhatItHasCommitted() throws IOException {
        ShellOnPrimary.Run run = shell.start()
                .execute("load --seconds 1 --patience 1s --outstanding 5 --commit on --acked acked --json");
        assertTrue(run.error.startsWith("5 commits in the WAL of this server had not been acknowledged"), run.error);
        assertTrue(run.error.endsWith("may become visible later: IN DOUBT"), run.error);
        assertTrue(run.result.contains("\"in_doubt\":5,"), run.result);
        assertTrue(acked().isEmpty());
    }

    @Test
    void aServerThatTakesNoCommitsEndsTheLoadWithTheReason() throws IOException {
        ((LogCommits) shell.primary.commits().orElseThrow()).close();
        ShellOnPrimary.Run run = shell.start().execute("load --clients 3 --json");
        assertTrue(run.error.startsWith("the load ended early: "), run.error);
        assertTrue(run.result.contains("\"commits\":0,"), run.result);
        assertFalse(run.result.contains("\"failed\":0,"), run.result);
    }

    @Test
    void optionsThatContradictEachOtherAreRefused() {
        assertTrue(shell.fail("load --clients 2 --outstanding 3").startsWith("--clients and --outstanding exclude"));
        assertTrue(shell.fail("load --input f --bytes 3").startsWith("--bytes is for generated records"));
        assertEquals("there is no file " + directory.resolve("missing"), shell.fail("load --input missing"));
        assertTrue(shell.fail("load 5").startsWith("usage: load"));
    }

    @Test
    void linesAreTakenAsBytesAndTheLastOneNeedsNoNewline() throws IOException {
        byte[] longLine = "x".repeat(200_000).getBytes(UTF_8);
        List<byte[]> expected = List.of(
                "a\r".getBytes(UTF_8), new byte[0], longLine, new byte[] {(byte) 0xFF, 0}, "end".getBytes(UTF_8));
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        for (int i = 0; i < expected.size(); i++) {
            file.write(expected.get(i));
            if (i < expected.size() - 1) {
                file.write('\n');
            }
        }
        try (LineRecords records = new LineRecords(new ByteArrayInputStream(file.toByteArray()))) {
            Records.Item item = new Records.Item();
            List<byte[]> values = new ArrayList<>();
            while (records.next(item)) {
                values.add(item.value);
                assertEquals(values.size(), item.number);
                assertEquals(String.format("%010d", values.size()), new String(item.key, UTF_8));
            }
            assertArrayEquals(expected.toArray(), values.toArray());
        }
    }
}
