package lockstep.receiver;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import lockstep.io.Disk;
import lockstep.io.DiskFile;
import lockstep.io.Step;
import lockstep.receiver.RecoveryConfig.TargetTimeline;
import lockstep.recovery.ControlStore;
import lockstep.transport.api.Lsn;
import lockstep.wal.TimelineHistory;
import lockstep.wal.WalCorruptionException;
import lockstep.wal.WalEnd;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalLayout;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the next WAL comes from: what is in {@code pg_wal}, the archive, a primary, in turn.
 *
 * <p><b>Idea.</b> A segment from the archive takes the same way as WAL from a primary: through the same checks into the WAL
 * buffers, and from there to {@code pg_wal} and to redo. So there is one WAL and one end of it, whatever its parts came from, and
 * redo, restartpoints and recycling know of no archive. What is archived had been flushed by the primary; so it may be redone, as
 * soon as it is on this disk.
 *
 * <p>The archive is asked before each round through the primary's endpoints, when there is no session: at the start, after a
 * session has ended, and after each round in vain.
 *
 * <pre>
 *   source    event                                                 next
 *   PG_WAL    all of it is redone, or redo cannot go on for now     ARCHIVE, or STREAM if there is none
 *   ARCHIVE   a segment is restored                                 ARCHIVE, when redo has come near its end
 *   ARCHIVE   it does not have the next segment                     ARCHIVE, if it has a newer timeline to go over to;
 *                                                                   else STREAM; without standby mode END
 *   ARCHIVE   what it has is damaged                                STREAM; without standby mode END, and a problem
 *   ARCHIVE   restore_command cannot run                            END, and a problem
 *   STREAM    the session has ended, or no endpoint can be used     ARCHIVE
 *   any       redo has come to the recovery target                  (as it is: no more WAL is asked for)
 * </pre>
 *
 * <p>At END, the server goes on until all WAL that came before is redone, because the recovery target may be there; then a problem
 * stops it, or recovery ends. A damaged segment in the archive is never taken for the end of the WAL: the end is where nothing was written, in the last
 * segment there is.
 *
 * <p><b>Threads.</b> Asked for WAL on the worker {@code wal-receiver}; status may be read from any.
 */
final class WalSupply {
    private static final Logger log = LoggerFactory.getLogger(WalSupply.class);

    /** How far WAL is restored ahead of redo. */
    private static final int SEGMENTS_AHEAD = 2;

    private static final long AT_ONCE_NANOS = 1;
    private static final long LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

    /** Where the next WAL comes from. */
    enum Source {
        PG_WAL,
        ARCHIVE,
        STREAM,
        END;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final Supplier<StandbyConfig> config;
    private final Optional<Archive> archive;
    private final ArchivedWal archived;
    private final ReceivedLog receivedLog;
    private final ContinuousRedo redo;
    private final ControlStore control;
    private final WalIdentity identity;
    private final WalLayout layout;
    private final Disk disk;

    /** Whether the timeline has been found that recovery goes to. */
    private boolean onTargetTimeline;

    private volatile Source source = Source.PG_WAL;
    private volatile String problem = "";
    private volatile boolean stopped;

    WalSupply(
            Supplier<StandbyConfig> config,
            Optional<Archive> archive,
            ArchivedWal archived,
            ReceivedLog receivedLog,
            ContinuousRedo redo,
            ControlStore control,
            WalIdentity identity,
            Disk disk) {
        this.config = config;
        this.archive = archive;
        this.archived = archived;
        this.receivedLog = receivedLog;
        this.redo = redo;
        this.control = control;
        this.disk = disk;
        this.identity = identity;
        layout = identity.layout();
    }

    /**
     * Gets WAL that can be had without a session.
     *
     * @return 0 if that is all for now, and a primary shall be asked; else after how many nanoseconds to ask again
     */
    long beforeRound() {
        if (stopped || source == Source.END || redo.isAtTarget()) {
            return Step.UNTIL_WOKEN;
        }
        if (archive.isEmpty()) {
            become(Source.STREAM, "there is no archive");
            return 0;
        }
        if (receivedLog.aheadOfRedoBytes() > (long) SEGMENTS_AHEAD * layout.segmentBytes()) {
            return LOOK_NANOS;
        }
        become(Source.ARCHIVE, "restore_command is asked");
        try {
            Archive from = archive.get();
            if (!onTargetTimeline) {
                followTimeline(from);
                onTargetTimeline = true;
            }
            return restoreNext(from) || followTimeline(from) ? AT_ONCE_NANOS : exhausted();
        } catch (WalCorruptionException e) {
            return damaged(e.getMessage());
        } catch (RecoveryException e) {
            problem = e.getMessage();
            return end(e.getMessage());
        } catch (IOException e) {
            tell("WAL cannot be restored from the archive for now: " + e.getMessage());
            return TimeUnit.MILLISECONDS.toNanos(config.get().retrieveRetryIntervalMs());
        }
    }

    /** Restores the segment with the first WAL that is not known to be the primary's; returns whether that brought WAL. */
    private boolean restoreNext(Archive from) throws IOException {
        long lsn = archived.neededLsn();
        long segment = layout.segmentOf(lsn);
        String name = identity.segmentName(segment);
        if (!restore(from, name)) {
            return false;
        }
        boolean whole;
        try (DiskFile restored = disk.openForReading(Archive.RESTORED)) {
            whole = archived.take(restored, () -> stopped);
        }
        String next = identity.segmentName(segment + 1);
        if (!whole && restore(from, next) && isWritten(segment + 1)) {
            throw new WalCorruptionException(
                    name,
                    receivedLog.checkedLsn(),
                    "the archived segment has no WAL from there on, but " + next + " is in the archive and has");
        }
        disk.delete(Archive.RESTORED);
        problem = "";
        return archived.neededLsn() > lsn;
    }

