package lockstep.simulation;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import lockstep.commit.CommitLevel;
import lockstep.commit.CommitRefusedException;
import lockstep.commit.DegradedLog;
import lockstep.commit.DegradedMode;
import lockstep.commit.DegradedPeriod;
import lockstep.commit.SynchronousConfig;
import lockstep.io.Step;
import lockstep.io.SyncMethod;
import lockstep.primary.Primary;
import lockstep.primary.PrimaryConfig;
import lockstep.receiver.StandbyServer;
import lockstep.receiver.api.ReceiverState;
import lockstep.receiver.api.StandbyReport;
import lockstep.recovery.Checkpointer;
import lockstep.recovery.ControlFile;
import lockstep.recovery.Promotion;
import lockstep.redo.Redone;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SenderConfig;
import lockstep.send.WalSenders;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message;
import lockstep.wal.Wal;
import lockstep.wal.WalLayout;

/**
 * A primary and a standby, in one thread, in a world that a seed decides; as a chain, with a standby of that standby; or with a
 * failover at the end, of which {@link Course} tells.
 *
 * <p><b>What is real.</b> All of both servers: log, commit queue, senders, receiver, redo, recovery, checkpoints, base
 * backup, and the codec of the messages. <b>What is simulated</b> is what lies behind the seams of {@code lockstep.io} and
 * the transport contract: {@link SimDisk disks}, the {@link SimScheduler clock and the threads}, the {@link SimNetwork
 * network}. The store is a set of numbers ({@link NumberStore}).
 *
 * <p><b>What happens.</b> Clients commit numbers at all levels, in records of a few bytes to many pages. Meanwhile either
 * server is killed, loses power, or is stopped in good order, at any moment or at a chosen operation of its disk, also while it
 * recovers, and is started again; unflushed sectors are lost in any combination; flushes fail; the standby's disk is full; sessions
 * break or fall silent with messages under way; bits flip; redo is paused; segments are switched, checkpoints taken.
 *
 * <p><b>What must hold</b>, looked up in the bytes on the disks by the {@link Ledger}, whatever the servers believe:
 * <ol>
 *   <li>What becomes visible on the primary is on its disk; at {@code on} and above, the same bytes are on the standby's disk; at
 *       {@code remote_apply} the standby has redone it.
 *   <li>After every recovery each acknowledged commit is there, at its position. On the standby, the log reaches past every
 *       commit acknowledged at {@code on}, whenever it is opened.
 *   <li>The same holds for what becomes visible on the primary after a crash. What was visible there stays so; only a loss of power
 *       may put it in doubt again, until the standby returns.
 *   <li>What becomes visible on the standby is on the primary's disk.
 *   <li>While a session streams, both logs are equal as far as both have them on the disk.
 *   <li>When all faults end, everything comes to rest by itself: both stores and both logs are equal. Then either machine is
 *       lost, and the other, alone, has all that it must have.
 *   <li>In a failover, the standby that takes over has, and so has in the end the old primary that follows it, everything that was
 *       acknowledged at {@code on} and above, save what was answered as being on the primary only.
 *   <li>Of two primaries of one log at most one releases anything once a standby has met one after the other; which one does not
 *       change any more, whoever restarts.
 *   <li>Of the standby at the end of a chain, on which no commit waits, the third and fourth hold as well while the chain is whole,
 *       and in the end it has everything too.
 * </ol>
 *
 * <p><b>Replay.</b> A seed always does the same: {@code -Dlockstep.simulation.seed=N} runs that one alone, with both servers'
 * logs, as a pair unless {@code -Dlockstep.simulation.course=CHAIN}, {@code FAILOVER} or {@code COPY} is there too; {@code
 * -Dlockstep.simulation.seeds=COUNT} says how many are run, every fourth of the pairs with a failover, every eighth with a copy, and
 * half as many as a chain.
 */
final class Simulation {
    private static final int SEGMENT_BYTES = 1 << 20;
    private static final int BUFFER_BYTES = 64 << 10;
    private static final int ACTIONS = 120;
    private static final int COMPARE_AGAIN_BYTES = 64 << 10;
    private static final long MICROS = 1_000;
    private static final long MILLIS = 1_000_000;
    private static final long SECONDS = 1_000_000_000;
    private static final Endpoint ENDPOINT = Endpoint.parse("sim://primary");
    private static final Endpoint OTHER_ENDPOINT = Endpoint.parse("sim://primary-by-another-way");
    private static final Endpoint STANDBYS_ENDPOINT = Endpoint.parse("sim://standby");

