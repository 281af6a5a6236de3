package lockstep.receiver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.UnaryOperator;
import lockstep.io.Clock;
import lockstep.io.Disk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.recovery.EpochNote;
import lockstep.recovery.Epochs;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Message;
import lockstep.transport.api.Message.BackupData;
import lockstep.transport.api.Message.BackupEnded;
import lockstep.transport.api.Message.BackupFile;
import lockstep.transport.api.Message.BackupStarted;
import lockstep.transport.api.Message.BaseBackupRequest;
import lockstep.transport.api.Message.DegradedRange;
import lockstep.transport.api.Message.Keepalive;
import lockstep.transport.api.Message.ReplicationStarted;
import lockstep.transport.api.Message.StandbyStatus;
import lockstep.transport.api.Message.StartReplication;
import lockstep.transport.api.Message.WalData;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.wal.CheckpointRecord;
import lockstep.wal.CommitRecord;
import lockstep.wal.Placement;
import lockstep.wal.ReadResult;
import lockstep.wal.RecordGroup;
import lockstep.wal.RestorePointRecord;
import lockstep.wal.SegmentFiles;
import lockstep.wal.SegmentSource;
import lockstep.wal.TimelineHistory;
import lockstep.wal.Wal;
import lockstep.wal.WalConfig;
import lockstep.wal.WalFormat;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalLayout;
import lockstep.wal.WalReader;
import lockstep.wal.WalRecord;
import lockstep.wal.WalSource;
import lockstep.wal.XlogInfo;

/**
 * A primary that does on the wire exactly what a test says, with a real log of its own: what it ships, how far it claims to
 * have flushed, and with what it comes back from a crash.
 */
final class ScriptedPrimary implements Acceptor, SessionHandler, AutoCloseable {
    static final int SEGMENT_BYTES = 1 << 20;
    static final int TIMELINE = 1;
    private static final int BUFFER_BYTES = 1 << 20;
    private static final int FIRST_XID = 3;

    final WalLayout layout = new WalLayout(SEGMENT_BYTES);
    final long startLsn = layout.segmentStart(1);
    final List<Message> heard = new CopyOnWriteArrayList<>();
    final Map<String, byte[]> backupFiles = new LinkedHashMap<>();

    private final Disk disk;
    final WalIdentity identity;
    private final SegmentFiles files;
    private final long firstRedoLsn = layout.recordStart(startLsn);

    long systemId = 7_000_000_000_000_000_001L;
    volatile Epochs epochs = Epochs.first(startLsn);
    volatile long flushedLsn;

    /** What it does to pieces of WAL on their way. */
    volatile UnaryOperator<ByteBuffer> wire = UnaryOperator.identity();

    private Wal wal;
    private int nextXid = FIRST_XID;
    private volatile Session session;
    private volatile long sentLsn;
    private volatile StandbyStatus status = new StandbyStatus(0, 0, 0, 0, false);

    ScriptedPrimary(Disk disk) throws IOException {
        this(disk, WalFormat.LOCKSTEP);
    }

    /** One whose log says that another server writes it. */
    ScriptedPrimary(Disk disk, WalFormat format) throws IOException {
        this.disk = disk;
        identity = new WalIdentity(systemId, TimelineHistory.of(TIMELINE), layout, format);
        files = new SegmentFiles(disk, identity);
        backupFiles.put(Numbers.PATH, Numbers.emptyFile());
        open(startLsn, 0);
        checkpoint(firstRedoLsn);
        flushedLsn = end();
    }

    private void open(long endLsn, long lastRecordLsn) throws IOException {
        WalConfig config = new WalConfig(identity, BUFFER_BYTES, SyncMethod.FDATASYNC, false);
        wal = new Wal(config, disk, files, new ThreadWorkers(), ScriptedPrimary::panic, endLsn);
        wal.startInserting(lastRecordLsn);
        wal.start();
    }

    private static void panic(String message, Throwable cause) {
        throw new AssertionError(message, cause);
    }

    /** Returns where its log ends. */
    long end() {
        return wal.filledLsn();
    }

    /** Commits numbers, a transaction each, and returns where the log ends then. */
    long commit(long from, long to) {
        RecordGroup group = new RecordGroup();
        for (long number = from; number < to; number++) {
            int xid = nextXid++;
            group.clear().add(xid, Numbers.ID, 0, Long.BYTES).putLong(number);
            new CommitRecord(0).encode(group.add(xid, CommitRecord.RMGR, CommitRecord.COMMIT, CommitRecord.BYTES));
            wal.insert(group, Placement.NONE);
        }
        return end();
    }

    /** Commits a number at a time of the clock, and returns the transaction. */
    int commitAt(long number, long micros) {
        int xid = nextXid++;
        RecordGroup group = new RecordGroup();
        group.add(xid, Numbers.ID, 0, Long.BYTES).putLong(number);
        new CommitRecord(micros).encode(group.add(xid, CommitRecord.RMGR, CommitRecord.COMMIT, CommitRecord.BYTES));
        wal.insert(group, Placement.NONE);
        return xid;
    }

    /** Gives the end of the log a name, and returns where it ends then. */
    long restorePoint(String name) {
        RecordGroup group = new RecordGroup();
        new RestorePointRecord(0, name)
                .encode(group.add(0, XlogInfo.RMGR, XlogInfo.RESTORE_POINT, RestorePointRecord.BYTES));
        return wal.insert(group, Placement.NONE);
    }

