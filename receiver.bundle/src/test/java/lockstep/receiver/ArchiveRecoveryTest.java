package lockstep.receiver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import lockstep.commit.CommitLevel;
import lockstep.commit.SynchronousConfig;
import lockstep.io.Clock;
import lockstep.io.Disk;
import lockstep.io.FileDisk;
import lockstep.io.Shutdown;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.primary.Primary;
import lockstep.primary.PrimaryConfig;
import lockstep.receiver.RecoveryConfig.TargetAction;
import lockstep.receiver.RecoveryConfig.TargetTimeline;
import lockstep.receiver.api.ReceiverState;
import lockstep.receiver.api.RedoState;
import lockstep.receiver.api.StandbyReport;
import lockstep.recovery.Checkpointer;
import lockstep.recovery.ControlFile;
import lockstep.redo.Redone;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SenderConfig;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.StartReplication;
import lockstep.wal.SegmentFiles;
import lockstep.wal.TimelineHistory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ArchiveRecoveryTest {
    private static final Endpoint PRIMARY = Endpoint.parse("memory://primary");
    private static final int BUFFER_BYTES = 256 << 10;

    /** The methods of a disk that change what is on it, or begin to. */
    private static final Set<String> CHANGES =
            Set.of("open", "create", "createEmpty", "writeAtomically", "rename", "delete");

    private static final int SEGMENT_COMMITS = ScriptedPrimary.SEGMENT_BYTES / 80;

    @TempDir
    Path directory;

    private final MemoryTransport transport = new MemoryTransport();
    private final Transports transports = new Transports();
    private Path archiveDirectory;
    private Path dataDirectory;
    private ScriptedPrimary primary;
    private Listener listener;
    private Disk disk;
    private ResourceManagers managers;
    private Numbers numbers;
    private DirectoryArchive archive;
    private Standby server;
    private volatile Redone redone;
    private volatile int exitStatus = -1;
    private volatile String exitReason = "";

    @BeforeEach
    void backup() throws IOException {
        primary = new ScriptedPrimary(new FileDisk(Files.createDirectory(directory.resolve("primary"))));
        listener = transport.listen(PRIMARY, primary);
        transports.add(transport);
        archiveDirectory = Files.createDirectory(directory.resolve("archive"));
        use(Files.createDirectory(directory.resolve("data")));
        open(RecoveryConfig.NONE, true);
        awaitExit();
        assertEquals(Shutdown.GOOD, exitStatus, exitReason);
        assertTrue(exitReason.startsWith("the base backup is complete: 1 files"), exitReason);
        server.close();
        exitReason = "";
        exitStatus = -1;
    }

    /** Goes on with this data directory. */
    private void use(Path data) throws IOException {
        dataDirectory = data;
        archive = new DirectoryArchive(archiveDirectory, data);
        use(new FileDisk(data));
    }

    private void use(Disk data) throws IOException {
        disk = data;
        numbers = new Numbers(data);
        managers = new ResourceManagers();
        managers.add(numbers);
        redone = null;
    }

    private void open(RecoveryConfig recovery, boolean backupOnly) {
        StandbyConfig config = new StandbyConfig(
                "s1",
                recovery.standbyMode() ? List.of(PRIMARY) : List.of(),
                20,
                60_000,
                10_000,
                BUFFER_BYTES,
                SyncMethod.FDATASYNC,
                new SenderConfig(10, 60_000),
                "",
                false,
                new Retention.Config(0, -1, 8 << 20, 10),
                recovery,
                backupOnly,
                "",
                true,
                Optional.empty());
        server = new Standby(
                config,
                disk,
                Clock.SYSTEM,
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                managers,
                transports,
                left -> redone = left,
                senders -> {},
                archive,
                (status, reason) -> {
                    exitReason = reason;
                    exitStatus = status;
                });
        server.start();
    }

    private void recover(RecoveryTarget target) {
        recover(target, TargetAction.PAUSE);
    }

    private void recover(RecoveryTarget target, TargetAction action) {
        open(recovery(false, target, action), false);
    }

    private static RecoveryConfig recovery(boolean standbyMode, RecoveryTarget target, TargetAction action) {
        return new RecoveryConfig(
                standbyMode,
                Optional.of(DirectoryArchive.COMMAND),
                target,
                action,
                new TargetTimeline(true, OptionalInt.empty()));
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
        primary.close();
    }

    /** Copies all whole segments, as an archive_command has done. */
    private void archiveSegments() throws IOException {
        primary.finishSegment();
        try (Stream<Path> files = Files.list(directory.resolve("primary").resolve(SegmentFiles.DIRECTORY))) {
            for (Path file : files.sorted().toList()) {
                String name = file.getFileName().toString();
                long number = primary.layout.segmentNumber(name);
                boolean history = name.endsWith(".history");
                if (history || (number >= 0 && primary.layout.segmentStart(number + 1) <= primary.end())) {
                    Files.copy(file, archiveDirectory.resolve(name));
                }
            }
        }
    }

    private Path archived(long lsn) {
        return archiveDirectory.resolve(
                primary.layout.segmentName(ScriptedPrimary.TIMELINE, primary.layout.segmentOf(lsn)));
    }

    private void change(long lsn, byte[] bytes) throws IOException {
        try (FileChannel file = FileChannel.open(archived(lsn), StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.wrap(bytes), primary.layout.offsetInSegment(lsn));
        }
    }

    private static void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, what);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    private void awaitExit() {
        await("the end of the server", () -> exitStatus >= 0);
    }

    private void awaitApplied(long lsn) {
        await("redo up to " + Lsn.text(lsn), () -> report().redo().appliedLsn() >= lsn);
    }

    private StandbyReport report() {
        return server.report();
    }

    private void assertPausedWith(String reason, long count) {
        await(reason, () -> report().redo().state() == RedoState.PAUSED || exitStatus >= 0);
        assertEquals("", exitReason);
        assertTrue(report().redo().reason().contains(reason), report().redo().reason());
        assertNumbers(count);
    }

    /** Waits until recovery has ended with a promotion, and lets the primary take over. */
    private void assertPromoted(int timeline, long startLsn, long count) throws IOException {
        await("the promotion", () -> redone != null || exitStatus >= 0);
        assertEquals("", exitReason);
        assertNumbers(count);
        TimelineHistory history = TimelineHistory.read(disk, timeline);
        assertEquals(startLsn, history.startLsn());
        server.close();
        assertEquals(timeline, ControlFile.read(disk).timeline());
        assertPrimaryHas(Optional.of(redone), count);
        assertTrue(disk.list(SegmentFiles.DIRECTORY)
                .contains(primary.layout.segmentName(timeline, primary.layout.segmentOf(startLsn))));
        use(disk);
        assertPrimaryHas(Optional.empty(), count);
    }

    /** Starts a primary on the data directory, and stops it. */
    private void assertPrimaryHas(Optional<Redone> handover, long count) throws IOException {
        try (Primary promoted = new Primary(
                new PrimaryConfig(
                        ScriptedPrimary.SEGMENT_BYTES,
                        BUFFER_BYTES,
                        SyncMethod.FDATASYNC,
                        CommitLevel.LOCAL,
                        SynchronousConfig.hang(""),
                        new Checkpointer.Config(300_000, 8 << 20, new Retention.Config(0, -1, 8 << 20, 10)),
                        new SenderConfig(10, 60_000)),
                disk,
                Clock.SYSTEM,
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                managers,
                handover,
                () -> {})) {
            promoted.start();
            await("the primary", () -> promoted.state() != Primary.State.RECOVERING);
            assertEquals(Primary.State.RUNNING, promoted.state(), promoted.reason());
            assertNumbers(count);
        }
    }

    private void assertNumbers(long count) {
        assertEquals(LongStream.range(0, count).boxed().toList(), List.copyOf(numbers.numbers()));
    }

    private void assertFailed(String... words) {
        awaitExit();
        assertEquals(Shutdown.CANNOT_START, exitStatus);
        for (String word : words) {
            assertTrue(exitReason.contains(word), exitReason);
        }
    }

    @Test
    void recoveryEndsAtARestorePoint() throws IOException {
        primary.commit(0, 2 * SEGMENT_COMMITS);
        long point = primary.restorePoint("before the upgrade");
        primary.commit(2 * SEGMENT_COMMITS, 4 * SEGMENT_COMMITS);
        archiveSegments();
        recover(RecoveryTarget.name("before the upgrade"));
        assertPausedWith("paused at recovery target restore point \"before the upgrade\"", 2 * SEGMENT_COMMITS);
        assertEquals(point, report().redo().appliedLsn());
        await("the restored file is removed", () -> !disk.exists(Archive.RESTORED));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void recoveryEndsAfterOrBeforeATransaction(boolean inclusive) throws IOException {
        primary.commit(0, 10);
        int xid = primary.commitAt(10, 0);
        primary.commit(11, 20);
        archiveSegments();
        recover(RecoveryTarget.xid(Integer.toString(xid), inclusive));
        assertPausedWith("transaction " + xid, inclusive ? 11 : 10);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void recoveryEndsAtTheFirstCommitThatIsTooLate(boolean inclusive) throws IOException {
        long noon = 828_316_800_000_000L;
        primary.commitAt(0, noon - 1);
        primary.commitAt(1, noon);
        primary.commitAt(2, noon + 1);
        primary.commitAt(3, noon - 5);
        archiveSegments();
        recover(RecoveryTarget.time("2026-04-01 01:00:00+01", inclusive, java.time.ZoneOffset.UTC));
        assertPausedWith("time 2026-04-01T00:00:00Z", inclusive ? 2 : 1);
    }

    @Test
    void recoveryEndsBeforeThePositionItIsToldAndAfterItIfThatIsPart() throws IOException {
        long lsn = primary.layout.recordStart(primary.commit(0, 10));
        primary.commit(10, 20);
        archiveSegments();
        recover(RecoveryTarget.lsn(Lsn.text(lsn), false));
        assertPausedWith("LSN " + Lsn.text(lsn), 10);
        assertEquals(lsn, primary.layout.recordStart(report().redo().appliedLsn()));
        server.close();
        recover(RecoveryTarget.lsn(Lsn.text(lsn), true));
        // The record that begins there is the change of the next transaction, which its commit record makes visible.
        assertPausedWith("LSN " + Lsn.text(lsn), 10);
        assertTrue(report().redo().appliedLsn() > lsn);
    }

    @Test
    void withoutATargetRecoveryEndsWhereTheArchiveEnds() throws IOException {
        primary.commit(0, 3 * SEGMENT_COMMITS);
        archiveSegments();
        recover(RecoveryTarget.none());
        assertPromoted(2, primary.end(), 3 * SEGMENT_COMMITS);
    }

    @Test
    void theLastSegmentMayBeOneThatWasNotFinished() throws IOException {
        primary.commit(0, SEGMENT_COMMITS);
        archiveSegments();
        long endLsn = primary.commit(SEGMENT_COMMITS, SEGMENT_COMMITS + 10);
        primary.finishSegment();
        Path unfinished = archived(endLsn);
        Files.copy(
                directory.resolve("primary").resolve(SegmentFiles.DIRECTORY).resolve(unfinished.getFileName()),
                unfinished);
        byte[] rest = new byte[ScriptedPrimary.SEGMENT_BYTES - primary.layout.offsetInSegment(endLsn)];
        change(endLsn, rest);
        recover(RecoveryTarget.none());
        assertPromoted(2, endLsn, SEGMENT_COMMITS + 10);
    }

    @Test
    void aTargetThatIsNotInTheArchiveIsAnError() throws IOException {
        primary.commit(0, 10);
        archiveSegments();
        recover(RecoveryTarget.name("never"));
        assertFailed("recovery ended before configured recovery target was reached", "restore point \"never\"");
        assertNumbers(10);
    }

    @Test
    void aMissingSegmentEndsRecoveryBeforeItsTarget() throws IOException {
        primary.commit(0, SEGMENT_COMMITS);
        long inSecond = primary.end();
        primary.commit(SEGMENT_COMMITS, 3 * SEGMENT_COMMITS);
        primary.restorePoint("late");
        archiveSegments();
        Files.delete(archived(inSecond));
        recover(RecoveryTarget.name("late"));
        assertFailed("recovery ended before configured recovery target was reached", "late");
    }

    @Test
    void damageInTheArchiveIsNamedAndNeverTakenForTheEnd() throws IOException {
        long good = primary.commit(0, SEGMENT_COMMITS + 5);
        primary.commit(SEGMENT_COMMITS + 5, 3 * SEGMENT_COMMITS);
        archiveSegments();
        change(good + 100, new byte[] {1, 2, 3});
        recover(RecoveryTarget.none());
        assertFailed("the archive is damaged", archived(good).getFileName().toString(), "checksum");
        assertTrue(report().redo().appliedLsn() >= good);
    }

    @Test
    void damageBehindTheTargetIsOfNoConcern() throws IOException {
        primary.commit(0, 10);
        primary.restorePoint("here");
        long good = primary.commit(10, 20);
        primary.commit(20, 30);
        archiveSegments();
        change(good + 30, new byte[] {1, 2, 3});
        recover(RecoveryTarget.name("here"));
        assertPausedWith("here", 10);
    }

    @Test
    void aSegmentWithoutAnEndIsDamageWhenTheArchiveGoesOn() throws IOException {
        long good = primary.commit(0, SEGMENT_COMMITS / 2);
        primary.commit(SEGMENT_COMMITS / 2, 3 * SEGMENT_COMMITS);
        archiveSegments();
        change(good, new byte[ScriptedPrimary.SEGMENT_BYTES - primary.layout.offsetInSegment(good)]);
        recover(RecoveryTarget.none());
        assertFailed(
                "the archive is damaged",
                archived(good).getFileName() + " at " + Lsn.text(good),
                "the archived segment has no WAL from there on");
    }

    @Test
    void aCommandThatCannotRunStopsTheServer() throws IOException {
        primary.commit(0, 10);
        archiveSegments();
        archive.status = 127;
        recover(RecoveryTarget.none());
        assertFailed("restore_command ended with status 127", "copy 00000002.history pg_wal/RECOVERYXLOG");
    }

    @Test
    void aSegmentOfAnotherSizeStopsTheServer() throws IOException {
        primary.commit(0, 10);
        archiveSegments();
        Files.write(archived(primary.startLsn), new byte[100]);
        recover(RecoveryTarget.none());
        assertFailed("archive file \"000000010000000000000001\" has wrong size: 100 instead of 1048576");
    }

    @Test
    void aTargetBeforeWhatTheDataAlreadyHoldsIsRefused() throws IOException {
        int early = primary.commitAt(0, 0);
        long held = primary.commit(1, 10);
        archiveSegments();
        ByteBuffer file = ByteBuffer.allocate(11 * Long.BYTES).putLong(held);
        for (long number = 0; number < 10; number++) {
            file.putLong(number);
        }
        Files.write(dataDirectory.resolve(Numbers.PATH), file.array());
        recover(RecoveryTarget.xid(Integer.toString(early), true));
        assertFailed(
                "requested recovery stop point is before consistent recovery point",
                "transaction " + early,
                Lsn.text(held));
    }

    private void twoTimelines() throws IOException {
        primary.commit(0, SEGMENT_COMMITS);
        primary.newTimeline(2);
        primary.commit(SEGMENT_COMMITS, 3 * SEGMENT_COMMITS);
        primary.newTimeline(3);
        primary.commit(3 * SEGMENT_COMMITS, 4 * SEGMENT_COMMITS);
        archiveSegments();
    }

    private void recover(String timeline) {
        open(
                new RecoveryConfig(
                        false,
                        Optional.of(DirectoryArchive.COMMAND),
                        RecoveryTarget.none(),
                        TargetAction.PAUSE,
                        TargetTimeline.parse(timeline)),
                false);
    }

    @Test
    void recoveryFollowsTheLatestTimelineOfTheArchive() throws IOException {
        twoTimelines();
        recover("latest");
        assertPromoted(4, primary.end(), 4 * SEGMENT_COMMITS);
    }

    @Test
    void recoveryStaysOnTheTimelineThatItIsTold() throws IOException {
        twoTimelines();
        Path backup = copy(dataDirectory, "backup");
        recover("current");
        assertPromotedFrom(1, SEGMENT_COMMITS);
        use(backup);
        recover("2");
        assertPromotedFrom(2, 3 * SEGMENT_COMMITS);
    }

    private void assertPromotedFrom(int timeline, long most) throws IOException {
        await("the end of timeline " + timeline, () -> redone != null || exitStatus >= 0);
        TimelineHistory history = TimelineHistory.read(disk, 4);
        assertEquals(timeline, history.timelineBefore(history.startLsn()));
        assertTrue(numbers.size() <= most, () -> numbers.size() + " commits");
        assertPromoted(4, history.startLsn(), numbers.size());
    }

    private Path copy(Path from, String name) throws IOException {
        Path to = directory.resolve(name);
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.toList()) {
                Files.copy(file, to.resolve(from.relativize(file)));
            }
        }
        return to;
    }

    @Test
    void theServerIsPromotedAtItsTargetAndGivesUpAllPastIt() throws IOException {
        primary.commit(0, SEGMENT_COMMITS);
        long point = primary.restorePoint("here");
        primary.commit(SEGMENT_COMMITS, 4 * SEGMENT_COMMITS);
        archiveSegments();
        recover(RecoveryTarget.name("here"), TargetAction.PROMOTE);
        assertPromoted(2, point, SEGMENT_COMMITS);
        assertEquals(
                "1\t" + Lsn.text(point) + "\trecovery target restore point \"here\"\n",
                TimelineHistory.read(disk, 2).text());
    }

    @Test
    void aTargetOnAnOlderTimelineOpensOnePastTheNewest() throws IOException {
        primary.commit(0, 10);
        long point = primary.restorePoint("here");
        primary.commit(10, SEGMENT_COMMITS);
        primary.newTimeline(2);
        primary.commit(SEGMENT_COMMITS, 2 * SEGMENT_COMMITS);
        primary.newTimeline(3);
        archiveSegments();
        recover(RecoveryTarget.name("here"), TargetAction.PROMOTE);
        assertPromoted(4, point, 10);
        assertEquals(1, TimelineHistory.read(disk, 4).ancestors().size());
    }

    @Test
    void redoThatIsPausedAtItsTargetEndsRecoveryWhenItIsResumed() throws IOException {
        primary.commit(0, 10);
        primary.restorePoint("here");
        long end = primary.commit(10, 20);
        primary.commit(20, 30);
        archiveSegments();
        recover(RecoveryTarget.lsn(Lsn.text(end), false));
        assertPausedWith("LSN " + Lsn.text(end), 20);
        long pausedLsn = report().redo().appliedLsn();
        server.resumeRedo();
        assertPromoted(2, pausedLsn, 20);
    }

    @Test
    void anOperatorPromotesAtTheTargetAndNotBefore() throws IOException {
        primary.commit(0, 10);
        long point = primary.restorePoint("here");
        primary.commit(10, 20);
        open(recovery(true, RecoveryTarget.name("here"), TargetAction.PAUSE), false);
        await("streaming", () -> report().receiver().state() == ReceiverState.STREAMING);
        CompletionException early = assertThrows(CompletionException.class, () -> promote(false));
        assertTrue(
                early.getMessage().contains("has not come to the recovery target restore point"), early.getMessage());
        primary.tellMissing(point, primary.end() + 1);
        primary.shipAll();
        assertPausedWith("here", 10);
        assertTrue(server.missingRange().isPresent());
        promote(false);
        assertPromoted(2, point, 10);
    }

    private void promote(boolean force) {
        server.promote(force).toCompletableFuture().join();
    }

    @Test
    void aTargetInWalThatIsHereAlreadyEndsRecoveryToo() throws IOException {
        primary.commit(0, SEGMENT_COMMITS);
        long point = primary.restorePoint("first");
        primary.commit(SEGMENT_COMMITS, 2 * SEGMENT_COMMITS);
        primary.restorePoint("second");
        primary.commit(2 * SEGMENT_COMMITS, 3 * SEGMENT_COMMITS);
        archiveSegments();
        recover(RecoveryTarget.name("second"));
        assertPausedWith("second", 2 * SEGMENT_COMMITS);
        server.close();
        recover(RecoveryTarget.name("first"), TargetAction.PROMOTE);
        assertPromoted(2, point, SEGMENT_COMMITS);
    }

    @Test
    void aCommandThatCannotRunLeavesTheServerAtItsTarget() throws IOException {
        primary.commit(0, 10);
        long point = primary.restorePoint("here");
        primary.commit(10, 20);
        archiveSegments();
        recover(RecoveryTarget.name("here"));
        assertPausedWith("here", 10);
        archive.status = 127;
        server.resumeRedo();
        await("the refusal", () -> report().problem().contains("restore_command ended with status 127"));
        assertEquals(1, ControlFile.read(disk).timeline());
        archive.status = 0;
        promote(false);
        assertPromoted(2, point, 10);
    }

    /** Whatever the server was about to do when it crashed, it comes to the same state on a timeline of its own. */
    @Test
    void aCrashInThePromotionLeavesAServerThatRecoversToTheTargetOrIsOnTheNewTimeline() throws IOException {
        primary.commit(0, SEGMENT_COMMITS);
        long point = primary.restorePoint("here");
        primary.commit(SEGMENT_COMMITS, 4 * SEGMENT_COMMITS);
        archiveSegments();
        List<Path> crashes = new ArrayList<>();
        Path data = dataDirectory;
        Disk whole = disk;
        use((Disk) Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {Disk.class}, (proxy, method, arguments) -> {
                    synchronized (crashes) {
                        if (CHANGES.contains(method.getName())
                                && report().phase().equals("promoting")) {
                            crashes.add(copy(data, "crash-" + crashes.size()));
                        }
                        return method.invoke(whole, arguments);
                    }
                }));
        recover(RecoveryTarget.name("here"), TargetAction.PROMOTE);
        assertPromoted(2, point, SEGMENT_COMMITS);
        assertTrue(crashes.size() >= 6, () -> crashes.size() + " steps");
        int decided = 0;
        for (Path crash : crashes) {
            use(crash);
            if (ControlFile.read(disk).timeline() > 1) {
                decided++;
                assertPrimaryHas(Optional.empty(), SEGMENT_COMMITS);
            } else {
                recover(RecoveryTarget.name("here"), TargetAction.PROMOTE);
                await("the promotion", () -> redone != null || exitStatus >= 0);
                assertPromoted(ControlFile.read(disk).timeline(), point, SEGMENT_COMMITS);
            }
        }
        assertTrue(decided > 0, "no crash after the decision");
    }

    @Test
    void aTimelineThatNobodyHasArchivedIsAnError() throws IOException {
        twoTimelines();
        recover("7");
        assertFailed("recovery target timeline 7 does not exist", "00000007.history");
    }

    @Test
    void theServerStopsInGoodOrderAtItsTarget() throws IOException {
        primary.commit(0, 10);
        primary.restorePoint("here");
        primary.commit(10, 20);
        archiveSegments();
        recover(RecoveryTarget.name("here"), TargetAction.SHUTDOWN);
        awaitExit();
        assertEquals(Shutdown.GOOD, exitStatus);
        assertTrue(exitReason.startsWith("shutdown at recovery target restore point \"here\""), exitReason);
        assertNumbers(10);
    }

    @Test
    void recoveryGoesOnAfterARestartWithWhatIsInPgWal() throws IOException {
        primary.commit(0, 2 * SEGMENT_COMMITS);
        primary.restorePoint("first");
        primary.commit(2 * SEGMENT_COMMITS, 3 * SEGMENT_COMMITS);
        primary.restorePoint("second");
        archiveSegments();
        recover(RecoveryTarget.name("first"));
        assertPausedWith("first", 2 * SEGMENT_COMMITS);
        server.close();
        recover(RecoveryTarget.name("second"));
        assertPausedWith("second", 3 * SEGMENT_COMMITS);
    }

    @Test
    void aStandbyTakesFromTheArchiveWhatThePrimaryNoLongerHasToSend() throws IOException {
        primary.commit(0, 2 * SEGMENT_COMMITS);
        archiveSegments();
        long archivedEnd = primary.end();
        long endLsn = primary.commit(2 * SEGMENT_COMMITS, 2 * SEGMENT_COMMITS + 10);
        open(recovery(true, RecoveryTarget.none(), TargetAction.PAUSE), false);
        await("streaming", () -> report().receiver().state() == ReceiverState.STREAMING);
        assertEquals(archivedEnd, primary.heard(StartReplication.class).get(0).startLsn());
        primary.shipAll();
        awaitApplied(endLsn);
        assertNumbers(2 * SEGMENT_COMMITS + 10);
    }

    @Test
    void aStandbyWhosePrimaryIsGoneGoesOnWithTheArchive() throws IOException {
        open(recovery(true, RecoveryTarget.none(), TargetAction.PAUSE), false);
        await("streaming", () -> report().receiver().state() == ReceiverState.STREAMING);
        long streamed = primary.commit(0, 10);
        primary.shipAll();
        awaitApplied(streamed);
        listener.close();
        primary.disconnect();
        long endLsn = primary.commit(10, 2 * SEGMENT_COMMITS);
        archiveSegments();
        awaitApplied(endLsn);
        assertNumbers(2 * SEGMENT_COMMITS);
    }

    @Test
    void whatThePrimaryLostInACrashIsReplacedByWhatItWroteSinceAndArchived() throws IOException {
        open(recovery(true, RecoveryTarget.none(), TargetAction.PAUSE), false);
        await("streaming", () -> report().receiver().state() == ReceiverState.STREAMING);
        long flushed = primary.commit(0, 10);
        primary.shipAll();
        awaitApplied(flushed);
        long lost = primary.commit(100, 120);
        primary.ship(lost);
        await("the lost WAL", () -> report().receiver().flushedLsn() >= lost);
        listener.close();
        primary.crash(flushed);
        primary.noteEpoch();
        primary.commit(10, 20);
        archiveSegments();
        long endLsn = primary.end();
        awaitApplied(endLsn);
        assertNumbers(20);
        assertEquals(primary.epochs, ControlFile.read(disk).epochs());
        listener = transport.listen(PRIMARY, primary);
        await("streaming again", () -> report().receiver().state() == ReceiverState.STREAMING);
        long more = primary.commit(20, 30);
        primary.shipAll();
        awaitApplied(more);
        assertNumbers(30);
    }

    @Test
    void whatOnlyThisServerHasIsKeptWhenTheArchiveHasNothingElse() throws IOException {
        open(recovery(true, RecoveryTarget.none(), TargetAction.PAUSE), false);
        await("streaming", () -> report().receiver().state() == ReceiverState.STREAMING);
        primary.commit(0, 10);
        primary.shipAll();
        long unknown = primary.commit(10, 20);
        primary.ship(unknown);
        await("WAL that the primary has not flushed", () -> report().receiver().flushedLsn() >= unknown);
        listener.close();
        primary.disconnect();
        await("the archive is asked again", () -> archive.asked.size() >= 5);
        assertEquals(unknown, report().receiver().flushedLsn());
        archiveSegments();
        awaitApplied(unknown);
        assertNumbers(20);
    }
}