    private final SplittableRandom random;
    private final Tally tally = new Tally();
    private final SimScheduler scheduler;
    private final SimNetwork network;
    private final Course course;
    private final boolean chain;
    private final Ledger ledger;
    private final WalLayout layout = new WalLayout(SEGMENT_BYTES);
    private final SyncMethod syncMethod;
    private final long keepBytes;
    private final int levelBias;
    private final SynchronousConfig standbys;
    private final PrimaryServer primary;
    private final Standby standby;

    /** The standby of the standby; never started if this is no chain. */
    private final Standby last;

    private long nextNumber;

    /** Who there is, and how it ends. */
    enum Course {
        /** A primary and its standby; in the end all faults cease. */
        PAIR,
        /** The same, with a standby of the standby. */
        CHAIN,
        /**
         * A primary and its standby; in the end the primary is lost, or cut off and does not know it. The standby is promoted, and may
         * crash as it is; the old primary returns as its standby, with more WAL or with less: it follows, or is refused and
         * rewound.
         */
        FAILOVER,
        /**
         * A primary and its standby; in the end a copy of the primary's disk is started beside it, and the standby meets both, again
         * and again.
         */
        COPY
    }

    Simulation(long seed, Course course) {
        this.course = course;
        chain = course == Course.CHAIN;
        random = new SplittableRandom(seed);
        scheduler = new SimScheduler(random.split());
        network = new SimNetwork(random.split(), scheduler, tally, this::answered);
        ledger = new Ledger(layout, tally);
        syncMethod = random.nextInt(3) == 0 ? SyncMethod.DIRECT_DATASYNC : SyncMethod.FDATASYNC;
        keepBytes = random.nextInt(4) == 0 ? 0 : 3L * SEGMENT_BYTES;
        levelBias = random.nextInt(5);
        standbys = standbys(new SplittableRandom(~seed));
        if (standbys.unavailable() != SynchronousConfig.Unavailable.HANG) {
            ledger.mayDegrade();
        }
        primary = new PrimaryServer(new SimDisk("primary", random.split(), scheduler, tally));
        standby = new Standby(
                "standby", ENDPOINT, primary, ledger, new SimDisk("standby", random.split(), scheduler, tally));
        last = new Standby(
                "last",
                STANDBYS_ENDPOINT,
                standby,
                new Ledger(layout, tally),
                chain ? new SimDisk("last", random.split(), scheduler, tally) : standby.disk);
        seeDisks();
    }

    /** One in four degrades; how is drawn apart, so that all else is as without. */
    private static SynchronousConfig standbys(SplittableRandom choice) {
        SynchronousConfig hang = SynchronousConfig.hang("*");
        if (choice.nextInt(4) != 0) {
            return hang;
        }
        return new SynchronousConfig(
                hang.names(),
                choice.nextBoolean() ? SynchronousConfig.Unavailable.WAIT : SynchronousConfig.Unavailable.DEGRADE,
                choice.nextInt(1, 100) * MILLIS,
                SynchronousConfig.DegradeTo.valueOf(
                        List.of("LOCAL", "REMOTE_WRITE", "FEWER").get(choice.nextInt(3))),
                1 + choice.nextInt(5) / 4,
                choice.nextInt(3) == 0 ? choice.nextInt(1, 200) * MILLIS : 0,
                choice.nextInt(3) == 0 ? choice.nextInt(1, 200_000) : 0,
                choice.nextBoolean() ? SynchronousConfig.Exhausted.HANG : SynchronousConfig.Exhausted.FAIL,
                choice.nextInt(20) * MILLIS);
    }

    private void seeDisks() {
        standby.ledger.disks(primary.disk, standby.disk);
        last.ledger.disks(primary.disk, last.disk);
    }

    Tally tally() {
        return tally;
    }

    /** Runs to the end; an error says what did not hold. */
    void run() {
        primary.start();
        standby.start();
        if (chain) {
            last.start();
        }
        for (int i = 0; i < ACTIONS; i++) {
            act();
            scheduler.runFor(someTime());
            look();
        }
        comeToRest();
        if (course == Course.FAILOVER) {
            failOver();
        } else if (course == Course.COPY) {
            goOnTwice();
        } else {
            loseEither();
        }
    }

    private long someTime() {
        int kind = random.nextInt(100);
        if (kind < 70) {
            return random.nextInt(400) * MICROS;
        } else if (kind < 97) {
            return random.nextInt(20) * MILLIS;
        }
        return random.nextInt(4_000) * MILLIS;
    }

    private boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    private Server anyServer() {
        return random.nextBoolean() ? primary : anyStandby();
    }

    private Standby anyStandby() {
        return chain && random.nextBoolean() ? last : standby;
    }

