package lockstep.kv.store;

import static lockstep.kv.store.Stores.all;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import lockstep.commit.TestCommits;
import lockstep.commit.TestCommits.Logged;
import lockstep.kv.Digest;
import lockstep.kv.Snapshot;
import lockstep.kv.Transaction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointTest {
    private static final String FILE = "kv/store.mv";
    private static final int BLOCK_BYTES = 4096;
    private static final int HEADER_BYTES = 2 * BLOCK_BYTES;
    private static final int SECTOR_BYTES = 512;

    private final TestCommits commits = new TestCommits();

    @TempDir
    Path directory;

    @TempDir
    Path copies;

    /** Commits the same transactions for the same seed, whoever asks. */
    private static void commitSome(MvKeyValueStore store, TestCommits commits, Random random, int count) {
        for (int i = 0; i < count; i++) {
            Transaction transaction = store.begin();
            for (int j = random.nextInt(5); j >= 0; j--) {
                String key = "key" + random.nextInt(2_000);
                if (random.nextInt(4) == 0) {
                    transaction.delete(key);
                } else {
                    transaction.put(key, "value " + random.nextInt() + "x".repeat(random.nextInt(200)));
                }
            }
            commits.release(transaction.commit());
        }
    }

    /** Opens the file of a server that crashed, redoes the log, and returns what is there then. */
    private static Digest recover(Path directory, List<Logged> log) throws IOException {
        MvKeyValueStore store = Stores.in(directory);
        long held = store.open();
        TestCommits.redo(log, held, store);
        Digest digest = store.digest();
        store.close();
        return digest;
    }

    private Path copy(String name) throws IOException {
        Path to = copies.resolve(name);
        Files.createDirectories(to.resolve("kv"));
        Files.copy(directory.resolve(FILE), to.resolve(FILE));
        return to;
    }

    @Test
    void withoutACheckpointNothingIsOnDiskAndAllIsRedone() throws IOException {
        MvKeyValueStore store = Stores.primary(directory, commits);
        commitSome(store, commits, new Random(1), 100);
        Digest before = store.digest();
        store.close();
        MvKeyValueStore reopened = Stores.in(directory);
        assertEquals(0, reopened.open());
        assertEquals(Map.of(), all(reopened));
        TestCommits.redo(commits.log(), 0, reopened);
        assertEquals(before, reopened.digest());
        reopened.close();
    }

    @Test
    void afterACrashTheFileHoldsTheLastCheckpointAndRedoBringsTheRest() throws IOException {
        MvKeyValueStore store = Stores.primary(directory, commits);
        Random random = new Random(2);
        for (int round = 0; round < 12; round++) {
            commitSome(store, commits, random, 300);
            Digest atCheckpoint = store.digest();
            store.checkpoint(atCheckpoint.lsn());
            commitSome(store, commits, random, 50);
            Path crashed = copy("round" + round);
            MvKeyValueStore reopened = Stores.in(crashed);
            assertEquals(atCheckpoint.lsn(), reopened.open());
            assertEquals(atCheckpoint, reopened.digest());
            TestCommits.redo(commits.log(), atCheckpoint.lsn(), reopened);
            assertEquals(store.digest(), reopened.digest());
            reopened.close();
        }
        store.close();
    }

    @Test
    void aCrashWithinACheckpointLeavesTheOneBefore() throws IOException {
        MvKeyValueStore store = Stores.primary(directory, commits);
        Random random = new Random(15);
        commitSome(store, commits, random, 200);
        store.checkpoint(store.digest().lsn());
        for (int round = 0; round < 200; round++) {
            byte[] before = Files.readAllBytes(directory.resolve(FILE));
            Digest atCheckpoint = store.digest();
            commitSome(store, commits, random, 200);
            store.checkpoint(store.digest().lsn());
            byte[] after = Files.readAllBytes(directory.resolve(FILE));

            Path crashed = copy("within" + round);
            Files.write(crashed.resolve(FILE), withoutLastSectors(before, after));
            MvKeyValueStore reopened = Stores.in(crashed);
            assertEquals(atCheckpoint.lsn(), reopened.open(), "round " + round);
            assertEquals(atCheckpoint, reopened.digest());
            reopened.close();
            Files.delete(crashed.resolve(FILE));
        }
        store.close();
    }

    /** Returns the file with all that a checkpoint wrote but the header, and the last sector of each run of changed blocks. */
    private static byte[] withoutLastSectors(byte[] before, byte[] after) {
        byte[] torn = Arrays.copyOf(before, Math.max(before.length, after.length));
        for (int at = HEADER_BYTES; at < after.length; at += BLOCK_BYTES) {
            if (differs(before, after, at)) {
                int length = differs(before, after, at + BLOCK_BYTES) ? BLOCK_BYTES : BLOCK_BYTES - SECTOR_BYTES;
                System.arraycopy(after, at, torn, at, length);
            }
        }
        return torn;
    }

    private static boolean differs(byte[] before, byte[] after, int at) {
        return at < after.length
                && (at >= before.length || !Arrays.equals(before, at, at + BLOCK_BYTES, after, at, at + BLOCK_BYTES));
    }

    @Test
    void redoSkipsWhatTheFileHolds() throws IOException {
        MvKeyValueStore store = Stores.primary(directory, commits);
        commitSome(store, commits, new Random(3), 200);
        Digest before = store.digest();
        store.checkpoint(commits.endLsn() + 100);
        store.close();
        MvKeyValueStore reopened = Stores.in(directory);
        assertEquals(commits.endLsn() + 100, reopened.open());
        TestCommits.redo(commits.log(), 0, reopened);
        assertEquals(before, reopened.digest());
        reopened.close();
    }

    @Test
    void aChunkThatIsNotWholeDoesNotCount() throws IOException {
        MvKeyValueStore store = Stores.primary(directory, commits);
        commitSome(store, commits, new Random(4), 300);
        store.checkpoint(commits.endLsn());
        long firstLength = Files.size(directory.resolve(FILE));
        Digest first = store.digest();
        commitSome(store, commits, new Random(5), 300);
        store.checkpoint(commits.endLsn());
        store.close();
        long length = Files.size(directory.resolve(FILE));
        assertTrue(length > firstLength);
        for (long cut = firstLength; cut < length; cut += 4096) {
            Path torn = copy("cut" + cut);
            try (RandomAccessFile file = new RandomAccessFile(torn.resolve(FILE).toFile(), "rw")) {
                file.setLength(cut);
            }
            MvKeyValueStore reopened = Stores.in(torn);
            assertEquals(first.lsn(), reopened.open());
            assertEquals(first, reopened.digest());
            reopened.close();
        }
        Path torn = copy("footer");
        try (RandomAccessFile file = new RandomAccessFile(torn.resolve(FILE).toFile(), "rw")) {
            file.seek(length - 512);
            file.write(new byte[512]);
        }
        assertEquals(store(torn), first.lsn());
    }

    private static long store(Path directory) throws IOException {
        MvKeyValueStore store = Stores.in(directory);
        long lsn = store.open();
        store.close();
        return lsn;
    }

    @Test
    void aFileThatIsNoStoreIsRefusedByName() throws IOException {
        Files.createDirectories(directory.resolve("kv"));
        Files.write(directory.resolve(FILE), new byte[10_000]);
        IOException refused =
                assertThrows(IOException.class, () -> Stores.in(directory).open());
        assertTrue(refused.getMessage().contains(FILE), refused.getMessage());
    }

    @Test
    void checkpointsUnderLoadHoldWholeCommitsOnly() throws Exception {
        MvKeyValueStore store = Stores.primary(directory, commits);
        AtomicBoolean stop = new AtomicBoolean();
        CompletableFuture<Void> writer = CompletableFuture.runAsync(() -> {
            Random random = new Random(6);
            while (!stop.get()) {
                commitSome(store, commits, random, 100);
            }
        });
        List<Path> crashed = new ArrayList<>();
        for (int i = 0; i < 15; i++) {
            store.checkpoint(0);
            crashed.add(copy("load" + i));
        }
        stop.set(true);
        writer.get(1, TimeUnit.MINUTES);
        List<Logged> log = commits.log();
        Digest now = store.digest();
        store.close();
        for (Path copy : crashed) {
            MvKeyValueStore reopened = Stores.in(copy);
            long held = reopened.open();
            MvKeyValueStore redone = Stores.in(copies.resolve("redone" + held));
            redone.open();
            TestCommits.redo(log.stream().filter(l -> l.commitLsn() <= held).toList(), 0, redone);
            assertEquals(redone.digest(), reopened.digest());
            redone.close();
            reopened.close();
            assertEquals(now, recover(copy, log));
        }
    }

    @Test
    void anOpenSnapshotSurvivesCheckpointsAndCompaction() throws IOException {
        MvKeyValueStore store = Stores.primary(directory, commits);
        Random random = new Random(7);
        commitSome(store, commits, random, 2_000);
        store.checkpoint(0);
        Snapshot snapshot = store.snapshot();
        Map<String, String> before = all(snapshot);
        for (int i = 0; i < 30; i++) {
            commitSome(store, commits, random, 500);
            store.checkpoint(0);
        }
        store.forgetCachedPages();
        assertEquals(before, all(snapshot));
        snapshot.close();
        assertThrows(IllegalStateException.class, () -> snapshot.get("a"));
        store.close();
    }

    @Test
    void overwritingDoesNotMakeTheFileGrowWithoutBound() throws IOException {
        MvKeyValueStore store = Stores.primary(directory, commits);
        Random random = new Random(8);
        long early = 0;
        long largest = 0;
        for (int i = 0; i < 200; i++) {
            commitSome(store, commits, random, 200);
            store.checkpoint(0);
            long length = Files.size(directory.resolve(FILE));
            if (i < 40) {
                early = Math.max(early, length);
            }
            largest = Math.max(largest, length);
        }
        assertTrue(largest < 2 * early, largest + " bytes after " + early);
        Digest before = store.digest();
        store.close();
        assertEquals(before, recover(directory, List.of()));
    }

    @Test
    void aBackupTakenUnderLoadOpens() throws Exception {
        MvKeyValueStore store = Stores.primary(directory, commits);
        commitSome(store, commits, new Random(9), 500);
        store.checkpoint(0);
        AtomicBoolean stop = new AtomicBoolean();
        CompletableFuture<Void> writer = CompletableFuture.runAsync(() -> {
            Random random = new Random(10);
            try {
                while (!stop.get()) {
                    commitSome(store, commits, random, 100);
                    store.checkpoint(0);
                }
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        });
        List<Path> backups = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            Path to = copies.resolve("backup" + i);
            Digest notBefore = store.digest();
            store.checkpoint(0);
            store.backup((path, lengthBytes, content) -> {
                assertEquals(FILE, path);
                Files.createDirectories(to.resolve("kv"));
                byte[] half = content.readNBytes((int) (lengthBytes / 2));
                for (int round = 0; round < 4; round++) { // The world goes on while a slow standby reads.
                    commitSome(store, commits, new Random(round), 100);
                    store.checkpoint(0);
                }
                byte[] rest = content.readAllBytes();
                assertEquals(lengthBytes, half.length + rest.length);
                Files.write(to.resolve(path), half);
                Files.write(to.resolve(path), rest, StandardOpenOption.APPEND);
            });
            assertTrue(store(to) >= notBefore.lsn());
            backups.add(to);
        }
        stop.set(true);
        writer.get(1, TimeUnit.MINUTES);
        Digest now = store.digest();
        store.close();
        for (Path backup : backups) {
            assertEquals(now, recover(backup, commits.log()));
        }
    }

    @Test
    void aBackupIsWholeEvenIfTheEndOfTheFileBecomesFreeMeanwhile() throws IOException {
        MvKeyValueStore store = Stores.primary(directory, commits);
        for (int i = 0; i < 12; i++) {
            for (int round = 0;
                    round <= i % 6;
                    round++) { // The more, the further in front of a free end is the last chunk.
                commits.release(store.put("large", round == 0 ? "x".repeat(1 << 20) : "small" + i));
                store.checkpoint(0);
            }
            Digest atCheckpoint = store.digest();
            Path to = copies.resolve("backup" + i);
            store.backup((path, lengthBytes, content) -> {
                for (int round = 0; round < 3; round++) {
                    commits.release(store.put("small", "round" + round));
                    store.checkpoint(0);
                }
                Files.createDirectories(to.resolve("kv"));
                assertEquals(lengthBytes, Files.copy(content, to.resolve(path)));
            });
            assertEquals(atCheckpoint, recover(to, List.of()));
        }
        store.close();
    }

    @Test
    void aStoreOpensAgainOnAFileThatReplacedItsOwn() throws IOException {
        MvKeyValueStore store = Stores.primary(directory, commits);
        commitSome(store, commits, new Random(11), 100);
        store.checkpoint(0);
        Digest saved = store.digest();
        Path other = copy("other");
        commitSome(store, commits, new Random(12), 100);
        store.checkpoint(0);
        store.close();
        assertThrows(IllegalStateException.class, store::digest);
        Files.delete(directory.resolve(FILE));
        Files.copy(other.resolve(FILE), directory.resolve(FILE));
        assertEquals(saved.lsn(), store.open());
        assertEquals(saved, store.digest());
        store.close();
    }

    @Test
    void aReaderThatIsInterruptedDoesNotCloseTheFile() throws IOException {
        MvKeyValueStore store = Stores.primary(directory, commits);
        commitSome(store, commits, new Random(13), 500);
        store.checkpoint(0);
        store.forgetCachedPages();
        Thread.currentThread().interrupt();
        Map<String, String> interrupted = all(store);
        assertTrue(Thread.interrupted());
        store.forgetCachedPages();
        assertEquals(interrupted, all(store));
        assertFalse(interrupted.isEmpty());
        store.close();
    }

    /** What the child process of the next test does until it is killed: same transactions, a checkpoint now and then. */
    public static void main(String[] args) throws IOException {
        TestCommits commits = new TestCommits(false);
        MvKeyValueStore store = Stores.primary(Path.of(args[0]), commits);
        Random random = new Random(Long.parseLong(args[1]));
        while (true) {
            commitSome(store, commits, random, 200);
            Digest digest = store.digest();
            System.out.println("begin " + digest.lsn());
            store.checkpoint(digest.lsn());
            System.out.println("done " + digest.lsn() + " " + digest.sha256());
        }
    }

    @Test
    void afterKillTheFileHoldsTheLastCheckpointOrTheOneThatWasBeingTaken() throws Exception {
        Random random = new Random(14);
        for (int round = 0; round < 5; round++) {
            Path killed = copies.resolve("killed" + round);
            Process child = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"))
                                    .replace("\n", File.pathSeparator),
                            CheckpointTest.class.getName(),
                            killed.toString(),
                            Integer.toString(round))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            Map<Long, String> done = new HashMap<>();
            long last = 0;
            long begun = 0;
            int linesToRead = 2 + random.nextInt(60);
            try (BufferedReader lines =
                    new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
                String line;
                while ((line = lines.readLine()) != null) {
                    String[] words = line.split(" ", -1);
                    long lsn = Long.parseLong(words[1]);
                    if (words[0].equals("begin")) {
                        begun = lsn;
                    } else {
                        last = lsn;
                        done.put(lsn, words[2]);
                    }
                    if (--linesToRead == 0) {
                        child.toHandle().destroyForcibly(); // Leaves the lines that it wrote readable.
                    }
                }
            }
            child.waitFor();
            assertTrue(linesToRead <= 0, "the child ended by itself");
            MvKeyValueStore reopened = Stores.in(killed);
            long held = reopened.open();
            assertTrue(held == last || held == begun, held + " is neither " + last + " nor " + begun);
            if (held == last) {
                assertEquals(done.get(held), reopened.digest().sha256());
            }
            reopened.close();
        }
    }
}
