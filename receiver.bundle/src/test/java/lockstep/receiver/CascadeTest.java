package lockstep.receiver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import lockstep.commit.StandbyNames;
import lockstep.commit.SyncRole;
import lockstep.io.Clock;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.receiver.api.ReceiverState;
import lockstep.receiver.api.StandbyReport;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SenderConfig;
import lockstep.send.SenderState;
import lockstep.send.StandbyNode;
import lockstep.transport.api.DownstreamStandby;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.DownstreamStatus;
import lockstep.wal.SegmentFiles;
import lockstep.wal.WalLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A primary, a standby s1 of it, and a standby s2 of that. */
class CascadeTest {
    private static final Endpoint PRIMARY = endpoint("primary");
    private static final int BUFFER_BYTES = 256 << 10;

    /** About so many commits fill a segment. */
    private static final int SEGMENT_COMMITS = ScriptedPrimary.SEGMENT_BYTES / 80;

    @TempDir
    Path directory;

    private final MemoryTransport transport = new MemoryTransport();
    private final List<Server> servers = new ArrayList<>();
    private ScriptedPrimary primary;
    private Listener primaryListener;
    private Server s1;
    private Server s2;

    /** A standby, and what it stands on. */
    private final class Server {
        final String name;
        final FullableDisk disk;
        final Path directory;
        final Numbers numbers;
        final List<Endpoint> upstreams;
        final Standby standby;
        private volatile Listener listener;

        Server(String folder, String name, Endpoint... upstreams) throws IOException {
            this.name = name;
            directory = Files.createDirectories(CascadeTest.this.directory.resolve(folder));
            disk = new FullableDisk(new FileDisk(directory));
            numbers = new Numbers(disk);
            ResourceManagers managers = new ResourceManagers();
            managers.add(numbers);
            Transports transports = new Transports();
            transports.add(transport);
            this.upstreams = List.of(upstreams);
            standby = new Standby(
                    config(Optional.empty()),
                    disk,
                    Clock.SYSTEM,
                    new ThreadWorkers(),
                    (message, cause) -> {
                        throw new AssertionError(message, cause);
                    },
                    managers,
                    transports,
                    redone -> {},
                    senders -> listener = transport.listen(endpoint(name), senders));
            servers.add(this);
            standby.start();
        }

        private StandbyConfig config(Optional<StandbyNames> acknowledging) {
            return new StandbyConfig(
                    name,
                    upstreams,
                    20,
                    60_000,
                    10_000,
                    BUFFER_BYTES,
                    SyncMethod.FDATASYNC,
                    new SenderConfig(10, 60_000),
                    "",
                    false,
                    new Retention.Config(0, -1, 8 << 20, 10),
                    RecoveryConfig.NONE,
                    false,
                    "",
                    true,
                    acknowledging);
        }

        /** Has it acknowledge no more than those of its standbys have. */
        void acknowledgeWhatIsOn(String names) {
            standby.configure(config(Optional.of(StandbyNames.parse(names))));
        }

        /** Has it acknowledge what it has itself. */
        void acknowledgeItsOwn() {
            standby.configure(config(Optional.empty()));
        }

        StandbyReport report() {
            return standby.report();
        }

        void awaitStreaming() {
            await(name + " to stream", () -> report().receiver().state() == ReceiverState.STREAMING);
        }

        void awaitFlushed(long lsn) {
            await(
                    name + " to flush up to " + Lsn.text(lsn),
                    () -> report().receiver().flushedLsn() >= lsn);
        }

        void awaitApplied(long lsn) {
            await(
                    name + " to redo up to " + Lsn.text(lsn),
                    () -> report().redo().appliedLsn() >= lsn);
        }

        void assertNumbers(long count) {
            assertEquals(LongStream.range(0, count).boxed().toList(), List.copyOf(numbers.numbers()));
        }

        void assertHasLog(long fromLsn, long toLsn) throws IOException {
            assertArrayEquals(
                    primary.bytes(fromLsn, toLsn), ScriptedPrimary.read(disk, primary.identity, fromLsn, toLsn));
        }

        long oldestSegment() throws IOException {
            return disk.list(SegmentFiles.DIRECTORY).stream()
                    .filter(WalLayout::isSegmentName)
                    .mapToLong(primary.layout::segmentNumber)
                    .min()
                    .orElseThrow();
        }

        void stop() throws IOException {
            if (listener != null) {
                listener.close();
            }
            standby.close();
            servers.remove(this);
        }
    }

