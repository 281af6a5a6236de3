package lockstep.receiver;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import lockstep.io.Clock;
import lockstep.io.Commands;
import lockstep.io.Disk;
import lockstep.io.DiskFullException;
import lockstep.io.Panic;
import lockstep.io.Shutdown;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.io.Workers;
import lockstep.receiver.api.BackupStatus;
import lockstep.receiver.api.MissingRange;
import lockstep.receiver.api.PrefetchStatus;
import lockstep.receiver.api.Promoted;
import lockstep.receiver.api.ReceiverState;
import lockstep.receiver.api.ReceiverStatus;
import lockstep.receiver.api.RedoState;
import lockstep.receiver.api.RedoStatus;
import lockstep.receiver.api.RestartpointStatus;
import lockstep.receiver.api.StandbyControl;
import lockstep.receiver.api.StandbyReport;
import lockstep.recovery.ControlFile;
import lockstep.recovery.ControlStore;
import lockstep.redo.Redo;
import lockstep.redo.RedoListener;
import lockstep.redo.Redone;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManager;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.WalSenders;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.SwitchoverAnswer;
import lockstep.transports.Movable;
import lockstep.wal.SegmentFiles;
import lockstep.wal.SegmentSource;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalConfig;
import lockstep.wal.WalCorruptionException;
import lockstep.wal.WalFormat;
import lockstep.wal.WalLayout;
import lockstep.wal.WalStatistics;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A standby, from an empty data directory to continuous redo.
 *
 * <pre>
 *   phase         what happens                                                    next
 *   STARTING      reads all WAL on the disk, to find its end or damage in it      BASE_BACKUP if there is no control file;
 *                                                                                 RECOVERING; DAMAGED; FAILED
 *   BASE_BACKUP   takes one from the primary                                      RUNNING
 *   any of those  a rebuild is asked for: all work ends, and the data is given    BASE_BACKUP
 *   below         up when the primary has begun to send a base backup
 *   RECOVERING    redoes what is on the disk, as far as the primary is known to   RUNNING, when that is done or redo
 *                 have flushed it                                                 cannot go on for now
 *   RUNNING       receives, acknowledges, redoes; restores from the archive       PROMOTING, on request or where recovery
 *                 before that ({@link WalSupply}); where recovery ends, stays     ends; STOPPED; FAILED
 *                 there if so configured
 *   PROMOTING     has left its primary and the archive; redoes all valid WAL it   PROMOTED; RUNNING, with the reason, when
 *                 has, also what the primary is not known to have flushed, or,    redo cannot get to the end
 *                 where recovery has ended, cuts off what is behind that
 *   PROMOTED      the new timeline is on the disk; the primary takes over         STOPPED
 *   DAMAGED       redoes up to the damage, and says so; does not connect          STOPPED
 *   FAILED        says why it cannot start; changes nothing                       STOPPED
 * </pre>
 *
 * <p><b>A primary that hands over</b> ({@link Succession}) has a standby promoted like an operator, but waits on its session to be told
 * what became of that. So the session is not left at first, though nothing that comes over it counts any more.
 *
 * <p><b>Threads.</b> The worker {@code startup} does all of this, and is redo's from then on. Others that it starts: {@code
 * wal-receiver} (sessions and timers), {@code wal-writer} and {@code wal-preparer}, {@code restartpoint}, {@code
 * prefetcher}. They are ended by {@link #close}.
 */
final class Standby implements StandbyControl, Movable, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Standby.class);

    private static final Commands NO_COMMANDS = new Commands() {
        @Override
        public int run(String command) {
            throw new IllegalStateException("no command is configured");
        }

        @Override
        public void stop() {}
    };

    private static final long BACKUP_LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(50);
    private static final long TRIGGER_LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(200);
    private static final long FULL_DISK_RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);

    private enum Phase {
        STARTING,
        BASE_BACKUP,
        RECOVERING,
        RUNNING,
        PROMOTING,
        PROMOTED,
        DAMAGED,
        FAILED,
        STOPPED;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }
    }

    private volatile StandbyConfig config;
    private final Disk disk;
    private final Clock clock;
    private final Workers workers;
    private final Panic panic;
    private final ResourceManagers managers;
    private final Consumer<Redone> promoted;
    private final Consumer<WalSenders> serving;
    private final Commands commands;
    private final Shutdown shutdown;
    private final Upstream upstream;
    private final Runnable wakeRedo = this::wake;

    private volatile Phase phase = Phase.STARTING;
    private volatile String problem = "";
    private volatile BaseBackup backup;
    private volatile boolean backupComplete;
    private volatile Replication replication;
    private volatile ContinuousRedo redo;
    private volatile Redo damagedRedo;
    private volatile WalFormat format = WalFormat.LOCKSTEP;
    private volatile boolean paused;
    private volatile boolean recoveryEnded;
    private volatile boolean rebuildAsked;
    private volatile Worker startup;
    private Supplier<List<String>> listening = List::of;
    private Runnable ready = () -> {};
    private volatile boolean isReady;

    private final AtomicReference<Promotion> promotion = new AtomicReference<>();

    /** Where the WAL ends that a promotion keeps; 0 before it has got so far. */
    private long keptLsn;

    /**
     * A request to become a primary, under way.
     *
     * @param byPrimary whether the primary has handed over: its session stays open until it has been told what became of that
     * @param reason for people
     */
    private record Promotion(boolean force, boolean byPrimary, String reason, CompletableFuture<Promoted> done) {}

    /** A standby without an archive. */
    Standby(
            StandbyConfig config,
            Disk disk,
            Clock clock,
            Workers workers,
            Panic panic,
            ResourceManagers managers,
            Transports transports,
            Consumer<Redone> promoted,
            Consumer<WalSenders> serving) {
        this(
                config,
                disk,
                clock,
                workers,
                panic,
                managers,
                transports,
                promoted,
                serving,
                NO_COMMANDS,
                (status, reason) -> {});
    }

    /**
     * Makes one that is started later.
     *
     * @param promoted told once, on the thread {@code startup}, when this server is to be a primary: the resource managers stay
     *     open, for it
     * @param serving told, on the thread {@code startup}, when standbys of this one can be served, and with null when they cannot
     *     any more, before a rebuild
     */
    Standby(
            StandbyConfig config,
            Disk disk,
            Clock clock,
            Workers workers,
            Panic panic,
            ResourceManagers managers,
            Transports transports,
            Consumer<Redone> promoted,
            Consumer<WalSenders> serving,
            Commands commands,
            Shutdown shutdown) {
        this.config = config;
        this.disk = disk;
        this.clock = clock;
        this.workers = workers;
        this.panic = panic;
        this.managers = managers;
        this.promoted = promoted;
        this.serving = serving;
        this.commands = commands;
        this.shutdown = shutdown;
        upstream = new Upstream(this::config, transports, workers, clock);
    }

    private StandbyConfig config() {
        return config;
    }

    /**
     * Changes the configuration, as far as that can be done at work: what is settled at start stays as it is. A changed list of
     * endpoints is moved to without a pause; a changed name or slot is told on a new session.
     */
    void configure(StandbyConfig changed) {
        StandbyConfig before = config;
        config = changed;
        upstream.configured();
        Replication open = replication;
        if (open != null) {
            open.configured();
        }
        if (!changed.name().equals(before.name()) || !changed.slotName().equals(before.slotName())) {
            upstream.introduceAnew("the standby's name or slot has been changed");
        }
    }

    @Override
    public Optional<CompletableFuture<Endpoint>> leave(String scheme) {
        return upstream.leave(scheme);
    }

    static String conninfo(StandbyConfig config) {
        return config.primaries().stream().map(Endpoint::toString).collect(Collectors.joining(", "));
    }

    /** Tells where this server listens, which a primary that hands over wants to know. Called before {@link #start}, or never. */
    void listensOn(Supplier<List<String>> endpoints) {
        listening = endpoints;
    }

    /**
     * Tells when the standby has data to begin with, or a primary has begun to send it. Called before {@link #start}, or never.
     *
     * @param listener told once, on the thread {@code startup}
     */
    void whenReady(Runnable listener) {
        ready = listener;
    }

    private void becomeReady() {
        if (!isReady) {
            isReady = true;
            ready.run();
        }
    }

    /** Returns what keeps the standby from being ready; empty if it is, or is on its way. */
    String hindrance() {
        if (isReady) {
            return "";
        }
        return problem.isEmpty() ? upstream.lastError() : problem;
    }

    /** Starts the thread {@code startup}, and returns. */
    void start() {
        managers.addListener(wakeRedo);
        startup = workers.start("startup", this::step);
    }

    private void wake() {
        Worker worker = startup;
        if (worker != null) {
            worker.wake();
        }
    }

    private void become(Phase next, String reason) {
        log.info("standby \"{}\": {} -> {}: {}", config.name(), phase, next, reason);
        phase = next;
    }

    private long step() {
        try {
            if (rebuildAsked) {
                rebuildAsked = false;
                startOver();
            }
            lookForTrigger();
            if (promotion.get() != null) {
                return promote(promotion.get());
            }
            long next = switch (phase) {
                case STARTING -> begin();
                case BASE_BACKUP -> awaitBackup();
                case RECOVERING -> recover();
                case RUNNING -> follow();
                case DAMAGED -> redo.run();
                case PROMOTING, PROMOTED, FAILED, STOPPED -> Step.UNTIL_WOKEN;
            };
            return config.triggerFile().isEmpty() ? next : Math.min(next, TRIGGER_LOOK_NANOS);
        } catch (DiskFullException e) {
            problem = "the standby starts when there is room on the disk: " + e.getMessage();
            log.warn("{}", problem);
            return FULL_DISK_RETRY_NANOS;
        } catch (RecoveryException e) {
            cannotGoOn(e.getMessage());
            return Step.UNTIL_WOKEN;
        } catch (IOException | RuntimeException e) {
            problem = "the standby cannot start: " + e.getMessage();
            log.error("{}", problem, e);
            become(Phase.FAILED, problem);
            return Step.UNTIL_WOKEN;
        }
    }

    private long begin() throws IOException {
        if (BackupFiles.wasInterrupted(disk)) {
            log.info("a base backup has been interrupted; it is begun again");
            BackupFiles.removeInterrupted(disk);
        }
        if (ControlFile.exists(disk)) {
            becomeReady();
            open();
        } else if (disk.list(SegmentFiles.DIRECTORY).stream().anyMatch(WalLayout::isSegmentName)) {
            throw new IOException("the data directory has WAL, but the file " + ControlFile.PATH
                    + " is missing. Restore it, or empty the data directory, so that the standby takes a base backup");
        } else if (config.primaries().isEmpty()) {
            throw new RecoveryException(
                    "the data directory is empty, and primary_conninfo names nobody to take a base backup"
                            + " from. Take one with \"lockstep backup\"");
        } else {
            backup = new BaseBackup(this::config, disk, clock, upstream, Optional.empty(), this::backupComplete);
            become(Phase.BASE_BACKUP, "the data directory is empty");
            upstream.start(backup);
        }
        return Step.AGAIN;
    }

    @Override
    public void rebuild() {
        Phase now = phase;
        if (now == Phase.STARTING || now == Phase.BASE_BACKUP || now == Phase.STOPPED) {
            throw new IllegalStateException("this standby is " + now + ": it cannot be rebuilt now");
        }
        if (config.primaries().isEmpty()) {
            throw new IllegalStateException(
                    "primary_conninfo names nobody to take a base backup from: this server cannot be rebuilt");
        }
        if (!ControlFile.exists(disk)) {
            throw new IllegalStateException("the file " + ControlFile.PATH
                    + " is missing, so it is not known which data is here: empty the data directory instead");
        }
        if (format.isPostgres()) {
            throw new IllegalStateException(
                    "the WAL here is that of a PostgreSQL server, and a rebuild would remove it: begin"
                            + " another archive in an empty directory");
        }
        List<String> away = new ArrayList<>(managers.missing());
        managers.all().forEach(manager -> away.remove(manager.name()));
        if (managers.all().isEmpty() || !away.isEmpty()) {
            throw new IllegalStateException(
                    "resource managers are away, whose data would be replaced: " + away + ". Start their bundles");
        }
        managers.all().forEach(ResourceManager::files);
        rebuildAsked = true;
        wake();
    }

    /** Ends all work on the data that is here, and asks the primary for other data in its place. */
    private void startOver() throws IOException {
        long systemId = ControlFile.read(disk).systemId();
        List<String> files = new ArrayList<>();
        for (ResourceManager manager : managers.all()) {
            files.addAll(manager.files());
        }
        become(Phase.BASE_BACKUP, "a rebuild has been asked for");
        serving.accept(null);
        if (replication != null) {
            replication.supply().end();
        }
        endWork();
        replication = null;
        redo = null;
        damagedRedo = null;
        backupComplete = false;
        recoveryEnded = false;
        problem = "";
        backup = new BaseBackup(
                this::config,
                disk,
                clock,
                upstream,
                Optional.of(new BaseBackup.Replaced(systemId, files)),
                this::backupComplete);
        upstream.start(backup);
    }

    private void backupComplete() {
        backupComplete = true;
        wake();
    }

    private long awaitBackup() throws IOException {
        if (config.backupOnly()) {
            return awaitBackupOnly();
        }
        if (backup.hasBegun()) {
            becomeReady();
        }
        if (!backupComplete) {
            return isReady ? Step.UNTIL_WOKEN : BACKUP_LOOK_NANOS;
        }
        open();
        become(Phase.RUNNING, "the base backup is complete");
        upstream.converse(replication.receiver());
        serving.accept(replication.downstream().senders());
        return Step.AGAIN;
    }

    private long awaitBackupOnly() {
        if (backupComplete) {
            BackupStatus taken = backup.backup();
            shutdown.shutdown(
                    Shutdown.GOOD,
                    "the base backup is complete: " + taken.files() + " files, " + taken.bytes() + " bytes");
            return Step.UNTIL_WOKEN;
        }
        if (upstream.state() == ReceiverState.WAITING) {
            cannotGoOn("the base backup cannot be taken: " + upstream.lastError());
            return Step.UNTIL_WOKEN;
        }
        return BACKUP_LOOK_NANOS;
    }

    /** Finds the end of the WAL on the disk, and puts together what works on it. */
    private void open() throws IOException {
        ControlStore control = ControlStore.open(disk);
        ControlFile file = control.get();
        format = file.format();
        WalConfig walConfig = new WalConfig(file.identity(disk), config.walBufferBytes(), config.syncMethod(), true);
        SegmentFiles files = new SegmentFiles(disk, walConfig.identity());
        SettledMark mark = new SettledMark(disk, file.systemId());
        long known = Math.max(file.knownFlushedLsn(), mark.lsn());
        WalScan scan;
        try {
            scan = WalScan.of(disk, files, walConfig, file.redoLsn(), known);
        } catch (WalCorruptionException e) {
            openDamaged(walConfig, file, Math.max(file.appliableLsn(), mark.lsn()), e);
            mark.close();
            return;
        }
        files.truncate(scan.endLsn(), scan.bytesEndLsn());
        replication = new Replication(
                this::config,
                walConfig,
                scan,
                control,
                mark,
                files,
                disk,
                clock,
                workers,
                panic,
                redoingManagers(),
                upstream,
                config.recovery()
                        .restoreCommand()
                        .map(command -> new Archive(command, config.recovery().standbyMode(), commands, disk)),
                new Rewind(disk, this::rebuild),
                succession());
        redo = replication.redo();
        if (paused) {
            redo.pause();
        }
        replication.start(startup);
        problem = "";
        if (phase == Phase.STARTING) {
            become(
                    Phase.RECOVERING,
                    "redo from " + Lsn.text(file.redoLsn()) + ", WAL ends at " + Lsn.text(scan.endLsn()));
        }
    }

    /** Redoes what is good, so that it can be read, and leaves everything else as it is. */
    private void openDamaged(WalConfig walConfig, ControlFile file, long primaryFlushedLsn, WalCorruptionException e) {
        problem = e.getMessage();
        log.error("{}. The standby does not connect, and redoes nothing past it", problem);
        long limitLsn = Math.min(e.lsn(), primaryFlushedLsn);
        damagedRedo = new Redo(
                walConfig.identity(),
                () -> new SegmentSource(disk, walConfig.identity()),
                redoingManagers(),
                RedoListener.NONE,
                file.redoLsn());
        redo = new ContinuousRedo(damagedRedo, RecoveryTarget.none(), () -> limitLsn, () -> {});
        redo.runBy(startup);
        if (paused) {
            redo.pause();
        }
        become(Phase.DAMAGED, "redo up to " + Lsn.text(limitLsn));
    }

    /** Returns who redoes the log: nobody here, if PostgreSQL wrote it. */
    private ResourceManagers redoingManagers() {
        return format.isPostgres() ? new ResourceManagers() : managers;
    }

    private long recover() {
        long next = redo.run();
        if (redo.state() == RedoState.RUNNING) {
            return next;
        }
        become(Phase.RUNNING, "the WAL on the disk has been redone up to " + Lsn.text(redo.appliedLsn()));
        upstream.start(replication.receiver());
        serving.accept(replication.downstream().senders());
        return Step.AGAIN;
    }

    // Promotion.

    @Override
    public CompletionStage<Promoted> promote(boolean force) {
        return request(force, false, "promoted by an operator");
    }

    private CompletionStage<Promoted> request(boolean force, boolean byPrimary, String reason) {
        Promotion asked = new Promotion(force, byPrimary, reason, new CompletableFuture<>());
        if (!promotion.compareAndSet(null, asked)) {
            return CompletableFuture.failedFuture(new IllegalStateException("a promotion is under way"));
        }
        wake();
        return asked.done();
    }

    /** The primary may ask whether it can hand over to this standby, and do so; on threads of its session. */
    private Succession succession() {
        return new Succession() {
            @Override
            public SwitchoverAnswer answer(String primaryName) {
                return new SwitchoverAnswer(
                        String.join(",", listening.get()),
                        obstacleToSuccession(primaryName).orElse(""));
            }

            @Override
            public boolean takeOver() {
                Promotion asked = new Promotion(false, true, "switchover", new CompletableFuture<>());
                boolean first = promotion.compareAndSet(null, asked);
                wake();
                return first;
            }
        };
    }

    private Optional<String> obstacleToSuccession(String primaryName) {
        if (promotion.get() != null) {
            return Optional.of("it is being promoted");
        }
        if (phase != Phase.RUNNING) {
            return Optional.of("it is " + phase + (problem.isEmpty() ? "" : ": " + problem) + ". Wait until it runs");
        }
        if (hasTarget() || !config.recovery().standbyMode()) {
            return Optional.of("it is in archive recovery, and will end where its recovery.conf says");
        }
        RedoState state = redo.state();
        if (state != RedoState.RUNNING && state != RedoState.WAITING) {
            return Optional.of("its redo is " + state + ": " + redo.reason()
                    + (state == RedoState.PAUSED ? "; run \"redo resume\" there" : ""));
        }
        if (missingRange().isPresent()) {
            return Optional.of(
                    "commits were acknowledged that it lacks: " + missingRange().get());
        }
        if (listening.get().isEmpty()) {
            return Optional.of(
                    "it listens nowhere, so that nobody could follow it as a primary. Start it with --listen URI, or run"
                            + " \"set listen_addresses URI\" there");
        }
        if (replication.downstream().serves(primaryName)) {
            return Optional.of("a standby named \"" + primaryName
                    + "\" follows it already, and so would this server be called: give"
                    + " that one another application_name");
        }
        return Optional.empty();
    }

    private void lookForTrigger() throws IOException {
        if ((phase == Phase.RECOVERING || phase == Phase.RUNNING)
                && !config.triggerFile().isEmpty()
                && disk.exists(config.triggerFile())) {
            disk.delete(config.triggerFile());
            log.info("the trigger file {} is there", config.triggerFile());
            request(false, false, "trigger file");
        }
    }

    private long promote(Promotion asked) {
        if (phase == Phase.PROMOTED) {
            return Step.UNTIL_WOKEN;
        }
        try {
            Optional<String> objection = objection(asked);
            if (objection.isPresent()) {
                refuse(asked, objection.get());
                return Step.AGAIN;
            }
            if (phase != Phase.PROMOTING) {
                become(Phase.PROMOTING, asked.reason());
                problem = "";
                replication.supply().end();
                if (!asked.byPrimary()) {
                    upstream.close();
                }
            }
            return redo.isAtTarget() ? promoteAtTarget(asked) : redoToTheEnd(asked);
        } catch (IOException | RuntimeException e) {
            log.error("the promotion failed", e);
            refuse(asked, e.getMessage());
            return Step.AGAIN;
        }
    }

    /** Returns why this server cannot be promoted as things stand. */
    private Optional<String> objection(Promotion asked) {
        if (phase != Phase.RECOVERING && phase != Phase.RUNNING && phase != Phase.PROMOTING) {
            return Optional.of("this standby is " + phase + (problem.isEmpty() ? "" : ": " + problem));
        }
        if (format.isPostgres()) {
            return Optional.of(
                    "its log is that of a PostgreSQL server, which only PostgreSQL can redo and go on with. Give a"
                            + " PostgreSQL standby the WAL from here, and promote that");
        }
        if (redo.isAtTarget()) {
            return isInconsistent() ? Optional.of(tooEarly()) : Optional.empty();
        }
        RedoState state = redo.state();
        if (state != RedoState.RUNNING && state != RedoState.WAITING) {
            return Optional.of("redo is " + state + " at " + Lsn.text(redo.appliedLsn()) + ": " + redo.reason());
        }
        if (phase == Phase.PROMOTING) {
            return Optional.empty();
        }
        Optional<String> lacking = hasTarget()
                ? Optional.of("redo at " + Lsn.text(redo.appliedLsn()) + " has not come to the recovery target "
                        + config.recovery().target() + "; --force gives it up")
                : missingRange()
                        .map(range ->
                                "commits were acknowledged that are not here: " + range + "; --force gives them up");
        if (asked.force()) {
            lacking.ifPresent(what -> log.warn("the promotion is forced, although {}", what));
            return Optional.empty();
        }
        return lacking;
    }

    private boolean hasTarget() {
        return !config.recovery().target().equals(RecoveryTarget.none());
    }

    /** Gives up what is here past the place where recovery has ended. */
    private long promoteAtTarget(Promotion asked) throws IOException {
        int timeline = replication.nextTimeline();
        replication.receivedLog().endAt(redo.appliedLsn());
        return promoted(asked, replication.promote(disk, timeline, asked.reason()));
    }

    private long redoToTheEnd(Promotion asked) throws IOException {
        long next = redo.run();
        if (redo.isAtTarget()) {
            return Step.AGAIN;
        }
        if (redo.state() != RedoState.WAITING) {
            return redo.state() == RedoState.RUNNING ? next : Step.AGAIN;
        }
        if (keptLsn == 0) {
            keptLsn = replication.receivedLog().keepAll();
            return Step.AGAIN;
        }
        long consistentLsn = replication.control().appliableLsn();
        if (redo.appliedLsn() < keptLsn || keptLsn < consistentLsn) {
            refuse(
                    asked,
                    "redo came only up to " + Lsn.text(redo.appliedLsn()) + " of the WAL up to "
                            + Lsn.text(Math.max(keptLsn, consistentLsn)) + " that this server's data needs");
            return Step.AGAIN;
        }
        return promoted(asked, replication.promote(disk, replication.nextTimeline(), asked.reason()));
    }

    private long promoted(Promotion asked, TimelineHistory history) {
        if (asked.byPrimary()) {
            replication.receiver().tookOver(history);
        }
        become(Phase.PROMOTED, "timeline " + history.timeline() + " begins at " + Lsn.text(history.startLsn()));
        promoted.accept(replication.redone());
        asked.done().complete(new Promoted(history.timeline(), history.startLsn()));
        return Step.UNTIL_WOKEN;
    }

    private void refuse(Promotion asked, String reason) {
        String text = "this server is not promoted: " + reason;
        log.error("{}", text);
        boolean left = phase == Phase.PROMOTING;
        if (left) {
            become(Phase.RUNNING, text);
            replication.supply().begin();
        }
        if (asked.byPrimary()) {
            replication.receiver().decline(text);
            upstream.close();
        }
        if (left || asked.byPrimary()) {
            upstream.start(replication.receiver());
        }
        keptLsn = 0;
        promotion.set(null);
        problem = recoveryEnded ? text : problem;
        asked.done().completeExceptionally(new IllegalStateException(text));
    }

    /** Returns the endpoint of the server that this one follows, or tries to; empty if there is none. */
    String primaryEndpoint() {
        String tried = upstream.endpoint();
        return tried.isEmpty() && !config.primaries().isEmpty()
                ? config.primaries().get(0).toString()
                : tried;
    }

    /** Returns who serves standbys of this one, once the WAL is open. */
    Optional<WalSenders> senders() {
        return Optional.ofNullable(replication).map(Replication::downstream).map(Downstream::senders);
    }

    @Override
    public Optional<Retention> retention() {
        return Optional.ofNullable(replication).map(Replication::retention);
    }

    private long follow() {
        boolean nothingMoreComes = replication.supply().source() == WalSupply.Source.END
                && replication.receivedLog().isAllFlushed();
        long next = redo.run();
        if (recoveryEnded) {
            return next;
        }
        if (redo.isAtTarget()) {
            endRecovery();
        } else if (nothingMoreComes && redo.state() == RedoState.WAITING) {
            endOfWal();
        }
        return next;
    }

    /** There is no more WAL than what has been redone. */
    private void endOfWal() {
        RecoveryTarget target = config.recovery().target();
        String supplyProblem = replication.supply().problem();
        if (!supplyProblem.isEmpty()) {
            cannotGoOn(supplyProblem);
        } else if (target.isReachedAtEnd(redo.appliedLsn())) {
            redo.end();
            endRecovery();
        } else {
            cannotGoOn("recovery ended before configured recovery target was reached: the WAL ends at "
                    + Lsn.text(redo.appliedLsn()) + ", without " + target
                    + ". Bring the missing WAL into the archive, or correct the target in recovery.conf");
        }
    }

    /** The state is what was asked for. */
    private void endRecovery() {
        recoveryEnded = true;
        RecoveryConfig recovery = config.recovery();
        if (isInconsistent()) {
            cannotGoOn(tooEarly());
            return;
        }
        log.info("recovery has come to {}", whereRecoveryEnded());
        if (!hasTarget() || recovery.action() == RecoveryConfig.TargetAction.PROMOTE) {
            promoteWhereRecoveryEnded();
        } else if (recovery.action() == RecoveryConfig.TargetAction.SHUTDOWN) {
            shutdown.shutdown(Shutdown.GOOD, "shutdown at " + whereRecoveryEnded());
        }
    }

    private void promoteWhereRecoveryEnded() {
        request(
                true,
                false,
                hasTarget() ? "recovery target " + config.recovery().target() : "no recovery target specified");
    }

    private String whereRecoveryEnded() {
        return "recovery target " + config.recovery().target() + " at " + Lsn.text(redo.appliedLsn());
    }

    /** Returns whether changes can be seen that come later in the log, or the log has no record before. */
    private boolean isInconsistent() {
        return redo.consistentLsn() > redo.appliedLsn() || replication.redone().lastRecordLsn() == 0;
    }

    private String tooEarly() {
        return "requested recovery stop point is before consistent recovery point: " + whereRecoveryEnded()
                + ", but the data in this directory has all WAL before " + Lsn.text(redo.consistentLsn())
                + ". Begin with an older base backup, or correct the target in recovery.conf";
    }

    /** What is wrong will not go away by itself. */
    private void cannotGoOn(String reason) {
        problem = reason;
        become(Phase.FAILED, reason);
        shutdown.shutdown(Shutdown.CANNOT_START, reason);
    }

    /** Returns the WAL, once it is open. */
    Optional<Wal> wal() {
        return Optional.ofNullable(replication).map(Replication::wal);
    }

    @Override
    public void pauseRedo() {
        paused = true;
        ContinuousRedo open = redo;
        if (open != null) {
            open.pause();
        }
    }

    @Override
    public void resumeRedo() {
        ContinuousRedo open = redo;
        paused = false;
        if (open != null && open.isAtTarget()) {
            promoteWhereRecoveryEnded();
        } else if (open != null) {
            open.resume();
        }
    }

    @Override
    public boolean requestRestartpoint() {
        Replication running = replication;
        return running != null && running.restartpoints().request();
    }

    @Override
    public Optional<MissingRange> missingRange() {
        return Optional.ofNullable(replication).flatMap(Replication::missingRange);
    }

    @Override
    public StandbyReport report() {
        Replication running = replication;
        BaseBackup taking = backup;
        return new StandbyReport(
                config.name(),
                running == null ? 0 : running.control().systemId(),
                phase.toString(),
                problem,
                running == null
                        ? WalSupply.Source.PG_WAL.toString()
                        : running.supply().source().toString(),
                running == null ? "" : running.supply().problem(),
                taking == null ? new BackupStatus(false, 0, 0) : taking.backup(),
                running == null ? receiverStatus() : running.receiverStatus(),
                redoStatus(running),
                running == null ? new PrefetchStatus(0, 0, 0) : running.prefetchStatus(),
                running == null ? new RestartpointStatus(0, 0, 0, 0, "") : running.restartpointStatus());
    }

    private ReceiverStatus receiverStatus() {
        return new ReceiverStatus(
                upstream.state(),
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                upstream.heardMicros(),
                0,
                0,
                upstream.endpoint(),
                upstream.peer(),
                conninfo(config),
                config.slotName(),
                upstream.sessions(),
                0,
                false,
                upstream.lastError(),
                "",
                new WalStatistics.Count(-1, 0, 0, 0));
    }

    private RedoStatus redoStatus(Replication running) {
        ContinuousRedo open = redo;
        if (open == null) {
            return new RedoStatus(paused ? RedoState.PAUSED : RedoState.WAITING, "there is no WAL yet", 0, 0, 0, 0);
        }
        return new RedoStatus(
                open.state(),
                open.reason().isEmpty() ? problem : open.reason(),
                open.appliedLsn(),
                open.limitLsn(),
                running == null ? 0 : running.wal().memoryReads(),
                running == null ? 0 : running.wal().fileReads());
    }

    /**
     * Stops in good order: ends redo, takes leave of the primary, brings what was received to the disk, and closes the resource managers,
     * which redo had opened.
     */
    @Override
    public void close() throws IOException {
        managers.removeListener(wakeRedo);
        stopSupply();
        if (startup != null) {
            startup.close();
        }
        stopSupply();
        endWork();
        become(Phase.STOPPED, "it has been stopped");
    }

    /** Ends a restore_command that {@code startup} or {@code wal-receiver} waits for. */
    private void stopSupply() {
        Replication open = replication;
        if (open != null) {
            open.supply().stop();
        }
    }

    private void endWork() throws IOException {
        upstream.close();
        if (replication != null) {
            replication.close();
        }
        if (damagedRedo != null) {
            damagedRedo.close();
        }
        if (redo != null && phase != Phase.PROMOTED && !format.isPostgres()) {
            for (ResourceManager manager : managers.all()) {
                manager.close();
            }
        }
    }
}
