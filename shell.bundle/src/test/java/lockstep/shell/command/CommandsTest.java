package lockstep.shell.command;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import lockstep.transport.api.Lsn;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CommandsTest {
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

    private static void matches(String pattern, String text) {
        assertTrue(text.matches(pattern), text);
    }

    private static void await(BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, "the condition does not come true");
            LockSupport.parkNanos(1_000_000);
        }
    }

    /** An interruption while Gogo prints would close its output. */
    private static boolean theCommandWaits() {
        return Thread.getAllStackTraces().keySet().stream()
                .anyMatch(thread ->
                        thread.getName().startsWith("pipe-put") && thread.getState() == Thread.State.TIMED_WAITING);
    }

    @Test
    void whatIsPutIsThereUntilItIsDeleted() {
        matches("COMMIT 0/[0-9A-F]+ REPLICATED\\(local\\)", shell.run("put greeting 'hello world'"));
        assertEquals("hello world", shell.run("get greeting"));
        matches(
                "\\{\"key\":\"greeting\",\"value\":\"hello world\",\"lsn\":\"0/[0-9A-F]+\"}",
                shell.run("get greeting --json"));
        shell.run("del greeting");
        assertEquals("there is no key \"greeting\"", shell.fail("get greeting"));
    }

    @Test
    void optionsStandAnywhereAndWordsStayAsTheyWereTyped() {
        matches(
                "\\{\"lsn\":\"(0/[0-9A-F]+)\",\"level\":\"local\",\"outcome\":\"REPLICATED\",\"detail\":\"local\","
                        + "\"receipt\":\"1/1/\\1\",\"flushed_us\":[0-9]+,\"released_us\":[0-9]+,"
                        + "\"micros\":[0-9]+,\"standbys\":\\[]}",
                shell.run("put --json 0000000007 --commit local 1e3"));
        assertEquals("1e3", shell.run("get 0000000007"));
        shell.run("put true null");
        assertEquals("null", shell.run("get true"));
    }

    @Test
    void aWrongCommandLineIsAnsweredWithTheUsage() {
        assertEquals("usage: put KEY VALUE [--commit LEVEL] [--timeout DURATION] [--json]", shell.fail("put key"));
        assertEquals(
                "there is no option --jsn here; usage: get KEY [--after LSN] [--json]", shell.fail("get key --jsn"));
        assertTrue(shell.fail("put k v --commit sure").startsWith("\"sure\" is no commit level"));
        assertTrue(shell.fail("get k --after 12").contains("is no LSN"));
        assertEquals("--limit 0: expected a whole number from 1 to 2147483647", shell.fail("scan --limit 0"));
        assertTrue(shell.fail("wal dumb").startsWith("there is no \"dumb\" here; usage: wal ls"));
        assertTrue(shell.fail("wal ls 0/1").startsWith("usage: wal ls"));
    }

    @Test
    void anExplanationNamesWhoIsAwaitedAndWhatComesNext() throws Exception {
        await(() -> shell.run("status --json").contains("\"mode\":\"waiting\""));
        String explained = shell.run("queue explain --json");
        assertTrue(explained.contains("\"on\":\"waits\""), explained);
        assertTrue(explained.contains("\"local\":\"released\""), explained);
        assertTrue(
                explained.contains("{\"name\":\"*\",\"awaited\":\"awaited\",\"stage\":\"not connected\""), explained);
        assertTrue(explained.contains("(standby_unavailable = hang)"), explained);
        assertTrue(shell.run("queue explain 0/1").startsWith("lsn "));
        assertTrue(shell.fail("queue explode").endsWith("usage: queue [explain [LSN]] [--json]"));
    }

    @Test
    void aDegradedPeriodIsInTheLogOfPeriodsInTheWalAndInTheStatus() throws Exception {
        assertEquals("the server has never been degraded, as far as it knows", shell.run("degraded log"));
        shell.degrade();
        await(() -> shell.run("status --json").contains("\"mode\":\"degraded\""));
        String degraded = shell.run("degraded log --json");
        assertTrue(degraded.contains("\"operator\":\"standby_unavailable=degrade\""), degraded);
        assertTrue(degraded.contains("\"to_lsn\":null"), degraded);
        assertTrue(shell.run("wal dump").contains("desc: NOOP lockstep degraded tli=1 from="));
        matches("COMMIT 0/[0-9A-F]+[\\s\\S]*", shell.run("put k v --commit on"));
    }

    @Test
    void scanSaysWhenThereIsMore() {
        shell.run("put a1 x");
        shell.run("put a2 'tab\there'");
        shell.run("put b1 z");
        assertEquals("a1\tx\na2\ttab\\there\n", shell.run("scan a"));
        ShellOnPrimary.Run run = shell.start().execute("scan --limit 2");
        assertEquals("a1\tx\na2\ttab\\there\n", run.result);
        assertEquals("there are more than these 2; --limit shows more\n", run.warnings());
        assertEquals("", shell.start().execute("scan --limit 3").warnings());
        matches(
                "\\{\"lsn\":\"0/[0-9A-F]+\",\"pairs\":\\[\\{\"key\":\"a1\",\"value\":\"x\"}],\"more\":true}\n",
                shell.run("scan --limit 1 --json"));
    }

    @Test
    void getWaitsForAnLsnThatIsThere() {
        String lsn = shell.commit("put k v");
        assertEquals("v", shell.run("get k --after " + lsn));
    }

    @Test
    void digestNamesTheLsnOfTheLastCommit() {
        String lsn = shell.commit("put k v");
        matches("\\{\"digest\":\"[0-9a-f]{64}\",\"lsn\":\"" + lsn + "\"}", shell.run("digest --json"));
    }

    @Test
    void aCommitThatWaitsLongSaysForWhatAndAnInterruptionEndsOnlyTheWait() throws Exception {
        ShellOnPrimary.Run run = shell.start();
        CountDownLatch ended = new CountDownLatch(1);
        Thread client = new Thread(() -> {
            run.execute("put k v --commit on");
            ended.countDown();
        });
        client.start();
        await(() -> run.warnings().contains("\n"));
        assertTrue(
                run.warnings()
                        .startsWith(
                                "waiting for standbys: 0 of 1 required standbys can acknowledge (FIRST 1 (*)); commits"
                                        + " wait until enough standbys stream"),
                run.warnings());
        matches(
                "(?s).*\"level\":\"on\",\"waiters\":1,\"oldest_wait_us\":[0-9]+,\"oldest_lsn\":\"0/.*",
                shell.run("queue --json"));
        await(CommandsTest::theCommandWaits);
        run.session.foregroundJob().interrupt();
        assertTrue(ended.await(1, TimeUnit.MINUTES));
        client.join();
        await(() -> run.warnings().lines().count() == 2);
        matches(
                "(?s).*\nthe commit at (0/[0-9A-F]+) is IN DOUBT: the client's wait was interrupted\\. It is in the WAL of this"
                        + " server, and becomes visible when it is as safe as on says\\. Ask later: commit status 1/1/\\1\n",
                run.warnings());
        assertEquals("there is no key \"k\"", shell.fail("get k"));
    }

    @Test
    void aCommitThatTimesOutIsInDoubtUntilAnOperatorReleasesIt() {
        ShellOnPrimary.Run run = shell.start().execute("put k v --commit on --timeout 10ms --json");
        matches("(?s)\\{\"lsn\".*\"outcome\":\"IN_DOUBT\",\"detail\":\"the client's wait timed out\".*", run.result);
        String receipt = run.error.replaceAll(".*commit status ", "");
        matches("1/1/0/[0-9A-F]+", receipt);
        assertEquals("IN DOUBT", shell.run("commit status " + receipt));
        assertEquals("there is no key \"k\"", shell.fail("get k"));
        String lsn = receipt.substring("1/1/".length());
        assertEquals(
                "{\"status\":\"LOST\",\"lsn\":\"0/10\",\"reason\":\"epoch 1 of this log begins at 0/100000\"}",
                shell.run("commit status 0/10 --epoch 1 --json"));
        shell.primary.wal().orElseThrow().awaitFlushed(Lsn.parse(lsn).value());
        assertTrue(shell.fail("commit release F/0")
                .startsWith("no commit is released: F/0 is past the end of the log at "));
        assertEquals("1 commit released up to " + lsn + " (LOCAL_ONLY)", shell.run("commit release " + lsn));
        assertEquals("v", shell.run("get k"));
        assertEquals("COMMITTED", shell.run("commit status " + lsn + " --timeline 1 --epoch 1"));
        assertEquals(
                "IN DOUBT: this log has no timeline 2, its newest is 1: a server that has it can tell",
                shell.run("commit status " + lsn + " --timeline 2"));
        assertTrue(shell.fail("commit lost 0/10").startsWith("there is no \"lost\" here; usage: commit status"));
    }

    @Test
    void statusFitsOnAScreenAndIsOneObject() {
        String status = shell.run("status");
        matches("(?s)role +primary\nstate +running\n.*", status);
        assertTrue(status.lines().count() <= 25, status);
        String json = shell.run("status --json");
        matches("\\{\"role\":\"primary\",\"state\":\"running\",.*\"flush_lsn\":\"0/[0-9A-F]+\".*}", json);
        assertEquals(1, json.lines().count());
    }

    @Test
    void commandsOfAStandbySayThatThisIsAPrimary() {
        assertEquals("this server is a primary: the WAL receiver runs on a standby", shell.fail("receiver"));
        assertEquals("this server is a primary: redo is paused and resumed on a standby", shell.fail("redo pause"));
        assertEquals("no standby is connected", shell.run("standbys"));
        assertEquals("{\"standbys\":[]}", shell.run("standbys --json"));
    }

    @Test
    void commandsOfAPrimarySayWhatThisServerIs() {
        shell.server.primary = null;
        assertEquals(
                "this server is still starting: it is neither a primary nor a standby yet", shell.fail("standbys"));
        shell.server.store = null;
        assertTrue(shell.fail("get k").startsWith("there is no key-value store here"));
        assertTrue(shell.fail("show").startsWith("this server is still starting"));
    }

    @Test
    void segmentsAreListedWithTheirState() {
        shell.run("put k v");
        String lsn = shell.run("wal switch").replaceAll("lsn +", "");
        shell.run("put k w");
        List<String> states = shell.run("wal ls").lines().skip(1).toList();
        matches("0{7}10{15}1 +0/100000 +0/200000 +whole +1 MB", states.get(0));
        matches("0{7}10{15}2 +0/200000 +0/300000 +partial +1 MB", states.get(1));
        assertEquals("0/200000", lsn);
    }

    @Test
    void theDumpDescribesOurRecordsAndThoseOfTheStore() {
        String lsn = shell.commit("put k v");
        String dump = shell.run("wal dump");
        assertTrue(dump.contains("rmgr: Transaction") && dump.contains("desc: COMMIT"), dump);
        assertTrue(dump.contains("rmgr: kv"), dump);
        matches(
                "(?s)\\{\"records\":\\[\\{.*\"end_lsn\":\"" + lsn + "\".*\"rmgr\":\"Transaction\".*]}\n",
                shell.run("wal dump --json"));
    }

    @Test
    void aRestorePointIsARecordWithItsName() {
        String lsn = shell.run("wal restore-point before-upgrade").replaceAll("(?s)lsn +([0-9A-F/]+).*", "$1");
        matches(
                "(?s).*\"end_lsn\":\"" + lsn + "\"[^}]*\"rmgr\":\"XLOG\"[^}]*RESTORE_POINT before-upgrade\".*",
                shell.run("wal dump --json"));
        assertTrue(shell.fail("wal restore-point").startsWith("usage:"));
        assertTrue(shell.fail("wal restore-point " + "x".repeat(64)).contains("expected 1 to 63 bytes"));
    }

    @Test
    void goodWalIsVerifiedAndAFlippedByteIsFoundWithItsSegment() throws IOException {
        for (int i = 0; i < 20; i++) {
            shell.run("put key" + i + " value");
        }
        matches("the WAL from 0/100000 to 0/[0-9A-F]+ is good: [0-9]+ records in 1 segment", shell.run("wal verify"));
        String lsn = shell.commit("put victim value");
        shell.run("put last value");
        Path segment = directory.resolve("pg_wal/000000010000000000000001");
        // The commit record's data ends right before the LSN, but for padding.
        long offset = Long.parseLong(lsn.substring(2), 16) % (1 << 20) - 16;
        try (FileChannel file = FileChannel.open(segment, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer octet = ByteBuffer.allocate(1);
            file.read(octet, offset);
            octet.put(0, (byte) (octet.get(0) ^ 1)).rewind();
            file.write(octet, offset);
        }
        matches(
                "WAL is corrupted in segment 000000010000000000000001 at 0/[0-9A-F]+: .*checksum.*",
                shell.fail("wal verify"));
    }

    @Test
    void aSegmentThatIsMissingIsDamage() throws IOException {
        shell.run("put k v");
        shell.run("wal switch");
        shell.run("put k w");
        shell.run("wal switch");
        shell.run("put k x");
        Files.delete(directory.resolve("pg_wal/000000010000000000000002"));
        assertTrue(shell.fail("wal verify").startsWith("WAL is corrupted in segment 000000010000000000000002"));
    }

    @Test
    void aCheckpointMovesTheRedoPosition() {
        String before = shell.run("checkpoint --json");
        shell.run("put k v");
        String after = shell.run("checkpoint --json");
        matches("\\{\"checkpoint_lsn\":\"0/[0-9A-F]+\",\"redo_lsn\":\"0/[0-9A-F]+\"}", after);
        assertFalse(before.equals(after));
    }
}