    private static Endpoint endpoint(String name) {
        return Endpoint.parse("memory://" + name);
    }

    private static void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, what);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    @BeforeEach
    void start() throws IOException {
        primary = new ScriptedPrimary(new FileDisk(Files.createDirectory(directory.resolve("primary"))));
        primaryListener = transport.listen(PRIMARY, primary);
        s1 = new Server("s1", "s1", PRIMARY);
        s1.awaitStreaming();
        s2 = new Server("s2", "s2", endpoint("s1"));
    }

    @AfterEach
    void stop() throws IOException {
        for (Server server : List.copyOf(servers)) {
            server.stop();
        }
        primary.close();
    }

    @Test
    void aStandbyOfAStandbyBuildsItselfFromItAndFollows() throws IOException {
        s2.awaitStreaming();
        primary.commit(0, 2 * SEGMENT_COMMITS);
        primary.shipAll();
        s2.awaitApplied(primary.end());
        s2.assertNumbers(2 * SEGMENT_COMMITS);
        s2.assertHasLog(primary.startLsn, primary.end());
        await(
                "s1 to hear of it",
                () -> s1.standby.senders().orElseThrow().standbys(standby -> SyncRole.ASYNC).stream()
                        .anyMatch(row -> row.applicationName().equals("s2")
                                && row.state() == SenderState.STREAMING
                                && row.syncState().equals("async")
                                && row.replayLsn() == primary.end()));
    }

    @Test
    void nothingIsRedoneDownstreamPastThePrimarysFlush() throws IOException {
        s2.awaitStreaming();
        long flushed = primary.commit(0, 10);
        primary.flushedLsn = flushed;
        long end = primary.commit(10, 20);
        primary.ship(end);
        s2.awaitFlushed(end);
        s2.awaitApplied(flushed);
        assertEquals(flushed, s2.report().redo().appliableLsn());
        s2.assertNumbers(10);
        primary.flushedLsn = end;
        primary.keepalive();
        s2.awaitApplied(end);
        s2.assertNumbers(20);
    }

    @Test
    void whatAPrimaryLostIsCutOffOnTheWholeChain() throws IOException {
        s2.awaitStreaming();
        long kept = primary.commit(0, 10);
        primary.flushedLsn = kept;
        long lost = primary.commit(1000, 1500);
        primary.ship(lost);
        s2.awaitFlushed(lost);
        primary.crash(kept);
        primary.commit(10, 2000);
        await("s1 to come back", () -> s1.report().receiver().sessions() == 2);
        primary.shipAll();
        s2.awaitApplied(primary.end());
        s1.assertHasLog(primary.startLsn, primary.end());
        s2.assertHasLog(primary.startLsn, primary.end());
        s2.assertNumbers(2000);
    }

    @Test
    void aStandbyThatHasMoreThanTheOneItAsksTriesUntilThatHasCaughtUp() throws IOException {
        s2.awaitStreaming();
        primary.commit(0, 100);
        primary.shipAll();
        s2.awaitApplied(primary.end());
        s1.stop();
        s1 = new Server("s1-anew", "s1", PRIMARY);
        await("s2 to be refused", () -> s2.report().receiver().lastError().contains("a standby too, only up to"));
        s1.awaitStreaming();
        primary.commit(100, 200);
        primary.shipAll();
        s2.awaitApplied(primary.end());
        s2.assertNumbers(200);
        s2.assertHasLog(primary.startLsn, primary.end());
    }

    @Test
    void aBaseBackupWhoseFilesAreAheadOfItsRestartpointIsCompletedByWal() throws IOException {
        s2.awaitStreaming();
        primary.commit(0, 100);
        primary.checkpoint();
        primary.commit(100, 200);
        primary.shipAll();
        await("a restartpoint", () -> s1.report().restartpoints().count() == 1);
        primary.commit(200, 300);
        primary.shipAll();
        Server s3 = new Server("s3", "s3", endpoint("s1"));
        s3.awaitApplied(primary.end());
        s3.assertNumbers(300);
        assertEquals(
                s1.report().restartpoints().redoLsn(),
                s3.report().restartpoints().redoLsn());
    }

    @Test
    void theWholeTreeIsToldUpstreamAndStandsStillWithWhoeverStandsStill() throws IOException {
        Server s3 = new Server("s3", "s3", endpoint("s2"));
        s3.awaitStreaming();
        primary.commit(0, 100);
        primary.shipAll();
        await(
                "no lag",
                () -> node("s3")
                        .filter(leaf -> leaf.replayLsn() == primary.end())
                        .isPresent());
        assertEquals("s2", node("s3").orElseThrow().upstream());
        assertEquals(2, node("s3").orElseThrow().depth());
        assertEquals(0, node("s3").orElseThrow().replayLagBytes());
        assertEquals(0, node("s3").orElseThrow().replayLagMicros());

        s3.standby.pauseRedo();
        long stoppedAt = primary.end();
        primary.commit(100, 200);
        primary.shipAll();
        await("s3 to have it", () -> node("s3").orElseThrow().flushLsn() == primary.end());
        StandbyNode stalled = node("s3").orElseThrow();
        assertEquals(primary.end() - stoppedAt, stalled.replayLagBytes());
        assertEquals(0, stalled.flushLagMicros());
        await("time to pass", () -> node("s3").orElseThrow().replayLagMicros() > stalled.replayLagMicros());
        assertEquals(0, node("s2").orElseThrow().replayLagMicros());

        s3.standby.resumeRedo();
        await("no lag again", () -> node("s3").orElseThrow().replayLagMicros() == 0);
        await("the primary to hear of all", () -> {
            List<DownstreamStatus> heard = primary.heard(DownstreamStatus.class);
            List<DownstreamStandby> last = heard.get(heard.size() - 1).standbys();
            return last.size() == 2
                    && last.get(0).name().equals("s2")
                    && last.get(1).name().equals("s3")
                    && last.get(1).upstream() == 0
                    && last.get(1).appliedLsn() == primary.end();
        });
    }

    @Test
    void whoseWalIsAcknowledgedUpstreamChangesAtOnce() throws IOException {
        s2.awaitStreaming();
        s1.acknowledgeWhatIsOn("s3");
        primary.commit(0, 10);
        primary.shipAll();
        s2.awaitFlushed(primary.end());
        assertTrue(acknowledgedLsn() < primary.end(), "there is no s3");
        s1.acknowledgeWhatIsOn("s2");
        await("s1 to acknowledge what s2 has", () -> acknowledgedLsn() == primary.end());

        s1.acknowledgeWhatIsOn("s3");
        primary.commit(10, 20);
        primary.shipAll();
        s2.awaitFlushed(primary.end());
        assertTrue(acknowledgedLsn() < primary.end(), "there is no s3");
        s1.acknowledgeItsOwn();
        await("s1 to acknowledge what it has", () -> acknowledgedLsn() == primary.end());
    }

    /** Returns up to where s1 has said that the log is flushed. */
    private long acknowledgedLsn() {
        return primary.status().flushedLsn();
    }

    /** Returns a standby as s1 shows it in its tree. */
    private Optional<StandbyNode> node(String name) {
        return s1.standby.senders().orElseThrow().tree().stream()
                .filter(node -> node.applicationName().equals(name))
                .findFirst();
    }

    @Test
    void aStandbyDoesNotFollowOneThatFollowsItself() throws IOException {
        primaryListener.close();
        s2.stop();
        s2 = new Server("s2", "s2", PRIMARY, endpoint("s1"));
        s2.awaitStreaming();
        s1.stop();
        s1 = new Server("s1", "s1", endpoint("s2"));
        s1.awaitStreaming();
        await("s2 to be refused", () -> s2.report().receiver().lastError().contains("in a ring nobody"));
        primaryListener = transport.listen(PRIMARY, primary);
        await("s2 to find the primary", () -> s2.report().receiver().endpoint().equals(PRIMARY.toString()));
        s2.awaitStreaming();
        primary.commit(0, 100);
        primary.shipAll();
        s1.awaitApplied(primary.end());
        s1.assertNumbers(100);
    }

    @Test
    void restartpointsKeepWhatAConnectedDownstreamNeeds() throws IOException {
        s2.awaitStreaming();
        s2.disk.full = true;
        int commits = 0;
        for (int i = 1; i <= 6; i++) {
            primary.commit(commits, commits + SEGMENT_COMMITS);
            commits += SEGMENT_COMMITS;
            primary.checkpoint();
            primary.shipAll();
            int count = i;
            await("restartpoint " + i, () -> s1.report().restartpoints().count() == count);
        }
        long needed = primary.layout.segmentOf(s2.report().receiver().flushedLsn());
        assertTrue(primary.layout.segmentOf(s1.report().restartpoints().priorRedoLsn()) > needed + 1);
        assertTrue(s1.oldestSegment() <= needed);
        s2.disk.full = false;
        s2.awaitApplied(primary.end());
        s2.assertNumbers(commits);
    }
}
