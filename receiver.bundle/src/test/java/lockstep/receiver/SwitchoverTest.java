package lockstep.receiver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import lockstep.commit.CommitLevel;
import lockstep.commit.CommitRefusedException;
import lockstep.commit.Commits;
import lockstep.commit.NotPrimaryException;
import lockstep.commit.PendingCommit;
import lockstep.commit.SynchronousConfig;
import lockstep.config.ServerRole;
import lockstep.io.Clock;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.primary.Primary;
import lockstep.primary.PrimaryConfig;
import lockstep.primary.SwitchedOver;
import lockstep.primary.SwitchoverPlan;
import lockstep.receiver.api.ReceiverState;
import lockstep.recovery.Checkpointer;
import lockstep.recovery.ControlFile;
import lockstep.redo.Redone;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SenderConfig;
import lockstep.send.WalSenders;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.SwitchoverAnswer;
import lockstep.transport.api.Message.SwitchoverRequest;
import lockstep.transport.api.Message.TakeOver;
import lockstep.transport.api.Message.TookOver;
import lockstep.transport.api.Peer;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.Term;
import lockstep.transport.api.Transport;
import lockstep.transport.api.TransportException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A primary {@code a} and its standby {@code b}, which exchange roles, over a network on which messages are lost. */
class SwitchoverTest {
    private static final String PREPARED = "recovery.conf";
    private static final long PATIENCE_MS = 60_000;
    private static final Retention.Config RETENTION = new Retention.Config(0, -1, 8 << 20, 10);
    private static final SenderConfig SENDERS = new SenderConfig(10, 60_000);

    @TempDir
    Path directory;

    private final LossyTransport network = new LossyTransport();
    private final List<Server> servers = new ArrayList<>();
    private long nextNumber;
    private final Set<Long> acknowledged = new TreeSet<>();
    private Server a;
    private Server b;

    /** A server that changes its role as a real one does: the component of the old role ends, then that of the new one begins. */
    private final class Server implements ServerRole, AutoCloseable {
        final String name;
        final FileDisk disk;
        final Numbers numbers;
        private volatile Primary primary;
        private volatile Standby standby;
        private volatile Listener listener;
        private volatile Thread changing;

        Server(String name) throws IOException {
            this.name = name;
            disk = new FileDisk(Files.createDirectories(directory.resolve(name)));
            numbers = new Numbers(disk);
            servers.add(this);
        }

        private ResourceManagers managers() {
            ResourceManagers managers = new ResourceManagers();
            managers.add(numbers);
            return managers;
        }