    private void act() {
        int kind = random.nextInt(1000);
        if (kind < 700) {
            for (int i = random.nextInt(4); i >= 0; i--) {
                commit(level(), chance(4) ? random.nextInt(28 << 10) : random.nextInt(3000));
            }
        } else if (kind < 720) {
            anyServer().crash(chance(50));
        } else if (kind < 760) {
            anyServer().crashAtOperation(1 + random.nextInt(chance(50) ? 10 : 100));
        } else if (kind < 860) {
            anyServer().startToCrash();
        } else if (kind < 880) {
            network.cutSessions();
        } else if (kind < 890) {
            network.silenceSessions();
        } else if (kind < 900) {
            network.flipABit();
        } else if (kind < 910) {
            network.setCut(chance(50));
        } else if (kind < 920) {
            anyStandby().disk.fillFor(random.nextInt(1_500) * MILLIS);
        } else if (kind < 930) {
            anyServer().disk.failNextSync();
        } else if (kind < 935) {
            standby.move();
        } else if (kind < 940) {
            anyStandby().pauseRedo(chance(50));
        } else if (kind < 942) {
            anyStandby().rebuild();
        } else if (kind < 955) {
            anyServer().stop();
        } else if (kind < 980) {
            primary.switchSegment();
        } else {
            primary.checkpoint();
        }
        if (chance(20)) {
            primary.startIfDown();
        }
        if (chance(30)) {
            standby.startIfDown();
        }
        if (chain && chance(30)) {
            last.startIfDown();
        }
    }

    private CommitLevel level() {
        CommitLevel[] levels = CommitLevel.values();
        return levels[chance(50) ? levelBias : random.nextInt(levels.length)];
    }

    private void commit(CommitLevel level, int bytes) {
        primary.command("commit", () -> {
            if (primary.server.commits().isPresent()) {
                try {
                    ledger.asked(primary.store.commit(primary.server.commits().get(), nextNumber++, bytes, level));
                } catch (CommitRefusedException e) {
                    tally.count(Event.COMMIT_REFUSED);
                }
            }
        });
    }

    /** What must hold at every moment. */
    private void look() {
        primary.look();
        standby.look();
        standby.compare();
        last.look();
        last.compare();
        if (primary.isUp()) {
            ledger.judgeOutcomes(primary.periods());
        }
    }

    /** A server says from where on it sends. */
    private void answered(Message.StartReplication asked, Message.ReplicationStarted answer) {
        if (asked.standbyName().equals(last.name())) {
            if (answer.startLsn() < asked.startLsn()) {
                tally.count(Event.CUT_BACK_CHAIN);
            }
            return;
        }
        if (asked.standbyName().equals("returned")) {
            if (asked.timeline() < answer.timeline() && asked.startLsn() == answer.startLsn()) {
                tally.count(Event.OLD_PRIMARY_HAS_LESS);
            }
            return;
        }
        if (primary.wal() == null) {
            // It is one of two primaries that answers.
            return;
        }
        if (answer.startLsn() < asked.startLsn()) {
            tally.count(
                    primary.wal().filledLsn() > asked.startLsn()
                            ? Event.CUT_BACK_PRIMARY_HAS_MORE
                            : Event.CUT_BACK_PRIMARY_HAS_LESS);
        }
        if (!standby.tookBackup) {
            tally.count(Event.BASE_BACKUP_NOT_NEEDED);
        }
    }

    /** Ends all faults, and waits for everything to come to rest. */
    private void comeToRest() {
        network.setCut(false);
        primary.heal();
        standby.heal();
        if (chain) {
            last.heal();
        }
        await("the primary to accept commits", () -> primary.wal() != null);
        await("the standby to count", primary::isNormal);
        long lastNumber = nextNumber;
        commit(CommitLevel.REMOTE_APPLY, 100);
        await("the last commit", () -> primary.store.contains(lastNumber));
        await("the standby to redo it", () -> standby.store.contains(lastNumber));
        await(
                "rest",
                () -> primary.isNormal()
                        && primary.wal().flushedLsn() == primary.wal().filledLsn()
                        && standby.hasEverything()
                        && (!chain || last.hasEverything()));
        look();
        ledger.atRest();
        standby.compareAll();
        if (chain) {
            last.compareAll();
        }
    }

    private void loseEither() {
        last.crash(true);
        primary.crash(true);
        standby.crash(true);
        aloneHasAll("the primary", primary.disk, false);
        aloneHasAll("the standby", standby.disk, true);
    }

    private void await(String what, BooleanSupplier condition) {
        long limit = scheduler.nanos() + 120 * SECONDS;
        while (!condition.getAsBoolean()) {
            check(
                    scheduler.nanos() < limit,
                    () -> "waited in vain for " + what + "; primary: " + primary.server.state() + " "
                            + primary.server.reason() + "; standby: " + standby.report()
                            + (chain ? "; last: " + last.report() : "") + "; " + scheduler);
            scheduler.runFor(10 * MILLIS);
            look();
            primary.startIfDown();
            standby.startIfDown();
            if (chain) {
                last.startIfDown();
            }
        }
    }

