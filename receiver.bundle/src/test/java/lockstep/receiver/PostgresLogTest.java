package lockstep.receiver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import lockstep.io.Clock;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.receiver.api.StandbyReport;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SenderConfig;
import lockstep.transport.api.Endpoint;
import lockstep.wal.WalFormat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A standby of a server whose log only PostgreSQL can redo. */
class PostgresLogTest {
    private static final Endpoint PRIMARY = Endpoint.parse("memory://primary");

    /** A commit of {@link ScriptedPrimary} is a number and a commit record. */
    private static final int RECORDS = 2;

    @TempDir
    Path directory;

    private final MemoryTransport transport = new MemoryTransport();
    private final Transports transports = new Transports();
    private ScriptedPrimary primary;
    private FileDisk disk;
    private Standby standby;

    @BeforeEach
    void start() throws IOException {
        primary = new ScriptedPrimary(
                new FileDisk(Files.createDirectory(directory.resolve("primary"))), WalFormat.POSTGRESQL_15);
        primary.backupFiles.clear();
        transport.listen(PRIMARY, primary);
        transports.add(transport);
        disk = new FileDisk(Files.createDirectory(directory.resolve("standby")));
        make();
        standby.start();
    }

    private void make() {
        standby = new Standby(
                new StandbyConfig(
                        "s1",
                        List.of(PRIMARY),
                        20,
                        60_000,
                        10_000,
                        256 << 10,
                        SyncMethod.FDATASYNC,
                        new SenderConfig(10, 60_000),
                        "",
                        false,
                        new Retention.Config(0, -1, 8 << 20, 10),
                        ""),
                disk,
                Clock.SYSTEM,
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                new ResourceManagers(),
                transports,
                redone -> {},
                senders -> {});
    }

    @AfterEach
    void stop() throws IOException {
        standby.close();
        primary.close();
    }

    private StandbyReport report() {
        return standby.report();
    }

    private static void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, what);
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
        }
    }

    /** Ships all there is, and waits until it has been acknowledged and passed over. */
    private void shipAll() throws IOException {
        primary.shipAll();
        await("acknowledged", () -> primary.status().flushedLsn() == primary.end());
        await("passed over", () -> report().redo().appliedLsn() == primary.end());
    }

    private void awaitSession(long number) {
        await("session " + number, () -> report().receiver().sessions() == number);
    }

    private long reads() {
        return report().redo().memoryReads() + report().redo().fileReads();
    }

    @Test
    void itsRecordsAreCountedAndItsCheckpointsTakenWithoutReadingItAgain() throws IOException {
        awaitSession(1);
        // The first record of the log is a checkpoint as well.
        primary.commit(0, 5_000);
        primary.checkpoint();
        shipAll();
        await("a restartpoint", () -> report().restartpoints().checkpointLsn() > primary.startLsn + 5_000);
        assertEquals(1 + 5_000 * RECORDS + 1, report().receiver().counted().records());
        assertEquals(0, reads());
    }

    @Test
    void afterARestartOnlyWhatIsOnTheDiskIsRead() throws IOException {
        awaitSession(1);
        primary.commit(0, 1_000);
        primary.checkpoint();
        primary.commit(1_000, 1_500);
        shipAll();
        await("a restartpoint", () -> report().restartpoints().checkpointLsn() > primary.startLsn + 1_000);
        standby.close();
        make();
        standby.start();
        awaitSession(1);
        await("passed over", () -> report().redo().appliedLsn() == primary.end());
        assertEquals(1 + 500 * RECORDS, report().receiver().counted().records());
        long reads = reads();
        assertTrue(reads > 0);
        primary.commit(1_500, 3_000);
        shipAll();
        assertEquals(1 + 2_000 * RECORDS, report().receiver().counted().records());
        assertEquals(reads, reads());
    }

    @Test
    void noRecordIsCountedTwiceWhenMoreComesBeforeWhatIsOnTheDiskIsRead() throws IOException {
        awaitSession(1);
        primary.commit(0, 1_000);
        shipAll();
        standby.close();
        make();
        standby.pauseRedo();
        standby.start();
        awaitSession(1);
        primary.commit(1_000, 3_000);
        primary.shipAll();
        await("acknowledged", () -> primary.status().flushedLsn() == primary.end());
        standby.resumeRedo();
        await("passed over", () -> report().redo().appliedLsn() == primary.end());
        assertEquals(1 + 3_000 * RECORDS, report().receiver().counted().records());
    }
}