    /** Opens a new timeline where the log ends, and returns where that is. */
    long newTimeline(int timeline) throws IOException {
        long endLsn = end();
        wal.close();
        open(endLsn, lastRecordBefore(endLsn));
        wal.follow(identity.history().fork(endLsn, timeline, "a test"), () -> {});
        return endLsn;
    }

    /** Ends the present segment, so that all before it is in whole segments on the disk. */
    void finishSegment() {
        wal.awaitFlushed(wal.switchSegment());
        flushedLsn = end();
    }

    /** Leaves the note of the present epoch, as a primary does that comes back from a crash. */
    void noteEpoch() {
        RecordGroup group = new RecordGroup();
        EpochNote.add(group, epochs);
        wal.insert(group, Placement.NONE);
    }

    /** Writes a checkpoint record from which redo would start here, and returns where the log ends then. */
    long checkpoint() {
        return checkpoint(layout.recordStart(end()));
    }

    private long checkpoint(long redoLsn) {
        RecordGroup group = new RecordGroup();
        ByteBuffer data = group.add(0, XlogInfo.RMGR, XlogInfo.CHECKPOINT_ONLINE, CheckpointRecord.BYTES);
        CheckpointRecord.of(redoLsn, TIMELINE, TIMELINE, nextXid, Clock.SYSTEM.micros(), nextXid)
                .encode(data);
        return wal.insert(group, Placement.NONE);
    }

    /** Crashes and comes back with the log only up to {@code lsn}, the end of a record, in a new epoch. */
    void crash(long lsn) throws IOException {
        wal.awaitFlushed(end());
        wal.close();
        files.truncate(lsn, lsn);
        open(lsn, lastRecordBefore(lsn));
        epochs = epochs.next(lsn, lsn);
        Session old = session;
        if (old != null) {
            old.close("the primary has crashed");
        }
    }

    private long lastRecordBefore(long lsn) throws IOException {
        try (WalSource source = new SegmentSource(disk, identity)) {
            WalReader reader = new WalReader(source, identity);
            WalRecord record = new WalRecord();
            reader.seek(startLsn, WalReader.UNKNOWN);
            while (reader.endLsn() < lsn && reader.next(record, lsn) == ReadResult.RECORD) {
                // The last one is what is asked for.
            }
            return reader.lastRecordLsn();
        }
    }

    /** Ships everything, and claims to have flushed it. */
    void shipAll() throws IOException {
        flushedLsn = end();
        ship(end());
        keepalive();
    }

    /** Ships WAL in pieces that are cut anywhere. */
    void ship(long toLsn) throws IOException {
        wal.awaitFlushed(toLsn);
        try (WalSource source = wal.source()) {
            ByteBuffer piece = ByteBuffer.allocate(10_007);
            while (sentLsn < toLsn) {
                long from = sentLsn;
                piece.clear().limit((int) Math.min(piece.capacity(), toLsn - from));
                sentLsn = from + source.read(from, piece);
                session.send(new WalData(from, end(), flushedLsn, Clock.SYSTEM.micros(), wire.apply(piece.flip())));
            }
        }
    }

    void keepalive() {
        session.send(new Keepalive(end(), flushedLsn, Clock.SYSTEM.micros(), false));
    }

    /** Says that commits of a stretch of the log have been acknowledged without the standby. */
    void tellMissing(long fromLsn, long toLsn) {
        session.send(new DegradedRange(fromLsn, toLsn, "no standby streams"));
    }

    void disconnect() {
        session.close("the test cuts the session");
    }

    /** Returns the bytes of a part of the log. */
    byte[] bytes(long from, long to) throws IOException {
        return read(disk, identity, from, to);
    }

    static byte[] read(Disk disk, WalIdentity identity, long from, long to) throws IOException {
        ByteBuffer all = ByteBuffer.allocate((int) (to - from));
        try (WalSource source = new SegmentSource(disk, identity)) {
            while (all.hasRemaining()) {
                if (source.read(from + all.position(), all) == 0) {
                    throw new IOException("the log ends early");
                }
            }
        }
        return all.array();
    }

    StandbyStatus status() {
        return status;
    }

    <M extends Message> List<M> heard(Class<M> kind) {
        return heard.stream().filter(kind::isInstance).map(kind::cast).toList();
    }

    @Override
    public SessionHandler accept(Session opened) {
        return this;
    }

    @Override
    public void received(Session from, Message message) {
        session = from;
        if (message instanceof StandbyStatus said) {
            status = said;
            if (said.replyRequested()) {
                keepalive();
            }
            return;
        }
        heard.add(message);
        if (message instanceof StartReplication start) {
            sentLsn = Math.min(start.startLsn(), epochs.endOf(start.epoch(), Long.MAX_VALUE));
            from.send(new ReplicationStarted(
                    systemId,
                    identity.timeline(),
                    SEGMENT_BYTES,
                    sentLsn,
                    flushedLsn,
                    epochs.list(),
                    identity.history().text()));
        } else if (message instanceof BaseBackupRequest) {
            from.send(new BackupStarted(
                    systemId,
                    identity.timeline(),
                    SEGMENT_BYTES,
                    firstRedoLsn,
                    firstRedoLsn,
                    epochs.list(),
                    identity.history().text(),
                    identity.format().postgresVersion()));
            backupFiles.forEach((path, content) -> {
                from.send(new BackupFile(path, content.length));
                from.send(new BackupData(ByteBuffer.wrap(content)));
            });
            from.send(new BackupEnded(flushedLsn));
        }
    }

    @Override
    public void closed(String cause) {}

    @Override
    public void close() {
        wal.close();
    }
}