    // Failover.

    /** From rest: a few more faults, and then the primary is lost. */
    private void failOver() {
        ledger.standbyIsWhole();
        for (int i = random.nextInt(20); i >= 0; i--) {
            stir();
            scheduler.runFor(someTime());
            look();
        }
        if (ledger.wasStandbyLost()) {
            // It had to be built anew, and may lack what no promotion would bring back.
            comeToRest();
        }
        losePrimary();
        standby.heal();
        awaitStandby();
        look();
        PrimaryServer successor = promote();
        ledger.recovered("the promoted standby", successor.store.numbers(), true);
        for (int i = random.nextInt(5); i >= 0; i--) {
            successor.commitUnwatched(chance(50) ? CommitLevel.LOCAL : CommitLevel.ON);
            scheduler.runFor(someTime());
        }
        comeBack(successor);
    }

    private void stir() {
        int kind = random.nextInt(100);
        if (kind < 60) {
            for (int i = random.nextInt(4); i >= 0; i--) {
                commit(level(), random.nextInt(3000));
            }
        } else if (kind < 70) {
            network.cutSessions();
        } else if (kind < 75) {
            network.silenceSessions();
        } else if (kind < 80) {
            network.setCut(chance(50));
        } else if (kind < 90) {
            primary.crashAtOperation(1 + random.nextInt(20));
        } else if (kind < 95) {
            standby.crash(chance(50));
        } else {
            primary.checkpoint();
        }
        if (chance(40)) {
            primary.startIfDown();
        }
        if (chance(60)) {
            standby.startIfDown();
        }
    }

    /** It goes, or it is alone and does not know why. */
    private void losePrimary() {
        network.setCut(true);
        network.cutSessions();
        if (primary.isUp() && chance(40)) {
            tally.count(Event.PRIMARY_CUT_OFF);
            for (int i = random.nextInt(10); i >= 0; i--) {
                commit(level(), random.nextInt(3000));
                scheduler.runFor(someTime());
                primary.look();
            }
        }
        primary.crash(chance(50));
        primary.disk.heal();
    }

    private void awaitStandby() {
        await(
                "the standby to have redone what it may",
                () -> standby.wal() != null && standby.report().phase().equals("running"),
                () -> {
                    standby.startIfDown();
                    standby.look();
                });
    }

    private PrimaryServer promote() {
        standby.promoting = true;
        boolean force = false;
        if (chance(40)) {
            standby.crashAtOperation(1 + random.nextInt(30));
        }
        for (int i = 0; i < 10_000; i++) {
            if (!standby.isUp()) {
                tally.count(Event.CRASH_DURING_PROMOTION);
                if (standby.isPrimaryByNow()) {
                    return takeOver(Optional.empty());
                }
                standby.heal();
                awaitStandby();
            }
            if (standby.server.redone().isPresent()) {
                return takeOver(standby.server.redone());
            }
            boolean forced = force;
            standby.command("promote", () -> standby.server.promote(forced));
            scheduler.runFor(MILLIS);
            if (standby.isUp() && standby.server.missingRange().isPresent() && !force) {
                check(ledger.mayLackCommits(), () -> "commits are missing: " + standby.server.missingRange());
                force = true;
                tally.count(Event.PROMOTION_FORCED);
            }
        }
        throw new AssertionError("the standby was not promoted: " + standby.report());
    }

    /** A primary goes on with what the standby has left, or, after a crash, with what is on its disk. */
    private PrimaryServer takeOver(Optional<Redone> handover) {
        tally.count(Event.PROMOTED);
        PrimaryServer successor = new PrimaryServer(standby.disk);
        successor.endpoints = List.of(STANDBYS_ENDPOINT);
        successor.witness = new NumberStore.Witness() {};
        if (handover.isPresent()) {
            successor.handover = handover;
            successor.machine = standby.machine;
            successor.store = standby.store;
            standby.command("step aside", () -> {
                standby.serve(null);
                standby.server.close();
                successor.boot(standby.managers);
            });
        } else {
            successor.start();
        }
        await("the new primary to accept commits", () -> successor.wal() != null, () -> {
            if (!successor.isUp()) {
                tally.count(Event.CRASH_DURING_PROMOTION);
                successor.handover = Optional.empty();
                successor.disk.heal();
                successor.start();
            }
        });
        successor.disk.heal();
        successor.listen();
        return successor;
    }

