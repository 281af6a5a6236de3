package lockstep.receiver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import lockstep.io.Clock;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.receiver.api.Promoted;
import lockstep.receiver.api.ReceiverState;
import lockstep.receiver.api.RedoState;
import lockstep.receiver.api.StandbyReport;
import lockstep.recovery.ControlFile;
import lockstep.redo.Redone;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SenderConfig;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.BaseBackupRequest;
import lockstep.transport.api.Message.Reason;
import lockstep.transport.api.Message.Refusal;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.StandbyReason;
import lockstep.transport.api.Message.StartReplication;
import lockstep.wal.SegmentFiles;
import lockstep.wal.TimelineHistory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StandbyTest {
    private static final Endpoint PRIMARY = Endpoint.parse("memory://primary");
    private static final int BUFFER_BYTES = 256 << 10;

    /** About so many commits fill a segment. */
    private static final int SEGMENT_COMMITS = ScriptedPrimary.SEGMENT_BYTES / 80;

    @TempDir
    Path directory;

    private final MemoryTransport transport = new MemoryTransport();
    private final Transports transports = new Transports();
    private final ResourceManagers managers = new ResourceManagers();
    private ScriptedPrimary primary;
    private Listener listener;
    private Path standbyDirectory;
    private FullableDisk disk;
    private Numbers numbers;
    private Standby standby;
    private final AtomicReference<Redone> redone = new AtomicReference<>();

    @BeforeEach
    void start() throws IOException {
        primary = new ScriptedPrimary(new FileDisk(Files.createDirectory(directory.resolve("primary"))));
        listener = transport.listen(PRIMARY, primary);
        transports.add(transport);
        standbyDirectory = Files.createDirectory(directory.resolve("standby"));
        disk = new FullableDisk(new FileDisk(standbyDirectory));
        numbers = new Numbers(disk);
        managers.add(numbers);
        open();
    }

    private void open() {
        StandbyConfig config = new StandbyConfig(
                "s1",
                List.of(PRIMARY),
                20,
                60_000,
                10_000,
                BUFFER_BYTES,
                SyncMethod.FDATASYNC,
                new SenderConfig(10, 60_000),
                "",
                false,
                new Retention.Config(0, -1, 8 << 20, 10),
                "trigger");
        standby = new Standby(
                config,
                disk,
                Clock.SYSTEM,
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                managers,
                transports,
                redone::set,
                senders -> {});
        standby.start();
    }

    private void reopen() throws IOException {
        standby.close();
        open();
    }

    @AfterEach
    void stop() throws IOException {
        standby.close();
        primary.close();
    }

    private static void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, what);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    private StandbyReport report() {
        return standby.report();
    }

    private void awaitStreaming() {
        await("streaming", () -> report().receiver().state() == ReceiverState.STREAMING);
    }

    /** Waits until a session that is not one of those before streams. */
    private void awaitSession(long number) {
        await(
                "session " + number,
                () -> report().receiver().sessions() >= number
                        && report().receiver().state() == ReceiverState.STREAMING);
    }

    private void awaitApplied(long lsn) {
        await("redo up to " + Lsn.text(lsn), () -> report().redo().appliedLsn() >= lsn);
    }

    private void awaitAcknowledged(long lsn) {
        await(
                "flush acknowledged up to " + Lsn.text(lsn),
                () -> primary.status().flushedLsn() >= lsn);
    }

    private void assertNumbers(long count) {
        assertEquals(LongStream.range(0, count).boxed().toList(), List.copyOf(numbers.numbers()));
    }

    private void assertSameLog(long toLsn) throws IOException {
        assertArrayEquals(
                primary.bytes(primary.startLsn, toLsn),
                ScriptedPrimary.read(disk, primary.identity, primary.startLsn, toLsn));
    }

    private StartReplication lastStart() {
        List<StartReplication> starts = primary.heard(StartReplication.class);
        return starts.get(starts.size() - 1);
    }

    private Path segment(long lsn) {
        return standbyDirectory
                .resolve(SegmentFiles.DIRECTORY)
                .resolve(primary.layout.segmentName(ScriptedPrimary.TIMELINE, primary.layout.segmentOf(lsn)));
    }

    private void flip(long lsn) throws IOException {
        try (FileChannel file = FileChannel.open(segment(lsn), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer one = ByteBuffer.allocate(1);
            int at = primary.layout.offsetInSegment(lsn);
            file.read(one, at);
            one.put(0, (byte) (one.get(0) ^ 0x10));
            file.write(one.rewind(), at);
        }
    }

    // A standby that streams.

    @Test
    void anEmptyStandbyBuildsItselfAndHasAllTheNumbers() throws IOException {
        awaitStreaming();
        primary.commit(0, 2 * SEGMENT_COMMITS);
        primary.shipAll();
        awaitApplied(primary.end());
        awaitAcknowledged(primary.end());
        await("redo acknowledged", () -> primary.status().appliedLsn() == primary.end());
        assertNumbers(2 * SEGMENT_COMMITS);
        assertSameLog(primary.end());
        assertEquals(primary.startLsn, lastStart().startLsn());
    }

    @Test
    void acknowledgementsContinueWhileRedoIsPaused() throws IOException {
        awaitStreaming();
        primary.shipAll();
        awaitApplied(primary.end());
        long before = primary.end();
        standby.pauseRedo();
        primary.commit(0, SEGMENT_COMMITS);
        primary.shipAll();
        awaitAcknowledged(primary.end());
        assertEquals(RedoState.PAUSED, report().redo().state());
        assertEquals(before, report().redo().appliedLsn());
        assertEquals(before, primary.status().appliedLsn());
        standby.resumeRedo();
        awaitApplied(primary.end());
        assertNumbers(SEGMENT_COMMITS);
    }

    @Test
    void inSteadyStateRedoReadsNoFile() throws IOException {
        awaitStreaming();
        primary.shipAll();
        awaitApplied(primary.end());
        long fileReads = report().redo().fileReads();
        long memoryReads = report().redo().memoryReads();
        for (int i = 0; i < 2 * SEGMENT_COMMITS; i += 200) {
            primary.commit(i, i + 200);
            primary.shipAll();
            awaitApplied(primary.end());
        }
        assertEquals(fileReads, report().redo().fileReads());
        assertTrue(report().redo().memoryReads() > memoryReads);
        assertEquals(0, report().prefetch().records());
    }

    @Test
    void whenRedoIsBehindItReadsFilesAndThePrefetcherRunsAhead() throws IOException {
        awaitStreaming();
        standby.pauseRedo();
        primary.commit(0, 3 * SEGMENT_COMMITS);
        primary.shipAll();
        awaitAcknowledged(primary.end());
        await("the prefetcher has run ahead", () -> report().prefetch().prefetchedLsn() == primary.end());
        long fileReads = report().redo().fileReads();
        standby.resumeRedo();
        awaitApplied(primary.end());
        assertTrue(report().redo().fileReads() > fileReads);
        assertTrue(numbers.prefetched() >= 3 * SEGMENT_COMMITS);
        assertNumbers(3 * SEGMENT_COMMITS);
    }

    @Test
    void nothingIsRedonePastThePrimarysFlush() throws IOException {
        awaitStreaming();
        long flushed = primary.commit(0, 10);
        primary.flushedLsn = flushed;
        long end = primary.commit(10, 20);
        primary.ship(end);
        awaitAcknowledged(end);
        awaitApplied(flushed);
        await("redo has nothing to do", () -> report().redo().state() == RedoState.WAITING);
        assertNumbers(10);
        assertEquals(flushed, report().redo().appliableLsn());
        primary.flushedLsn = end;
        primary.keepalive();
        awaitApplied(end);
        assertNumbers(20);
    }

    @Test
    void redoWaitsForAResourceManagerThatIsAwayAndReceivingGoesOn() throws IOException {
        managers.remove(numbers);
        awaitStreaming();
        primary.commit(0, 10);
        primary.shipAll();
        awaitAcknowledged(primary.end());
        await("redo is blocked", () -> report().redo().state() == RedoState.BLOCKED);
        assertTrue(report().redo().reason().contains("200"), report().redo().reason());
        managers.add(numbers);
        awaitApplied(primary.end());
        assertNumbers(10);
    }

    @Test
    void aTransportThatIsReplacedCostsNoByteTwice() throws IOException {
        awaitStreaming();
        primary.commit(0, 1000);
        primary.flushedLsn = primary.end();
        long insideARecord = primary.end() - 20;
        primary.ship(insideARecord);
        await("received", () -> report().receiver().receivedLsn() == insideARecord);
        transports.remove(transport);
        transport.withdraw();
        await("it waits", () -> report().receiver().state() == ReceiverState.WAITING);
        assertTrue(
                report().receiver().lastError().contains("memory"),
                report().receiver().lastError());
        transports.add(transport);
        awaitSession(2);
        assertEquals(insideARecord, lastStart().startLsn());
        primary.shipAll();
        awaitApplied(primary.end());
        assertSameLog(primary.end());
    }

    @Test
    void itLeavesInGoodOrderAfterAllThatCameIsAcknowledged() throws IOException {
        awaitStreaming();
        primary.commit(0, 100);
        primary.shipAll();
        await("received", () -> report().receiver().receivedLsn() == primary.end());
        standby.close();
        await("it takes leave", () -> !primary.heard(StandbyReason.class).isEmpty());
        assertEquals(Reason.LEAVING, primary.heard(StandbyReason.class).get(0).reason());
        assertEquals(primary.end(), primary.status().flushedLsn());
        open();
    }

    // A primary that comes back.

    @Test
    void aPrimaryThatComesBackWithLessHasTheStandbyCutBack() throws IOException {
        awaitStreaming();
        long kept = primary.commit(0, 100);
        primary.flushedLsn = kept;
        long lost = primary.commit(100, SEGMENT_COMMITS + 200);
        primary.ship(lost);
        awaitAcknowledged(lost);
        primary.crash(kept);
        awaitSession(2);
        assertEquals(kept, report().receiver().receivedLsn());
        assertEquals(kept, report().receiver().flushedLsn());
        assertEquals(primary.epochs, ControlFile.read(disk).epochs());
        assertFalse(Files.exists(segment(lost)) && segmentHasWal(lost));
        primary.commit(100, 150);
        primary.shipAll();
        awaitApplied(primary.end());
        assertNumbers(150);
        assertSameLog(primary.end());
    }

    private boolean segmentHasWal(long lsn) {
        try {
            byte[] content = Files.readAllBytes(segment(lsn));
            for (int i = primary.layout.headerBytes(primary.layout.segmentStart(primary.layout.segmentOf(lsn)));
                    i < content.length;
                    i++) {
                if (content[i] != 0) {
                    return true;
                }
            }
            return false;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aPrimaryThatCameBackAndHasWrittenPastTheStandbyHasItCutBack() throws IOException {
        awaitStreaming();
        long kept = primary.commit(0, 100);
        primary.flushedLsn = kept;
        long lost = primary.commit(1_000_000, 1_000_200);
        primary.ship(lost);
        awaitAcknowledged(lost);
        listener.close();
        primary.crash(kept);
        primary.commit(100, 1000);
        assertTrue(primary.end() > lost);
        transport.listen(PRIMARY, primary);
        awaitSession(2);
        primary.shipAll();
        awaitApplied(primary.end());
        awaitAcknowledged(primary.end());
        assertNumbers(1000);
        assertSameLog(primary.end());
        reopen();
        awaitApplied(primary.end());
        assertNumbers(1000);
    }

    @Test
    void whatAPrimaryHadFlushedIsNeverCutBack() throws IOException {
        awaitStreaming();
        long older = primary.commit(0, 50);
        long end = primary.commit(50, 100);
        primary.shipAll();
        awaitApplied(end);
        primary.crash(older);
        await("it is refused", () -> !primary.heard(Refusal.class).isEmpty());
        Refusal refusal = primary.heard(Refusal.class).get(0);
        assertEquals(RefusalCode.START_AHEAD, refusal.code());
        assertTrue(refusal.text().contains(Lsn.text(older)), refusal.text());
        assertEquals(refusal.text(), report().receiver().lastError());
        assertEquals(end, report().receiver().receivedLsn());
        assertNumbers(100);
    }

    @Test
    void aPrimaryOfAnotherSystemIsRefusedAndNothingChanges() throws IOException {
        awaitStreaming();
        primary.commit(0, 10);
        primary.shipAll();
        awaitApplied(primary.end());
        standby.close();
        byte[] control = disk.readAll(ControlFile.PATH);
        primary.systemId++;
        open();
        await("it is refused", () -> !primary.heard(Refusal.class).isEmpty());
        assertEquals(
                RefusalCode.SYSTEM_MISMATCH, primary.heard(Refusal.class).get(0).code());
        assertArrayEquals(control, disk.readAll(ControlFile.PATH));
        primary.systemId--;
        awaitStreaming();
        assertNumbers(10);
    }

    // WAL that is not valid.

    @Test
    void aFlippedBitIsAskedForAgainAndNeverAcknowledged() throws IOException {
        awaitStreaming();
        long good = primary.commit(0, 100);
        primary.shipAll();
        awaitAcknowledged(good);
        primary.commit(100, 2000);
        AtomicInteger pieces = new AtomicInteger();
        primary.wire = piece -> {
            if (pieces.incrementAndGet() == 3) {
                piece.put(5000, (byte) (piece.get(5000) ^ 1));
            }
            return piece;
        };
        primary.shipAll();
        awaitSession(2);
        List<StandbyReason> reasons = primary.heard(StandbyReason.class);
        assertEquals(1, reasons.size());
        assertEquals(Reason.CRC_MISMATCH, reasons.get(0).reason());
        long again = lastStart().startLsn();
        assertEquals(reasons.get(0).lsn(), primary.layout.recordStart(again));
        assertTrue(primary.status().flushedLsn() <= again);
        assertEquals(1, report().receiver().corruptions());
        primary.shipAll();
        awaitApplied(primary.end());
        assertNumbers(2000);
        assertSameLog(primary.end());
    }

    @Test
    void aRecordThatIsBadEachTimeIsNeverAcknowledged() throws IOException {
        awaitStreaming();
        long good = primary.commit(0, 100);
        primary.shipAll();
        awaitAcknowledged(good);
        primary.commit(100, 200);
        primary.wire = piece -> piece.put(40, (byte) (piece.get(40) ^ 1));
        primary.shipAll();
        awaitSession(2);
        primary.shipAll();
        awaitSession(3);
        assertEquals(2, report().receiver().corruptions());
        assertEquals(good, primary.status().flushedLsn());
        assertEquals(good, report().receiver().receivedLsn());
        assertNumbers(100);
    }

    // The disk.

    @Test
    void aFullDiskIsToldAndWaitedOut() throws IOException {
        awaitStreaming();
        long good = primary.commit(0, 100);
        primary.shipAll();
        awaitAcknowledged(good);
        disk.full = true;
        primary.commit(100, 4 * SEGMENT_COMMITS);
        primary.shipAll();
        await("it says so", () -> !primary.heard(StandbyReason.class).isEmpty());
        StandbyReason reason = primary.heard(StandbyReason.class).get(0);
        assertEquals(Reason.DISK_FULL, reason.reason());
        assertTrue(reason.detail().contains("No space left"), reason.detail());
        assertTrue(report().receiver().diskFull());
        assertTrue(primary.status().flushedLsn() < primary.end());
        disk.full = false;
        awaitAcknowledged(primary.end());
        awaitApplied(primary.end());
        assertNumbers(4 * SEGMENT_COMMITS);
        assertEquals(
                List.of(Reason.DISK_FULL, Reason.RECOVERED),
                primary.heard(StandbyReason.class).stream()
                        .map(StandbyReason::reason)
                        .toList());
        assertFalse(report().receiver().diskFull());
        assertEquals(1, report().receiver().sessions());
    }

    @Test
    void aStandbyWithAFullDiskCanBeStopped() throws IOException {
        awaitStreaming();
        disk.full = true;
        primary.commit(0, 4 * SEGMENT_COMMITS);
        primary.shipAll();
        await("the disk is full", () -> report().receiver().diskFull());
        standby.close();
        disk.full = false;
        open();
        awaitStreaming();
        primary.shipAll();
        awaitApplied(primary.end());
        assertNumbers(4 * SEGMENT_COMMITS);
        assertSameLog(primary.end());
    }

    // Restart.

    @Test
    void aRestartContinuesFromTheRestartpointAtExactlyTheNextByte() throws IOException {
        awaitStreaming();
        primary.commit(0, SEGMENT_COMMITS);
        long redoLsn = primary.layout.recordStart(primary.end());
        primary.checkpoint();
        primary.commit(SEGMENT_COMMITS, SEGMENT_COMMITS + 100);
        primary.shipAll();
        awaitApplied(primary.end());
        await("a restartpoint", () -> report().restartpoints().count() == 1);
        assertEquals(redoLsn, report().restartpoints().redoLsn());
        long end = primary.end();
        reopen();
        awaitSession(1);
        assertEquals(end, lastStart().startLsn());
        assertEquals(redoLsn, ControlFile.read(disk).redoLsn());
        primary.commit(SEGMENT_COMMITS + 100, SEGMENT_COMMITS + 200);
        primary.shipAll();
        awaitApplied(primary.end());
        assertNumbers(SEGMENT_COMMITS + 200);
        assertEquals(1, primary.heard(BaseBackupRequest.class).size());
    }

    @Test
    void aRestartWithoutThePrimaryShowsWhatHadBeenRedone() throws IOException {
        awaitStreaming();
        long flushed = primary.commit(0, 100);
        primary.flushedLsn = flushed;
        primary.commit(100, 200);
        primary.ship(primary.end());
        awaitApplied(flushed);
        listener.close();
        primary.disconnect();
        reopen();
        awaitApplied(flushed);
        await("no primary", () -> report().receiver().state() == ReceiverState.WAITING);
        assertNumbers(100);
        assertEquals(flushed, report().redo().appliedLsn());
    }

    @Test
    void aTornTailIsCutAndAskedForAgain() throws IOException {
        awaitStreaming();
        long good = primary.commit(0, 100);
        primary.flushedLsn = good;
        primary.commit(100, 110);
        primary.ship(primary.end());
        awaitAcknowledged(primary.end());
        standby.close();
        flip(good + 60);
        open();
        awaitStreaming();
        assertEquals(good, lastStart().startLsn());
        primary.shipAll();
        awaitApplied(primary.end());
        assertNumbers(110);
        assertSameLog(primary.end());
    }

    @Test
    void damageInTheMidstIsNamedAndNothingIsRedonePastIt() throws IOException {
        awaitStreaming();
        long good = primary.commit(0, SEGMENT_COMMITS);
        primary.commit(SEGMENT_COMMITS, 4 * SEGMENT_COMMITS);
        primary.shipAll();
        awaitApplied(primary.end());
        standby.close();
        int starts = primary.heard(StartReplication.class).size();
        flip(good + 60);
        open();
        await("it says so", () -> report().phase().equals("damaged"));
        String name = segment(good).getFileName().toString();
        assertTrue(report().problem().contains(name), report().problem());
        await("redo stops", () -> report().redo().state() != RedoState.RUNNING);
        assertTrue(report().redo().appliedLsn() <= good + 60);
        assertTrue(numbers.size() >= SEGMENT_COMMITS && numbers.size() < SEGMENT_COMMITS + 10, "" + numbers.size());
        assertEquals(ReceiverState.STOPPED, report().receiver().state());
        assertEquals(starts, primary.heard(StartReplication.class).size());
    }

    @Test
    void cleaningUpKeepsTheWalOfTheLastTwoRestartpoints() throws IOException {
        awaitStreaming();
        long number = 0;
        for (int i = 1; i <= 4; i++) {
            primary.commit(number, number + 2 * SEGMENT_COMMITS);
            number += 2 * SEGMENT_COMMITS;
            primary.checkpoint();
            primary.shipAll();
            awaitApplied(primary.end());
            int count = i;
            await("restartpoint " + i, () -> report().restartpoints().count() == count);
        }
        ControlFile control = ControlFile.read(disk);
        await("the WAL before has gone", () -> !Files.exists(segment(primary.startLsn)));
        for (long lsn = control.priorRedoLsn(); lsn < primary.end(); lsn += ScriptedPrimary.SEGMENT_BYTES) {
            assertTrue(Files.exists(segment(lsn)), Lsn.text(lsn));
        }
        assertFalse(Files.exists(segment(control.priorRedoLsn() - ScriptedPrimary.SEGMENT_BYTES)));
        reopen();
        awaitApplied(primary.end());
        assertNumbers(number);
    }

    @Test
    void noRestartpointIsTakenWhileAResourceManagerIsAway() throws IOException {
        awaitStreaming();
        primary.commit(0, 10);
        primary.shipAll();
        awaitApplied(primary.end());
        managers.remove(numbers);
        primary.checkpoint();
        primary.shipAll();
        awaitApplied(primary.end());
        await("it says why", () -> report().restartpoints().lastError().contains("numbers"));
        managers.add(numbers);
        assertTrue(standby.requestRestartpoint());
        await("a restartpoint", () -> report().restartpoints().count() == 1);
        assertNumbers(10);
    }

    // Base backup.

    @Test
    void aPromotedStandbyKeepsAllValidWalAndOpensATimelineWhereItEnds() throws Exception {
        awaitStreaming();
        primary.commit(0, 10);
        primary.shipAll();
        awaitApplied(primary.end());
        long endLsn = primary.commit(10, 20);
        primary.ship(endLsn);
        awaitAcknowledged(endLsn);
        assertNumbers(10);
        long cut = primary.commit(20, 21) - 8;
        primary.ship(cut);
        await("a commit record has come in part", () -> report().receiver().receivedLsn() == cut);

        Promoted promoted = standby.promote(false).toCompletableFuture().get(60, TimeUnit.SECONDS);

        assertEquals(2, promoted.timeline());
        assertNumbers(20);
        assertTrue(endLsn < promoted.startLsn() && promoted.startLsn() < cut, "the last whole record counts");
        assertEquals(promoted.startLsn(), redone.get().lsn());
        ControlFile control = ControlFile.read(disk);
        assertEquals(2, control.timeline());
        assertEquals(ControlFile.State.IN_PRODUCTION, control.state());
        assertEquals(promoted.startLsn(), control.epochs().last().startLsn());
        assertEquals(promoted.startLsn(), TimelineHistory.read(disk, 2).startLsn());
    }

    @Test
    void aPausedStandbyIsNotPromotedAndGoesOn() throws Exception {
        awaitStreaming();
        standby.pauseRedo();
        ExecutionException refused = assertThrows(
                ExecutionException.class,
                () -> standby.promote(true).toCompletableFuture().get(60, TimeUnit.SECONDS));
        assertTrue(refused.getCause().getMessage().contains("redo is paused"), refused.toString());
        standby.resumeRedo();
        primary.commit(0, 10);
        primary.shipAll();
        awaitApplied(primary.end());
        assertEquals(1, ControlFile.read(disk).timeline());
    }

    @Test
    void aStandbyFollowsANewTimelineAndCutsOffWhatNoPrimaryHadFlushed() throws Exception {
        awaitStreaming();
        primary.commit(0, 10);
        primary.shipAll();
        long forkLsn = primary.end();
        awaitApplied(forkLsn);
        primary.commit(10, 20);
        primary.ship(primary.end());
        awaitAcknowledged(primary.end());

        primary.crash(forkLsn);
        primary.newTimeline(2);
        // It may have come back already, while there was no new timeline yet.
        primary.disconnect();
        await("timeline 2", () -> report().receiver().receivedTimeline() == 2);
        awaitStreaming();
        primary.commit(10, 30);
        primary.shipAll();
        awaitApplied(primary.end());

        assertNumbers(30);
        assertSameLog(primary.end());
        assertEquals(2, ControlFile.read(disk).timeline());
        assertEquals(forkLsn, TimelineHistory.read(disk, 2).startLsn());
        reopen();
        awaitStreaming();
        assertEquals(2, lastStart().timeline());
        assertNumbers(30);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../outside",
                "numbers/../../outside",
                "/etc/outside",
                "",
                "numbers//set",
                "./numbers",
                "pg_wal/000000010000000000000001",
                "control",
                "lockstep.conf",
                "recovery.conf",
                "bundles/evil.jar",
                ".hidden",
                "numbers\\..\\x",
                "a\nb"
            })
    void aBackupMayNotWrite(String path) throws IOException {
        standby.close();
        for (String name : disk.list("")) {
            deleteAll(standbyDirectory.resolve(name));
        }
        primary.heard.clear();
        primary.backupFiles.put(path, new byte[] {1});
        open();
        await("it is refused", () -> !primary.heard(Refusal.class).isEmpty());
        assertEquals(RefusalCode.PROTOCOL, primary.heard(Refusal.class).get(0).code());
        await("and shown", () -> !report().receiver().lastError().isEmpty());
        assertFalse(ControlFile.exists(disk));
        assertFalse(Files.exists(directory.resolve("outside")));
        assertFalse(Files.exists(standbyDirectory.resolve("bundles")));
    }

    private static void deleteAll(Path path) throws IOException {
        try (var all = Files.walk(path)) {
            for (Path each : all.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.delete(each);
            }
        }
    }

    @Test
    void anInterruptedBackupIsBegunAgainFromScratch() throws IOException {
        standby.close();
        for (String name : disk.list("")) {
            deleteAll(standbyDirectory.resolve(name));
        }
        BackupFiles half = new BackupFiles(disk);
        half.begin();
        half.file("numbers/old", 100);
        half.data(ByteBuffer.allocate(50));
        half.close();
        assertTrue(disk.exists("numbers/old"));
        open();
        awaitStreaming();
        primary.commit(0, 10);
        primary.shipAll();
        awaitApplied(primary.end());
        assertNumbers(10);
        assertFalse(disk.exists("numbers/old"));
        assertFalse(disk.exists(BackupFiles.MARKER));
    }
}