        void runPrimary(Optional<Redone> redone) {
            try {
                Primary opened = new Primary(
                        new PrimaryConfig(
                                1 << 20,
                                256 << 10,
                                SyncMethod.FDATASYNC,
                                CommitLevel.ON,
                                SynchronousConfig.hang("*"),
                                new Checkpointer.Config(300_000, 8 << 20, RETENTION),
                                SENDERS),
                        disk,
                        Clock.SYSTEM,
                        new ThreadWorkers(),
                        SwitchoverTest::panic,
                        managers(),
                        redone,
                        () -> {});
                opened.allowSwitchover(this, network::connect);
                opened.start();
                await(name + " to accept commits", () -> opened.commits().isPresent());
                primary = opened;
                listen(opened.senders().orElseThrow());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        void runStandby(Endpoint upstream) {
            Transports transports = new Transports();
            transports.add(network);
            Standby opened = new Standby(
                    new StandbyConfig(
                            name,
                            List.of(upstream),
                            20,
                            60_000,
                            10_000,
                            256 << 10,
                            SyncMethod.FDATASYNC,
                            SENDERS,
                            "",
                            false,
                            RETENTION,
                            ""),
                    disk,
                    Clock.SYSTEM,
                    new ThreadWorkers(),
                    SwitchoverTest::panic,
                    managers(),
                    transports,
                    redone -> change(() -> {
                        close(standby);
                        standby = null;
                        runPrimary(Optional.of(redone));
                    }),
                    this::listen);
            opened.listensOn(
                    () -> listener == null ? List.of() : List.of(endpoint(name).toString()));
            standby = opened;
            opened.start();
        }

        private void listen(WalSenders senders) {
            stopListening();
            listener = network.listen(endpoint(name), senders);
        }

        void stopListening() {
            Listener open = listener;
            if (open != null) {
                open.close();
                listener = null;
            }
        }

        private void change(Runnable work) {
            Thread thread = new Thread(work, "role of " + name);
            changing = thread;
            thread.start();
        }

        void awaitStreaming() {
            await(name + " to stream", () -> {
                Standby open = standby;
                return open != null && open.report().receiver().state() == ReceiverState.STREAMING;
            });
        }

        Commits commits() {
            return primary.commits().orElseThrow();
        }

        PendingCommit commit() {
            return numbers.commit(commits(), nextNumber++, CommitLevel.ON);
        }

        void commitAndWait() {
            long number = nextNumber;
            try {
                assertTrue(commit().await(TimeUnit.MINUTES.toNanos(1)));
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            acknowledged.add(number);
        }

        @Override
        public void promoted() {
            throw new AssertionError("a standby's");
        }

        @Override
        public String standbyName() {
            return name;
        }

        @Override
        public void prepareToFollow(String endpoints) throws IOException {
            disk.writeAtomically(PREPARED, ByteBuffer.wrap(endpoints.getBytes(StandardCharsets.US_ASCII)));
        }

        @Override
        public void stayPrimary() throws IOException {
            if (disk.exists(PREPARED)) {
                disk.delete(PREPARED);
            }
        }

        @Override
        public void follow() {
            change(() -> {
                try {
                    stopListening();
                    close(primary);
                    primary = null;
                    runStandby(Endpoint.parse(new String(disk.readAll(PREPARED), StandardCharsets.US_ASCII)));
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }

        @Override
        public void close() {
            Thread change = changing;
            if (change != null) {
                await("the role of " + name + " to be settled", () -> !change.isAlive());
            }
            stopListening();
            close(primary);
            close(standby);
            primary = null;
            standby = null;
        }

        private static void close(AutoCloseable role) {
            try {
                if (role != null) {
                    role.close();
                }
            } catch (Exception e) {
                throw new AssertionError(e);
            }
        }
    }

    /** Loses what it is told to lose, and with it the session if it is told so. */
    private static final class LossyTransport implements Transport {
        private final MemoryTransport memory = new MemoryTransport();
        private volatile Predicate<Message> lost = message -> false;
        private volatile Predicate<Message> cut = message -> false;

        @Override
        public String scheme() {
            return memory.scheme();
        }

        @Override
        public Listener listen(Endpoint endpoint, Acceptor acceptor) {
            return memory.listen(endpoint, acceptor);
        }

        @Override
        public Session connect(Endpoint endpoint, SessionHandler handler) throws TransportException {
            return new LossySession(memory, endpoint, handler);
        }

        private final class LossySession implements Session, SessionHandler {
            private final SessionHandler handler;
            private volatile Session session;

            LossySession(MemoryTransport memory, Endpoint endpoint, SessionHandler handler) throws TransportException {
                this.handler = handler;
                session = memory.connect(endpoint, this);
            }

            private boolean passes(Session on, Message message) {
                boolean cutNow = cut.test(message);
                if (cutNow) {
                    on.close("the link is cut");
                }
                return !cutNow && !lost.test(message);
            }

            @Override
            public void send(Message message) {
                if (passes(session, message)) {
                    session.send(message);
                }
            }

            @Override
            public boolean isWritable() {
                return session.isWritable();
            }

            @Override
            public Peer peer() {
                return session.peer();
            }

            @Override
            public void close(String cause) {
                session.close(cause);
            }

            @Override
            public void received(Session from, Message message) {
                // The answer may come before the session that was opened is known here.
                session = from;
                if (passes(from, message)) {
                    handler.received(this, message);
                }
            }

            @Override
            public void endOfBatch() {
                handler.endOfBatch();
            }

            @Override
            public void closed(String cause) {
                handler.closed(cause);
            }
        }
    }

    @BeforeEach
    void start() throws IOException {
        a = new Server("a");
        b = new Server("b");
        a.runPrimary(Optional.empty());
        b.runStandby(endpoint("a"));
        b.awaitStreaming();
        a.commitAndWait();
    }

    @AfterEach
    void stop() throws Exception {
        for (Server server : servers) {
            server.close();
        }
    }

    private static void panic(String message, Throwable cause) {
        throw new AssertionError(message, cause);
    }

    private static Endpoint endpoint(String name) {
        return Endpoint.parse(MemoryTransport.SCHEME + "://" + name);
    }

    private static void await(String what, BooleanSupplier condition) {
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, () -> "waited in vain for " + what);
            LockSupport.parkNanos(1_000_000);
        }
    }

    private static CompletableFuture<SwitchedOver> switchOver(Server from, Server to, long timeoutMs) {
        return from.primary
                .switchOver(new SwitchoverPlan(to.name, "", timeoutMs, 16 << 20))
                .toCompletableFuture();
    }

    private static String refusal(CompletableFuture<SwitchedOver> asked) {
        Throwable thrown = assertThrows(CompletionException.class, asked::join).getCause();
        assertEquals(IllegalStateException.class, thrown.getClass());
        return thrown.getMessage();
    }

    private void assertSwitchedOver(Server from, Server to, SwitchedOver done, int timeline) {
        assertEquals(to.name, done.standby());
        assertEquals(endpoint(to.name).toString(), done.endpoints());
        assertEquals(timeline, done.timeline());
        from.awaitStreaming();
        await(to.name + " to be the primary", () -> to.primary != null);
        to.commitAndWait();
        assertTrue(
                to.numbers.numbers().containsAll(acknowledged), () -> "acknowledged, and not there: " + acknowledged);
        await(from.name + " to redo all", () -> from.numbers.numbers().equals(to.numbers.numbers()));
    }

    @Test
    void rolesAreExchangedAndBackAgainAndEachCommitIsThereOnceOrWasToldWhereToGo() throws Exception {
        int timeline = 1;
        for (int round = 0; round < 2; round++) {
            exchangeUnderLoad(a, b, ++timeline);
            exchangeUnderLoad(b, a, ++timeline);
        }
    }

    private void exchangeUnderLoad(Server from, Server to, int timeline) throws Exception {
        Commits stale = from.commits();
        List<Long> refused = new ArrayList<>();
        CompletableFuture<Void> load = CompletableFuture.runAsync(() -> {
            try {
                while (true) {
                    from.commitAndWait();
                }
            } catch (NotPrimaryException e) {
                assertEquals(endpoint(to.name).toString(), e.primary());
                refused.add(nextNumber - 1);
            }
        });
        long before = acknowledged.size();
        await("some commits", () -> from.primary.queue().orElseThrow().settledCommits() > before / 2 + 20);
        SwitchedOver done = switchOver(from, to, PATIENCE_MS).join();
        load.join();
        assertThrows(NotPrimaryException.class, () -> from.numbers.commit(stale, -1, CommitLevel.LOCAL));
        assertSwitchedOver(from, to, done, timeline);
        assertEquals(1, refused.size());
        assertFalse(to.numbers.numbers().contains(refused.get(0)));
        assertFalse(to.numbers.numbers().contains(-1L));
    }

    @Test
    void aStandbyThatCannotTakeOverIsRefusedWithTheCureAndNothingHasChanged() throws Exception {
        assertRefused("connected are: b", "nobody");
        b.standby.pauseRedo();
        assertRefused("run \"redo resume\" there", "b");
        b.standby.resumeRedo();
        await("redo", () -> b.standby.report().redo().reason().isEmpty());
        b.stopListening();
        assertRefused("Start it with --listen URI", "b");
        network.lost = message -> message instanceof SwitchoverRequest;
        assertRefused("does not answer", "b");
    }

    private void assertRefused(String cure, String standby) {
        long endLsn = a.primary.endLsn();
        String why = refusal(a.primary
                .switchOver(new SwitchoverPlan(standby, "", PATIENCE_MS, 16 << 20))
                .toCompletableFuture());
        assertTrue(why.startsWith("no switchover: ") && why.contains(cure), why);
        assertEquals(endLsn, a.primary.endLsn());
        a.commitAndWait();
    }

    @Test
    void aStandbyThatCouldNotBeReachedAsAPrimaryIsRefused() {
        String why = refusal(a.primary
                .switchOver(new SwitchoverPlan("b", "memory://nowhere", PATIENCE_MS, 16 << 20))
                .toCompletableFuture());
        assertTrue(why.contains("nobody listens on memory://nowhere") && why.contains("--endpoint"), why);
        a.commitAndWait();
    }

    @Test
    void aStandbyThatIsTooFarBehindIsRefused() {
        b.standby.pauseRedo();
        for (int i = 0; i < 100; i++) {
            a.commitAndWait();
        }
        String why = refusal(a.primary
                .switchOver(new SwitchoverPlan("b", "", PATIENCE_MS, 1000))
                .toCompletableFuture());
        assertTrue(why.contains("bytes behind") && why.contains("--max-lag"), why);
    }

    @Test
    void commitsGoOnHereWhenTheStandbyDoesNotApplyInTime() throws Exception {
        network.lost = message -> {
            if (message instanceof SwitchoverAnswer) {
                b.standby.pauseRedo();
            }
            return false;
        };
        CompletableFuture<SwitchedOver> asked = switchOver(a, b, 2_000);
        await("commits to be held", () -> a.primary.reason().contains("held"));
        PendingCommit held = a.commit();
        String why = refusal(asked);
        assertTrue(why.contains("has flushed up to") && why.contains("--timeout"), why);
        assertTrue(held.await(TimeUnit.MINUTES.toNanos(1)));
        assertEquals(ControlFile.State.IN_PRODUCTION, a.primary.control().state());
        assertEquals("", a.primary.reason());

        network.lost = message -> false;
        b.standby.resumeRedo();
        await("b to catch up", () -> b.numbers.numbers().equals(a.numbers.numbers()));
        assertSwitchedOver(a, b, switchOver(a, b, PATIENCE_MS).join(), 2);
    }

    /** Redo of the standby stands still, so commits are held for as long as the switchover may last. */
    private CompletableFuture<SwitchedOver> switchOverThatHolds() {
        network.lost = message -> {
            if (message instanceof SwitchoverAnswer) {
                b.standby.pauseRedo();
            }
            return false;
        };
        CompletableFuture<SwitchedOver> asked = switchOver(a, b, PATIENCE_MS);
        await("commits to be held", () -> a.primary.reason().contains("held"));
        return asked;
    }

    /** Begins a commit, and returns when it is held; it completes with why it is refused. */
    private CompletableFuture<String> refusedCommit() {
        CompletableFuture<String> refused = new CompletableFuture<>();
        Thread client = new Thread(() -> {
            try {
                a.commit();
                refused.completeExceptionally(new AssertionError("the commit was taken"));
            } catch (CommitRefusedException e) {
                refused.complete(e.getMessage());
            }
        });
        client.start();
        await("the commit to be held", () -> client.getState() == Thread.State.TIMED_WAITING || refused.isDone());
        return refused;
    }

    @Test
    void whileCommitsAreHeldTheTimeOfAClientRunsAndNothingOfItsCommitIsWritten() {
        CompletableFuture<SwitchedOver> asked = switchOverThatHolds();
        long endLsn = a.primary.endLsn();
        CommitRefusedException refused = assertThrows(
                CommitRefusedException.class, () -> a.numbers.commit(a.commits(), nextNumber++, CommitLevel.ON, 1));
        assertTrue(refused.getMessage().contains("Nothing of this commit was written"), refused::toString);
        assertTrue(a.primary.reason().contains("held"));

        network.lost = message -> false;
        b.standby.resumeRedo();
        assertSwitchedOver(a, b, asked.join(), 2);
        assertFalse(b.numbers.numbers().contains(nextNumber - 2), "it was refused");
        assertTrue(endLsn <= b.primary.control().epochs().last().startLsn());
    }

    @Test
    void aFenceThatComesWhileCommitsAreHeldEndsTheSwitchoverAndRefusesThem() {
        CompletableFuture<SwitchedOver> asked = switchOverThatHolds();
        CompletableFuture<String> held = refusedCommit();
        a.primary.superseded(new Term(1, 4711), "a test");
        String why = refusal(asked);
        assertTrue(why.contains("has been fenced meanwhile, by term 1/4711"), why);
        assertTrue(held.join().contains("is fenced by term 1/4711"), held.join());
        assertEquals(new Term(1, 4711), a.primary.control().fencedBy());
        assertFalse(a.disk.exists(PREPARED));
    }

    @Test
    void aFenceThatComesWhileItIsNotKnownWhoIsThePrimaryHoldsWhenTheStandbyHasNotTakenOver() throws Exception {
        network.lost = message -> message instanceof TakeOver;
        refusal(switchOver(a, b, 1_000));
        CompletableFuture<String> held = refusedCommit();
        a.primary.superseded(new Term(1, 4711), "a test");
        b.close();
        network.lost = message -> false;
        b.runStandby(endpoint("a"));
        assertTrue(held.join().contains("is fenced by term 1/4711"), held.join());
        await("the fence to stay", () -> a.primary.control().fencedBy().equals(new Term(1, 4711)));
    }

    @Test
    void anEndpointIsFollowedWithItsPasswordAndShownWithoutIt() throws Exception {
        Endpoint secret = Endpoint.parse("memory://b?password=secret");
        try (Listener listening = network.listen(secret, b.standby.senders().orElseThrow())) {
            SwitchedOver done = a.primary
                    .switchOver(new SwitchoverPlan("b", secret.uri().toString(), PATIENCE_MS, 16 << 20))
                    .toCompletableFuture()
                    .join();
            assertEquals(listening.endpoint().toString(), done.endpoints());
            assertFalse(done.endpoints().contains("secret"), done::endpoints);
            assertEquals(secret.uri().toString(), new String(a.disk.readAll(PREPARED), StandardCharsets.US_ASCII));
        }
    }

    @Test
    void aLinkThatIsCutWhileCommitsAreHeldLeavesThePrimaryAsItWas() throws Exception {
        network.lost = message -> {
            if (message instanceof SwitchoverAnswer) {
                network.cut = later -> later instanceof Message.StandbyStatus;
            }
            return false;
        };
        String why = refusal(switchOver(a, b, PATIENCE_MS));
        assertTrue(why.contains("session with \"b\" has ended") || why.contains("not answer"), why);
        network.lost = message -> false;
        network.cut = message -> false;
        a.commitAndWait();
        b.awaitStreaming();
        assertSwitchedOver(a, b, switchOver(a, b, PATIENCE_MS).join(), 2);
    }

    @Test
    void aWordToTakeOverThatIsLostIsTakenBackWhenTheStandbyReturns() throws Exception {
        network.cut = message -> message instanceof TakeOver;
        String why = refusal(switchOver(a, b, PATIENCE_MS));
        assertTrue(why.contains("has come back as a standby instead"), why);
        network.cut = message -> false;
        assertFalse(a.disk.exists(PREPARED));
        assertEquals(Term.NONE, a.primary.control().fencedBy());
        a.commitAndWait();
        assertSwitchedOver(a, b, switchOver(a, b, PATIENCE_MS).join(), 2);
    }

    @Test
    void anAnswerThatIsLostIsFoundOutAtTheNewPrimary() throws Exception {
        network.cut = message -> message instanceof TookOver;
        assertSwitchedOver(a, b, switchOver(a, b, PATIENCE_MS).join(), 2);
    }

    @Test
    void whileItIsNotKnownWhetherTheOtherHasTakenOverNothingIsCommittedAndThenItGoesOn() throws Exception {
        network.lost = message -> message instanceof TakeOver;
        CompletableFuture<SwitchedOver> asked = switchOver(a, b, 1_000);
        String why = refusal(asked);
        assertTrue(why.contains("does not say whether it has"), why);
        assertTrue(a.primary.reason().contains("repair the link"), a.primary.reason());
        assertTrue(a.disk.exists(PREPARED), "a restart makes it a standby");
        assertEquals(new Term(2, 0), a.primary.control().fencedBy());
        CompletableFuture<Boolean> held = CompletableFuture.supplyAsync(() -> {
            a.commitAndWait();
            return true;
        });
        long endLsn = a.primary.endLsn();
        b.close();
        await("its session to end", () -> a.primary.standbys().isEmpty());
        assertEquals(endLsn, a.primary.endLsn());
        assertFalse(held.isDone());

        network.lost = message -> false;
        b.runStandby(endpoint("a"));
        assertTrue(held.join());
        assertEquals("", a.primary.reason());
        assertFalse(a.disk.exists(PREPARED));
        b.awaitStreaming();
        assertSwitchedOver(a, b, switchOver(a, b, PATIENCE_MS).join(), 2);
    }

    @Test
    void aPrimaryThatStopsInDoubtIsAStandbyNextAndCanBePromotedToATimelineOfItsOwn() throws Exception {
        network.lost = message -> message instanceof TakeOver;
        refusal(switchOver(a, b, 1_000));
        b.close();
        a.close();
        a.runStandby(endpoint("b"));
        await("a to run", () -> a.standby.report().phase().equals("running"));
        assertEquals(3, a.standby.promote(false).toCompletableFuture().join().timeline());
    }
}