    private void comeBack(PrimaryServer successor) {
        network.setCut(false);
        Standby returned =
                new Standby("returned", STANDBYS_ENDPOINT, successor, new Ledger(layout, tally), primary.disk);
        returned.promoting = true;
        returned.start();
        BooleanSupplier hasAll = () -> returned.isStreaming()
                && successor.wal().flushedLsn() == successor.wal().filledLsn()
                && returned.report().redo().appliedLsn() == successor.wal().flushedLsn();
        BooleanSupplier isRefused =
                () -> returned.report().receiver().lastError().contains("lockstep rewind");
        await(
                "the old primary to follow, or to be refused",
                () -> hasAll.getAsBoolean() || isRefused.getAsBoolean(),
                () -> {});
        if (isRefused.getAsBoolean()) {
            tally.count(Event.OLD_PRIMARY_REFUSED);
            returned.crash(chance(50));
            returned.rewinding = true;
            returned.start();
            await("the old primary to be rewound", hasAll, () -> {
                returned.tookBackup |= returned.report().backup().active();
            });
            tally.count(returned.tookBackup ? Event.OLD_PRIMARY_REBUILT : Event.OLD_PRIMARY_REWOUND);
        } else {
            tally.count(Event.OLD_PRIMARY_FOLLOWS);
        }
        await("the old primary to count", successor::isNormal, () -> {});
        long number = nextNumber;
        successor.commitUnwatched(CommitLevel.REMOTE_APPLY);
        await("a commit that both have", () -> successor.store.contains(number), () -> {});
        await("rest", hasAll, () -> {});
        check(
                successor.store.numbers().equals(returned.store.numbers()),
                () -> "the stores differ: new primary " + successor.store.numbers() + ", old one "
                        + returned.store.numbers());
        returned.crash(true);
        successor.crash(true);
        aloneHasAll("the new primary", successor.disk, true);
        aloneHasAll("the old primary", returned.disk, true);
    }

    // Two primaries.

    /** From rest: the disk of the primary is copied, as it is, a moment before it crashes, or while it runs again; both go on. */
    private void goOnTwice() {
        standby.promoting = true;
        SimDisk copied = primary.disk.copy(random.split());
        for (int i = random.nextInt(5); i > 0; i--) {
            commit(level(), random.nextInt(3000));
            scheduler.runFor(someTime());
            primary.look();
        }
        primary.crash(chance(50));
        primary.disk.heal();
        Twin original = new Twin(primary.disk, ENDPOINT);
        if (chance(50)) {
            // Of one that runs: the copy knows its epoch, so it is the standby that has to tell of the copy's.
            meet(original, List.of(original));
            original.startAndListen();
            copied = original.disk.copy(random.split());
        }
        Twin copy = new Twin(copied, OTHER_ENDPOINT);
        List<Twin> both = List.of(original, copy);
        for (int i = random.nextInt(6); i > 0; i--) {
            meet(both.get(random.nextInt(2)), both);
        }
        Twin first = chance(50) ? original : copy;
        meet(first, both);
        meet(first == original ? copy : original, both);
        meet(first, both);
        check(
                original.isFenced() != copy.isFenced(),
                () -> "one of two must go on, and one only: " + both + "; the standby: " + standby.report());
        Twin fenced = original.isFenced() ? original : copy;
        tally.count(fenced == original ? Event.ORIGINAL_FENCED : Event.COPY_FENCED);
        both.forEach(twin -> twin.crash(chance(50)));
        meet(first, both);
        check(fenced.isFenced(), () -> "a restart has lifted the fence of " + fenced);
    }

    /** The standby is pointed at one of two primaries, while both are given commits and may crash. */
    private void meet(Twin next, List<Twin> both) {
        both.forEach(Twin::startAndListen);
        standby.startIfDown();
        standby.command("follow", () -> standby.server.follow(next.endpoints.get(0)));
        for (int i = 0; i < 3; i++) {
            both.forEach(twin -> twin.commitUnwatched(chance(50) ? CommitLevel.LOCAL : CommitLevel.ON));
            scheduler.runFor(2 * SECONDS);
        }
        if (chance(20)) {
            both.get(random.nextInt(both.size())).crash(chance(50));
        }
        if (chance(20)) {
            standby.crash(chance(50));
        }
    }

    /** One of two primaries that go on from one log. */
    private final class Twin extends PrimaryServer {
        Twin(SimDisk disk, Endpoint endpoint) {
            super(disk);
            endpoints = List.of(endpoint);
            witness = new NumberStore.Witness() {
                @Override
                public void released(NumberStore.NumberCommit commit, boolean early) {
                    check(!isFenced(), () -> "released on a fenced server: " + commit.number() + " on " + Twin.this);
                }
            };
        }

        boolean isFenced() {
            return server != null && server.reason().contains("fenced");
        }

        void startAndListen() {
            if (!isUp()) {
                start();
                await("a primary of two to accept commits", () -> wal() != null, () -> {});
                listen();
            }
        }

        @Override
        public String toString() {
            return endpoints + " of term " + server.control().term() + ' ' + server.reason();
        }
    }

