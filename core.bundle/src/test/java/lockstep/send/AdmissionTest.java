package lockstep.send;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import lockstep.commit.CommitLevel;
import lockstep.commit.SynchronousConfig;
import lockstep.io.Clock;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.primary.Primary;
import lockstep.primary.PrimaryConfig;
import lockstep.recovery.Checkpointer;
import lockstep.recovery.ControlFile;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.Admission.Admitted;
import lockstep.send.Admission.Refused;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.StartReplication;
import lockstep.transport.api.Term;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who asks a primary for WAL, in its second life, and what the primary makes of the terms that it is told. */
class AdmissionTest {
    private static final PrimaryConfig CONFIG = new PrimaryConfig(
            1 << 20,
            64 << 10,
            SyncMethod.FDATASYNC,
            CommitLevel.LOCAL,
            SynchronousConfig.hang(""),
            new Checkpointer.Config(300_000, 8 << 20, new Retention.Config(0, -1, 8 << 20, 10)),
            new SenderConfig(10, 60_000));

    @TempDir
    Path directory;

    private Primary primary;

    @BeforeEach
    void openTwice() throws Exception {
        open();
        primary.close();
        open();
    }

    @AfterEach
    void close() throws IOException {
        primary.close();
    }

    private void open() throws Exception {
        CountDownLatch running = new CountDownLatch(1);
        primary = new Primary(
                CONFIG,
                new FileDisk(directory),
                Clock.SYSTEM,
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                new ResourceManagers(),
                Optional.empty(),
                running::countDown);
        primary.start();
        assertTrue(running.await(1, TimeUnit.MINUTES));
    }

    private Admission.Answer ask(int epoch, long startLsn, Term newest, boolean flushedWalOnly) {
        ControlFile control = primary.control();
        return new Admission(primary.wal().orElseThrow(), primary)
                .judge(new StartReplication("s1", "", control.systemId(), 1, epoch, startLsn, newest), flushedWalOnly);
    }

    private int present() {
        return primary.control().epochs().last().number();
    }

    @Test
    void whoTellsOfATermOfThisLogIsLetInAndNothingComesOfIt() {
        long lsn = primary.control().redoLsn();
        assertInstanceOf(Admitted.class, ask(1, lsn, new Term(1, 1), false));
        assertInstanceOf(
                Admitted.class,
                ask(present(), primary.endLsn(), primary.control().term(), false));
        assertInstanceOf(Admitted.class, ask(0, lsn, new Term(1, 0), true));
        assertEquals("", primary.reason());
        assertEquals(Term.NONE, primary.control().fencedBy());
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 1})
    void anEpochThatIsNoneOfThisLogsFencesThePrimaryForGoodWhetherItsNumberIsLessOrGreater(int distance)
            throws Exception {
        Term foreign = new Term(1, present() + distance);
        Term own = primary.control().term();
        Refused refused = assertInstanceOf(Refused.class, ask(1, primary.endLsn(), foreign, false));
        assertEquals(RefusalCode.TIMELINE_MISMATCH, refused.refusal().code());
        assertTrue(
                primary.reason().startsWith("this server, of term " + own + ", is fenced by term " + foreign + ":"),
                primary::reason);
        primary.close();
        open();
        assertTrue(primary.reason().contains("is fenced by term " + foreign + ":"), primary::reason);
    }

    @Test
    void aNewerTimelineFencesThePrimary() {
        assertInstanceOf(Refused.class, ask(1, primary.endLsn(), new Term(2, 0), false));
        assertTrue(
                primary.reason().contains("is fenced by term 2/0: another server has been promoted"), primary::reason);
    }

    @Test
    void aStandbyOfAnotherSystemFencesNobody() {
        Refused refused = assertInstanceOf(
                Refused.class,
                new Admission(primary.wal().orElseThrow(), primary)
                        .judge(new StartReplication("s1", "", 1, 1, 1, 0, new Term(9, 9)), false));
        assertEquals(RefusalCode.SYSTEM_MISMATCH, refused.refusal().code());
        assertEquals("", primary.reason());
    }

    @Test
    void aServerWithAnEpochOfItsOwnThatGivesItUpIsAnsweredSoThatItCanFindWhereTheLogsPart() {
        long endLsn = primary.endLsn();
        Admitted admitted =
                assertInstanceOf(Admitted.class, ask(present() + 1, endLsn + (1 << 20), new Term(1, 0), false));
        assertEquals(endLsn, admitted.answer().startLsn());
        assertEquals("", primary.reason());
    }
}
