package lockstep.receiver;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import lockstep.io.Clock;
import lockstep.io.Disk;
import lockstep.receiver.api.BackupStatus;
import lockstep.recovery.ControlFile;
import lockstep.recovery.Epochs;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.BackupData;
import lockstep.transport.api.Message.BackupEnded;
import lockstep.transport.api.Message.BackupFile;
import lockstep.transport.api.Message.BackupStarted;
import lockstep.transport.api.Message.BaseBackupRequest;
import lockstep.transport.api.Message.Keepalive;
import lockstep.transport.api.Message.RefusalCode;
import lockstep.transport.api.Message.StandbyStatus;
import lockstep.transport.api.Session;
import lockstep.transport.api.Term;
import lockstep.wal.SegmentFiles;
import lockstep.wal.TimelineHistory;
import lockstep.wal.WalFormat;
import lockstep.wal.WalLayout;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fills an empty data directory with a base backup of the primary, which keeps working meanwhile, or one whose data is to be
 * replaced: that is removed when the primary has begun to send, not before. When it is complete,
 * replication starts on the same session, for as long as which the primary keeps the WAL that the backup needs.
 *
 * <p>WAL is streamed from the start of the segment in which the backup's redo begins, since page headers make sense from
 * there on, and downstream and tools want whole segments.
 *
 * <p>The log of a PostgreSQL server comes without files: what there is to have begins at the start of some segment.
 *
 * <p>A session that ends before the backup is complete leaves nothing: the next begins again.
 */
final class BaseBackup implements Conversation {
    private static final long STATUS_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    private static final Logger log = LoggerFactory.getLogger(BaseBackup.class);

    private final Supplier<StandbyConfig> config;
    private final Disk disk;
    private final Clock clock;
    private final Upstream upstream;
    private final Runnable complete;
    private Optional<Replaced> replaced;

    private volatile Session session;
    private volatile long statusNanos;
    private BackupStarted started;
    private volatile BackupFiles files;
    private volatile boolean done;

    /**
     * The data that a backup takes the place of.
     *
     * @param systemId the system it belongs to
     * @param files those of the resource managers
     */
    record Replaced(long systemId, List<String> files) {}

    /**
     * Makes one that waits for a session.
     *
     * @param replaced what is removed once a primary has begun to send the backup; empty if there is nothing
     * @param complete called when the control file is there, on the session's thread
     */
    BaseBackup(
            Supplier<StandbyConfig> config,
            Disk disk,
            Clock clock,
            Upstream upstream,
            Optional<Replaced> replaced,
            Runnable complete) {
        this.replaced = replaced;
        this.config = config;
        this.disk = disk;
        this.clock = clock;
        this.upstream = upstream;
        this.complete = complete;
    }

    @Override
    public void begin(Session opened) {
        if (!done) {
            started = null;
            statusNanos = clock.nanos();
            opened.send(new BaseBackupRequest(
                    config.get().name(), config.get().slotName(), config.get().createSlot()));
            session = opened;
        }
    }

    @Override
    public void received(Session from, Message message) throws IOException {
        try {
            take(message);
        } catch (IllegalArgumentException e) {
            upstream.refuse(RefusalCode.PROTOCOL, e.getMessage());
        }
    }

    private void take(Message message) throws IOException {
        if (message instanceof Keepalive keepalive) {
            if (keepalive.replyRequested()) {
                status(false);
            }
        } else if (message instanceof BackupStarted answer && started == null && !done) {
            start(answer);
        } else if (message instanceof BackupFile file && started != null) {
            files.file(file.path(), file.lengthBytes());
        } else if (message instanceof BackupData data && started != null) {
            files.data(data.bytes());
        } else if (message instanceof BackupEnded end && started != null) {
            end(end);
        } else {
            throw new IllegalArgumentException(
                    "the primary sent " + message.getClass().getSimpleName() + ", which has no place in a base backup"
                            + (started == null ? " that has not begun" : ""));
        }
    }

    private void start(BackupStarted answer) throws IOException {
        new WalLayout(answer.segmentBytes());
        new Epochs(answer.epochs());
        WalFormat.of(answer.postgresVersion());
        TimelineHistory.parse(answer.timeline(), answer.history());
        if (replaced.isPresent()) {
            replace(replaced.get(), answer);
            replaced = Optional.empty();
        }
        if (BackupFiles.wasInterrupted(disk)) {
            BackupFiles.removeInterrupted(disk);
        }
        log.info(
                "base backup of system {} begins, redo from {}",
                Long.toUnsignedString(answer.systemId()),
                Lsn.text(answer.redoLsn()));
        files = new BackupFiles(disk);
        files.begin();
        started = answer;
    }

    private void replace(Replaced old, BackupStarted answer) throws IOException {
        if (old.systemId() != answer.systemId()) {
            throw new IllegalArgumentException("the primary belongs to system "
                    + Long.toUnsignedString(answer.systemId()) + ", this standby to "
                    + Long.toUnsignedString(old.systemId())
                    + ": it is not replaced by another system's data. Correct primary_conninfo, or empty the data"
                    + " directory if that is meant");
        }
        log.info("the data of this standby is removed, as a base backup takes its place");
        BackupFiles.giveUp(disk, old.files());
    }

    private void end(BackupEnded end) throws IOException {
        WalLayout layout = new WalLayout(started.segmentBytes());
        disk.createDirectories(SegmentFiles.DIRECTORY);
        TimelineHistory.parse(started.timeline(), started.history()).write(disk);
        files.end(new ControlFile(
                started.systemId(),
                started.segmentBytes(),
                started.timeline(),
                ControlFile.State.IN_RECOVERY,
                started.checkpointLsn(),
                started.redoLsn(),
                started.redoLsn(),
                0,
                layout.segmentStart(layout.segmentOf(started.redoLsn())),
                end.endLsn(),
                new Epochs(started.epochs()),
                Term.NONE,
                WalFormat.of(started.postgresVersion())));
        started = null;
        done = true;
        log.info("base backup complete: {} files, {} bytes", files.files(), files.bytes());
        complete.run();
    }

    private void status(boolean replyRequested) {
        Session open = session;
        if (open != null) {
            open.send(new StandbyStatus(Lsn.INVALID, Lsn.INVALID, Lsn.INVALID, clock.micros(), replyRequested));
        }
    }

    @Override
    public long tick() {
        if (clock.nanos() - statusNanos
                >= TimeUnit.MILLISECONDS.toNanos(config.get().statusIntervalMs())) {
            statusNanos = clock.nanos();
            status(false);
        }
        return STATUS_NANOS;
    }

    @Override
    public void probe() {
        status(true);
    }

    @Override
    public boolean ended(Session gone) {
        session = null;
        started = null;
        BackupFiles open = files;
        if (open != null) {
            try {
                open.close();
            } catch (IOException e) {
                log.warn("could not close a file of the base backup: {}", e.getMessage());
            }
        }
        return false;
    }

    /** Returns whether a primary has begun to send, on this session or one before. */
    boolean hasBegun() {
        return files != null;
    }

    BackupStatus backup() {
        BackupFiles now = files;
        return new BackupStatus(!done, now == null ? 0 : now.files(), now == null ? 0 : now.bytes());
    }
}