    private void await(String what, BooleanSupplier condition, Runnable meanwhile) {
        long limit = scheduler.nanos() + 120 * SECONDS;
        while (!condition.getAsBoolean()) {
            check(scheduler.nanos() < limit, () -> "waited in vain for " + what + "; " + scheduler);
            scheduler.runFor(MILLIS);
            meanwhile.run();
        }
    }

    /** The other machine is lost: opens what is on this disk as a primary. */
    private void aloneHasAll(String name, SimDisk disk, boolean remote) {
        PrimaryServer alone = new PrimaryServer(disk.copy(random.split()));
        alone.witness = new NumberStore.Witness() {};
        alone.start();
        for (int i = 0; i < 10_000 && alone.wal() == null; i++) {
            scheduler.runFor(MILLIS);
        }
        check(
                alone.wal() != null,
                () -> name + " cannot be opened alone: " + alone.server.state() + ' ' + alone.server.reason());
        // Nobody is left to say that it has what is in doubt, so an operator decides.
        alone.command(
                "release",
                () -> alone.server
                        .queue()
                        .orElseThrow()
                        .releaseByHand(alone.wal().flushedLsn()));
        ledger.recovered(name + ", alone,", alone.store.numbers(), remote);
        alone.crash(false);
    }

    private static void check(boolean good, Supplier<String> otherwise) {
        if (!good) {
            throw new AssertionError(otherwise.get());
        }
    }

    /** A machine, and the server on it. */
    private abstract class Server {
        SimDisk disk;
        SimScheduler.Machine machine;
        NumberStore store;
        ResourceManagers managers;
        NumberStore.Witness witness;
        boolean looked;

        Server(SimDisk disk) {
            this.disk = disk;
        }

        abstract String name();

        abstract void boot(ResourceManagers withManagers) throws IOException;

        abstract void close() throws Exception;

        abstract Wal wal();

        boolean isUp() {
            return machine != null && machine.isAlive();
        }

        void start() {
            disk = disk.again();
            machine = scheduler.machine(name());
            store = new NumberStore(disk, witness);
            looked = false;
            if (last != null) {
                seeDisks();
            }
            managers = new ResourceManagers();
            managers.add(store);
            command("boot", () -> boot(managers));
        }

        void startToCrash() {
            if (!isUp()) {
                crashAtOperation(1 + random.nextInt(40));
                start();
            }
        }

        void startIfDown() {
            if (!isUp()) {
                start();
            }
        }

        /** Ends it at once. */
        void crash(boolean power) {
            if (!isUp()) {
                return;
            }
            tally.count(power ? Event.POWER_LOSS : Event.KILL);
            if (wal() == null) {
                tally.count(Event.CRASH_DURING_RECOVERY);
            }
            machine.end();
            disk.off();
            if (power) {
                disk.losePower();
                lostPower();
            }
            network.gone(machine, power && chance(30));
        }

        /** Its machine went. */
        void lostPower() {}

        void crashAtOperation(int operations) {
            boolean power = chance(70);
            disk.crashAfter(operations, () -> crash(power));
        }

        void panic(String message, Throwable cause) {
            if (cause instanceof SimCrash gone) {
                throw gone;
            }
            check(disk.hasFailed(), () -> name() + " panics: " + message + " " + cause);
            crash(chance(50));
            throw new SimCrash(name());
        }

        /** Does something on a thread of the server. */
        void command(String what, Command command) {
            if (isUp()) {
                scheduler.runNow(machine, what, () -> {
                    command.run();
                    return Step.UNTIL_WOKEN;
                });
            }
        }

        void stop() {
            command("stop", () -> {
                close();
                tally.count(Event.ORDERLY_STOP);
                machine.end();
                disk.off();
                network.gone(machine, false);
            });
        }

        void heal() {
            disk.heal();
            startIfDown();
            disk.heal();
        }
    }

    private interface Command {
        void run() throws Exception;
    }

    private class PrimaryServer extends Server {
        Primary server;
        List<Endpoint> endpoints = List.of(ENDPOINT, OTHER_ENDPOINT);

        /** What a standby has left to it. */
        Optional<Redone> handover = Optional.empty();

        PrimaryServer(SimDisk disk) {
            super(disk);
            witness = ledger;
        }

        @Override
        String name() {
            return "primary";
        }

        @Override
        void boot(ResourceManagers withManagers) throws IOException {
            server = null;
            Primary opened = new Primary(
                    new PrimaryConfig(
                            SEGMENT_BYTES,
                            BUFFER_BYTES,
                            syncMethod,
                            CommitLevel.LOCAL,
                            standbys,
                            new Checkpointer.Config(2_000, 1 << 20, new Retention.Config(keepBytes, -1, 1 << 20, 10)),
                            new SenderConfig(10, 3_000)),
                    disk,
                    scheduler,
                    machine,
                    this::panic,
                    withManagers,
                    handover,
                    () -> {});
            opened.addListener(this::changed);
            server = opened;
            opened.start();
        }

