package lockstep.archive;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import lockstep.io.Clock;
import lockstep.io.Commands;
import lockstep.io.FileDisk;
import lockstep.io.ShellCommands;
import lockstep.io.Step;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.recovery.ControlFile;
import lockstep.recovery.Epochs;
import lockstep.transport.api.Term;
import lockstep.wal.Placement;
import lockstep.wal.RecordGroup;
import lockstep.wal.SegmentFiles;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalConfig;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalLayout;
import lockstep.wal.XlogInfo;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ArchiverTest {
    private static final int MB = 1 << 20;
    private static final WalLayout LAYOUT = new WalLayout(MB);
    private static final int TIMELINE = 2;

    @TempDir
    Path directory;

    private FileDisk disk;
    private SegmentFiles files;
    private Wal wal;
    private Archiver archiver;
    private final List<String> commands = new ArrayList<>();
    private int exit;
    private boolean stopped;
    private long nanos = 1;
    private long checkpointLsn;
    private long checkpointEndLsn;

    private final Clock clock = new Clock() {
        @Override
        public long nanos() {
            return nanos;
        }

        @Override
        public long micros() {
            return TimeUnit.NANOSECONDS.toMicros(nanos) + 1;
        }
    };

    private final Commands recorded = new Commands() {
        @Override
        public int run(String command) throws IOException {
            commands.add(command);
            if (exit < 0) {
                throw new IOException("no shell");
            }
            return exit;
        }

        @Override
        public void stop() {
            stopped = true;
        }
    };

    @BeforeEach
    void open() throws Exception {
        disk = new FileDisk(directory);
        WalIdentity identity = new WalIdentity(1, TimelineHistory.of(TIMELINE), LAYOUT);
        files = new SegmentFiles(disk, identity);
        wal = new Wal(
                new WalConfig(identity, 256 << 10, SyncMethod.FDATASYNC, false),
                disk,
                files,
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                MB);
        wal.startInserting(0);
        wal.start();
        archiver = archiver(new ArchiveConfig(true, "store %p as %f, 100%%%x", 0), recorded);
    }

    private Archiver archiver(ArchiveConfig config, Commands runs) throws IOException {
        return new Archiver(config, runs, disk, wal, this::control, clock);
    }

    private ControlFile control() {
        return new ControlFile(
                1,
                MB,
                TIMELINE,
                ControlFile.State.IN_PRODUCTION,
                checkpointLsn,
                checkpointLsn,
                checkpointLsn,
                1,
                checkpointEndLsn,
                checkpointEndLsn,
                Epochs.first(MB),
                Term.NONE);
    }

    @AfterEach
    void close() {
        wal.close();
    }

    private void insert() {
        RecordGroup group = new RecordGroup();
        group.add(0, XlogInfo.RMGR, XlogInfo.NOOP, 8);
        wal.awaitFlushed(wal.insert(group, Placement.NONE));
    }

    /** Finishes so many segments. */
    private void finish(int count) {
        for (int i = 0; i < count; i++) {
            insert();
            wal.awaitFlushed(wal.switchSegment());
        }
    }

    private void runAll() {
        for (int runs = 0; archiver.run() == Step.AGAIN; runs++) {
            assertTrue(runs < 100, "it does not come to rest");
        }
    }

    private List<String> marks() throws IOException {
        return disk.list(ArchiveStatusFiles.DIRECTORY);
    }

    private static String name(int segment) {
        return LAYOUT.segmentName(TIMELINE, segment);
    }

    @Test
    void eachFinishedSegmentIsArchivedOnceAndInOrder() throws Exception {
        finish(2);
        runAll();
        assertEquals(
                List.of(
                        "store pg_wal/" + name(1) + " as " + name(1) + ", 100%%x",
                        "store pg_wal/" + name(2) + " as " + name(2) + ", 100%%x"),
                commands);
        assertEquals(List.of(name(1) + ".done", name(2) + ".done"), marks());
        assertEquals(2, archiver.status().archivedCount());
        assertEquals(name(2), archiver.status().lastArchivedWal());
        assertEquals(0, archiver.status().waiting());
        runAll();
        assertEquals(2, commands.size());
        finish(1);
        runAll();
        assertEquals(3, commands.size());
    }

    @Test
    void afterAFailureTheSameFileIsTriedAgainLaterAndLater() throws Exception {
        finish(2);
        exit = 1;
        runAll();
        assertEquals(1, commands.size());
        assertEquals(1, archiver.status().failedCount());
        assertEquals(name(1), archiver.status().lastFailedWal());
        assertTrue(
                archiver.status().failure().contains("status 1 for " + name(1)),
                archiver.status().failure());
        assertEquals(2, archiver.status().waiting());
        long waited = 0;
        for (int seconds : new int[] {1, 2, 4, 8, 16, 32, 60, 60}) {
            nanos += TimeUnit.SECONDS.toNanos(seconds) - 1;
            waited = commands.size();
            runAll();
            assertEquals(waited, commands.size(), "too early after " + seconds + " s");
            nanos++;
            runAll();
            assertEquals(waited + 1, commands.size());
        }
        exit = 0;
        nanos += TimeUnit.SECONDS.toNanos(60);
        runAll();
        assertEquals("", archiver.status().failure());
        assertEquals(9, archiver.status().failedCount());
        assertEquals(name(2), archiver.status().lastArchivedWal());
    }

    @Test
    void aNewCommandIsTriedAtOnce() {
        finish(1);
        exit = -1;
        runAll();
        assertTrue(
                archiver.status().failure().contains("no shell"),
                archiver.status().failure());
        exit = 0;
        archiver.configure(new ArchiveConfig(true, "better %f", 0));
        runAll();
        assertEquals("better " + name(1), commands.get(commands.size() - 1));
        assertEquals(1, archiver.status().archivedCount());
    }

    @Test
    void withoutACommandWalIsKept() {
        archiver.configure(new ArchiveConfig(true, " ", 0));
        finish(1);
        runAll();
        assertEquals(List.of(), commands);
        assertTrue(archiver.status().failure().contains("archive_command is empty"));
        assertEquals(0, archiver.status().failedCount());
        assertEquals(MB, archiver.unarchivedLsn());
    }

    @Test
    void whatIsFinishedAndNotArchivedIsKept() throws Exception {
        assertEquals(Long.MAX_VALUE, archiver.unarchivedLsn());
        finish(3);
        assertEquals(MB, archiver.unarchivedLsn(), "whether it has been marked or not");
        archiver.run();
        assertEquals(2L * MB, archiver.unarchivedLsn());
        runAll();
        assertEquals(Long.MAX_VALUE, archiver.unarchivedLsn());
        assertEquals(3, files.removeBefore(4L * MB, wal.filledLsn()));
        runAll();
        assertEquals(List.of(), marks(), "marks go with their files");
    }

    @Test
    void aCrashBetweenTheCommandAndItsMarkRunsTheCommandOnceMore() throws Exception {
        finish(2);
        archiver.run();
        disk.rename(
                ArchiveStatusFiles.DIRECTORY + '/' + name(1) + ".done",
                ArchiveStatusFiles.DIRECTORY + '/' + name(1) + ".ready");
        archiver = archiver(new ArchiveConfig(true, "%f", 0), recorded);
        runAll();
        assertEquals(List.of(name(1), name(2)), commands.subList(1, 3));
    }

    @Test
    void ofAnEarlierTimelineOnlyWhatItLeftUnfinishedOrWaitingIsArchived() throws Exception {
        finish(1);
        String before = LAYOUT.segmentName(1, 0);
        String waiting = LAYOUT.segmentName(1, 1);
        for (String file : List.of(before, waiting, waiting + ".partial", "00000002.history", "00000001.history")) {
            Files.writeString(directory.resolve("pg_wal/" + file), "");
        }
        Files.writeString(directory.resolve("pg_wal/archive_status/" + waiting + ".ready"), "");
        archiver.configure(new ArchiveConfig(true, "%f", 0));
        runAll();
        assertEquals(List.of("00000002.history", waiting, waiting + ".partial", name(1)), commands);
    }

    @Test
    void aMarkWithoutItsFileIsForgotten() throws Exception {
        Files.writeString(directory.resolve("pg_wal/archive_status/" + name(7) + ".ready"), "");
        runAll();
        assertEquals(List.of(), commands);
        assertEquals(List.of(), marks());
    }

    @Test
    void aSegmentWithSomethingInItIsFinishedWhenItsTimeHasCome() throws Exception {
        archiver.configure(new ArchiveConfig(true, "%f", 10_000));
        insert();
        assertEquals(TimeUnit.SECONDS.toNanos(10), archiver.run());
        nanos += TimeUnit.SECONDS.toNanos(10);
        archiver.run();
        assertEquals(2, LAYOUT.segmentOf(wal.filledLsn()));
        wal.awaitFlushed(wal.filledLsn());
        runAll();
        assertEquals(List.of(name(1)), commands);

        nanos += TimeUnit.SECONDS.toNanos(60);
        runAll();
        assertEquals(2, LAYOUT.segmentOf(wal.filledLsn()), "there is nothing in it");
        checkpointLsn = LAYOUT.recordStart(2L * MB);
        insert();
        checkpointEndLsn = wal.filledLsn();
        nanos += TimeUnit.SECONDS.toNanos(60);
        runAll();
        assertEquals(2, LAYOUT.segmentOf(wal.filledLsn()), "there is only the checkpoint in it");
        insert();
        nanos += TimeUnit.SECONDS.toNanos(60);
        runAll();
        assertEquals(3, LAYOUT.segmentOf(wal.filledLsn()));
    }

    @Test
    void closingEndsTheCommandThatRuns() throws Exception {
        Path started = directory.resolve("started");
        archiver = archiver(new ArchiveConfig(true, "touch started; exec sleep 1000", 0), new ShellCommands(directory));
        finish(1);
        archiver.start(new ThreadWorkers());
        while (!Files.exists(started)) {
            Thread.onSpinWait();
        }
        archiver.close();
        assertEquals(0, archiver.status().archivedCount());
        assertEquals(0, archiver.status().failedCount(), "that it was ended is no failure of the command");
        assertFalse(stopped);
    }

    @Test
    void aCopyIsEqualByteForByte() throws Exception {
        archiver = archiver(new ArchiveConfig(true, "cp %p copy_of_%f", 0), new ShellCommands(directory));
        finish(1);
        runAll();
        assertArrayEquals(
                Files.readAllBytes(directory.resolve("pg_wal/" + name(1))),
                Files.readAllBytes(directory.resolve("copy_of_" + name(1))));
    }
}