    /** Goes over to the timeline that recovery shall follow, if that is another one; returns whether it is. */
    private boolean followTimeline(Archive from) throws IOException {
        TargetTimeline wanted = config.get().recovery().timeline();
        int present = identity.timeline();
        int next = wanted.latest() ? newest(from, present) : wanted.number().orElse(present);
        if (next == present) {
            return false;
        }
        TimelineHistory history = history(from, next)
                .orElseThrow(() -> new RecoveryException("recovery target timeline " + next
                        + " does not exist: the archive has no " + TimelineHistory.fileName(next)));
        if (archived.follow(history)) {
            log.info("recovery goes on on {}", history);
            return true;
        }
        String reason = "requested timeline " + next + " is not a child of this server's history: " + history
                + "; this server has the WAL of " + identity.history() + " up to "
                + Lsn.text(receivedLog.checkedLsn());
        if (!wanted.latest()) {
            throw new RecoveryException(reason + ". Begin with an older base backup, or correct"
                    + " recovery_target_timeline in recovery.conf");
        }
        tell(reason);
        return false;
    }

    /** Returns the newest timeline of which the archive has a history, of those that follow without a gap. */
    private int newest(Archive from, int present) throws IOException {
        int newest = present;
        while (from.restore(TimelineHistory.fileName(newest + 1), oldestNeeded(), OptionalLong.empty())) {
            newest++;
        }
        disk.delete(Archive.RESTORED);
        return newest;
    }

    private Optional<TimelineHistory> history(Archive from, int timeline) throws IOException {
        String name = TimelineHistory.fileName(timeline);
        if (!from.restore(name, oldestNeeded(), OptionalLong.empty())) {
            return Optional.empty();
        }
        byte[] text = disk.readAll(Archive.RESTORED);
        disk.delete(Archive.RESTORED);
        try {
            return Optional.of(TimelineHistory.parse(timeline, new String(text, StandardCharsets.UTF_8)));
        } catch (IllegalArgumentException e) {
            throw new RecoveryException("the archive's file " + name + " cannot be understood: " + e.getMessage());
        }
    }

    private String oldestNeeded() {
        return identity.segmentName(layout.segmentOf(control.get().redoLsn()));
    }

    private boolean restore(Archive from, String segment) throws IOException {
        return from.restore(segment, oldestNeeded(), OptionalLong.of(layout.segmentBytes()));
    }

    private boolean isWritten(long segment) throws IOException {
        try (DiskFile restored = disk.openForReading(Archive.RESTORED)) {
            return !WalEnd.isUnwritten(restored, layout, layout.segmentStart(segment));
        }
    }

    private long exhausted() {
        if (config.get().recovery().standbyMode()) {
            become(Source.STREAM, "the archive has no more WAL");
            return 0;
        }
        receivedLog.countAll();
        return end("the archive has no more WAL, which ends at " + Lsn.text(receivedLog.checkedLsn()));
    }

    private long end(String reason) {
        become(Source.END, reason);
        redo.wake();
        return Step.UNTIL_WOKEN;
    }

    private long damaged(String what) {
        String text = "the archive is damaged: " + what;
        if (!config.get().recovery().standbyMode()) {
            problem = text + ". Restore the segment in the archive, or set a recovery target before it";
            return end("the archive is damaged");
        }
        tell(text);
        become(Source.STREAM, "the archive is damaged");
        return 0;
    }

    private void tell(String text) {
        if (!text.equals(problem)) {
            log.error("{}", text);
        }
        problem = text;
    }

    private void become(Source next, String reason) {
        if (source != next) {
            log.info("WAL source: {} -> {}: {}", source, next, reason);
            source = next;
        }
    }

    /** Restores no more WAL, until {@link #begin}; a command that runs comes to its own end. */
    void end() {
        stopped = true;
    }

    /** Begins again after {@link #end}. */
    void begin() {
        stopped = false;
    }

    /**
     * Returns a number that no timeline has, neither here nor in the archive, and greater than {@code timeline}. On the thread
     * {@code startup}, when the worker {@code wal-receiver} has ended.
     */
    int unusedTimeline(int timeline) throws IOException {
        int unused = TimelineHistory.unused(disk, timeline);
        if (archive.isEmpty()) {
            return unused;
        }
        int newest = newest(archive.get(), unused - 1);
        checkGoesOn(archive.get());
        return newest + 1;
    }

    /** Returns whether the archive has a file under the name of a segment. On the same thread and under the same condition. */
    boolean isArchived(String segment) throws IOException {
        if (archive.isEmpty()) {
            return false;
        }
        boolean restored = archive.get().restore(segment, oldestNeeded(), OptionalLong.empty());
        disk.delete(Archive.RESTORED);
        checkGoesOn(archive.get());
        return restored;
    }

    /** What was not restored because the server stops is not missing in the archive. */
    private static void checkGoesOn(Archive asked) throws IOException {
        if (asked.isStopped()) {
            throw new IOException("the server is being stopped");
        }
    }

    /** Ends what runs; nothing is restored any more. */
    void stop() {
        stopped = true;
        archive.ifPresent(Archive::stop);
    }

    Source source() {
        return source;
    }

    /** Returns what is wrong with the archive; empty if nothing is known to be. */
    String problem() {
        return problem;
    }
}