        @Override
        void lostPower() {
            ledger.primaryLostPower();
        }

        @Override
        void close() throws IOException {
            if (server != null) {
                server.close();
            }
        }

        @Override
        Wal wal() {
            return !isUp() || server == null ? null : server.wal().orElse(null);
        }

        void look() {
            if (!isUp() || server == null) {
                return;
            }
            if (server.state() == Primary.State.FAILED) {
                check(disk.hasFailed(), () -> "the primary cannot recover: " + server.reason());
                crash(false);
            } else if (wal() != null && !looked) {
                looked = true;
                server.inDoubt().ifPresent(range -> tally.count(Event.IN_DOUBT));
                ledger.primaryRecovered(
                        store.numbers(),
                        lsn -> server.inDoubt()
                                .filter(range -> lsn > range.fromLsn() && lsn <= range.toLsn())
                                .isPresent());
                listen();
            }
        }

        void listen() {
            command("listen", () -> {
                for (Endpoint endpoint : endpoints) {
                    network.transport(machine).listen(endpoint, server.senders().orElseThrow());
                }
            });
        }

        /** Commits what is promised to nobody. */
        void commitUnwatched(CommitLevel level) {
            command("commit", () -> {
                try {
                    store.commit(server.commits().orElseThrow(), nextNumber++, 100, level);
                } catch (CommitRefusedException e) {
                    tally.count(Event.COMMIT_REFUSED);
                }
            });
        }

        private void changed(DegradedMode.Transition transition) {
            if (transition.to() == DegradedMode.State.EXHAUSTED) {
                tally.count(Event.DEGRADED_EXHAUSTED);
            } else if (transition.to().isDegraded() != transition.from().isDegraded()) {
                tally.count(transition.to().isDegraded() ? Event.DEGRADED : Event.DEGRADED_LEFT);
            }
        }

        private boolean isNormal() {
            return isUp()
                    && server != null
                    && server.degradedMode()
                            .filter(mode -> mode.state() == DegradedMode.State.NORMAL)
                            .isPresent();
        }

        private List<DegradedPeriod> periods() {
            try {
                return DegradedLog.read(disk);
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }

        void switchSegment() {
            command("switch", () -> {
                if (wal() != null) {
                    wal().switchSegment();
                }
            });
        }

        void checkpoint() {
            command("checkpoint", () -> {
                if (wal() != null) {
                    server.checkpoint();
                    tally.count(Event.CHECKPOINT);
                }
            });
        }
    }

    private final class Standby extends Server {
        private final String name;
        private final Endpoint upstreamEndpoint;
        private final Server upstream;
        final Ledger ledger;
        StandbyServer server;
        boolean tookBackup;

        /** What it redoes from now on may be on no other disk. */
        boolean promoting;

        /** It may give up what its new primary has not. */
        boolean rewinding;

        private Listener door;

        /** The log that a rebuild was asked for in place of; null when another has been seen since. */
        Wal rebuiltFrom;

        long restartpoints;
        long comparedLsn;

        Standby(String name, Endpoint upstreamEndpoint, Server upstream, Ledger ledger, SimDisk disk) {
            super(disk);
            this.name = name;
            this.upstreamEndpoint = upstreamEndpoint;
            this.upstream = upstream;
            this.ledger = ledger;
            witness = new NumberStore.Witness() {
                @Override
                public void redone(long number, long lsn) {
                    if (!promoting) {
                        ledger.redoneOnStandby(number, lsn);
                    }
                }
            };
        }

        @Override
        String name() {
            return name;
        }

        @Override
        void boot(ResourceManagers withManagers) throws IOException {
            tookBackup = false;
            restartpoints = 0;
            if (rewinding) {
                disk.writeAtomically("rewind.signal", ByteBuffer.allocate(0));
            }
            server = new StandbyServer(
                    name,
                    upstreamEndpoint,
                    BUFFER_BYTES,
                    syncMethod,
                    disk,
                    scheduler,
                    machine,
                    this::panic,
                    withManagers,
                    network.transport(machine),
                    this::serve);
            server.start();
        }

        @Override
        void close() throws Exception {
            server.close();
        }

        @Override
        Wal wal() {
            return isUp() ? server.wal().orElse(null) : null;
        }

        private void serve(WalSenders senders) {
            if (door != null) {
                door.close();
                door = null;
            }
            if (this == standby && senders != null) {
                door = network.transport(machine).listen(STANDBYS_ENDPOINT, senders);
            }
        }

        StandbyReport report() {
            return isUp() ? server.report() : null;
        }

        /** Returns whether WAL comes here from the primary, perhaps through the other standby. */
        boolean isFed() {
            return wal() != null
                    && server.report().receiver().state() == ReceiverState.STREAMING
                    && upstream.machine != null
                    && network.areLinked(
                            machine,
                            upstream.machine,
                            server.report().receiver().endpoint())
                    && (upstream == primary || standby.isFed());
        }

        boolean isStreaming() {
            return wal() != null && server.report().receiver().state() == ReceiverState.STREAMING;
        }

        /** Returns whether a promotion was decided before a crash. */
        boolean isPrimaryByNow() {
            try {
                SimDisk after = disk.again();
                Promotion.finish(after);
                disk = after;
                return ControlFile.read(after).timeline() > 1;
            } catch (IOException e) {
                throw new AssertionError(e);
            }
        }

        boolean hasEverything() {
            return isFed()
                    && wal().flushedLsn() == primary.wal().flushedLsn()
                    && server.report().redo().appliedLsn() == primary.wal().flushedLsn();
        }

        /** Compares the end of the log with the primary's. */
        void compare() {
            if (primary.wal() != null && isFed()) {
                // There may be a part of a record here that will turn out bad; only what was checked is acknowledged.
                long to = Math.min(
                        primary.wal().flushedLsn(), server.report().receiver().flushedLsn());
                ledger.compare(Math.max(comparedLsn, to - SEGMENT_BYTES), to);
                comparedLsn = to;
            } else {
                comparedLsn = Math.max(0, comparedLsn - COMPARE_AGAIN_BYTES);
            }
        }

        /** Compares all that there is with the primary, which is at rest, as this is. */
        void compareAll() {
            ledger.compare(layout.segmentStart(1), wal().flushedLsn());
            check(
                    primary.store.numbers().equals(store.numbers()),
                    () -> "the stores differ: primary " + primary.store.numbers() + ", " + name + ' '
                            + store.numbers());
        }

        /** What was acknowledged before the primary has begun to send the backup is given up with the old data. */
        void rebuild() {
            if (wal() != null && report().phase().equals("running")) {
                command("rebuild", () -> {
                    server.rebuild();
                    tally.count(Event.REBUILD);
                    ledger.standbyRebuilds();
                    rebuiltFrom = wal();
                });
            }
        }

        /** Changes {@code primary_conninfo}: the same primary, by another way. */
        void move() {
            command("move", () -> {
                tally.count(Event.MOVE_WISHED);
                boolean isThere = server.report().receiver().endpoint().equals(ENDPOINT.toString());
                server.follow(isThere ? OTHER_ENDPOINT : ENDPOINT);
            });
        }

        void pauseRedo(boolean pause) {
            command("redo", () -> {
                if (pause) {
                    tally.count(Event.REDO_PAUSED);
                    server.pauseRedo();
                } else {
                    server.resumeRedo();
                }
            });
        }

        @Override
        void heal() {
            super.heal();
            pauseRedo(false);
        }

        void look() {
            if (!isUp()) {
                return;
            }
            StandbyReport report = server.report();
            if (!report.problem().isEmpty() && !report.problem().contains("No space left")) {
                check(disk.hasFailed(), () -> "the standby has a problem: " + report.problem());
                crash(false);
                return;
            }
            String error = report.receiver().lastError();
            check(
                    !error.contains("went its own way") && !error.contains("has lost WAL"),
                    () -> "the standby is refused: " + error);
            if (report.backup().active()) {
                tookBackup = true;
            }
            if (rebuiltFrom != null && wal() != null && wal() != rebuiltFrom) {
                rebuiltFrom = null;
                looked = false;
                ledger.standbyIncomplete();
            }
            if (wal() != null && !looked) {
                looked = true;
                if (tookBackup) {
                    tally.count(upstream == primary ? Event.BASE_BACKUP : Event.BASE_BACKUP_FROM_STANDBY);
                }
                check(
                        wal().filledLsn() >= ledger.remotePromisedLsn(),
                        () -> "the standby has the log up to " + Lsn.text(wal().filledLsn()) + ", but commits up to "
                                + Lsn.text(ledger.remotePromisedLsn()) + " were acknowledged by it");
            }
            while (restartpoints < report.restartpoints().count()) {
                restartpoints++;
                tally.count(Event.RESTARTPOINT);
            }
            if (error.contains("a standby too, only up to")) {
                tally.count(Event.WAITED_FOR_UPSTREAM);
            }
            if (error.contains("Run \"rebuild\" on the standby")) {
                tally.count(Event.WAL_REMOVED);
                if (random.nextBoolean()) {
                    rebuild();
                } else {
                    ledger.standbyLost();
                    crash(false);
                    disk = new SimDisk(name, random.split(), scheduler, tally);
                    seeDisks();
                }
            }
        }
    }
}
