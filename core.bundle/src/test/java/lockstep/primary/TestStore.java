package lockstep.primary;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import lockstep.commit.CommitLevel;
import lockstep.commit.Commits;
import lockstep.commit.PendingCommit;
import lockstep.commit.Visibility;
import lockstep.io.Disk;
import lockstep.rmgr.BackupSink;
import lockstep.rmgr.ResourceManager;
import lockstep.wal.RecordGroup;
import lockstep.wal.WalRecord;

/** The smallest honest resource manager: a set of numbers, each with the LSN of the commit that brought it. */
public final class TestStore implements ResourceManager, Visibility {
    public static final int ID = 200;
    private static final String PATH = "numbers";

    private final Disk disk;
    private final TreeMap<Long, Long> visible = new TreeMap<>();
    private final Map<Integer, List<Long>> redone = new HashMap<>();
    private long appliedLsn;

    public TestStore(Disk disk) {
        this.disk = disk;
    }

    /** A commit of one number. */
    public static final class NumberCommit extends PendingCommit {
        private final long number;

        NumberCommit(TestStore store, long number) {
            super(store);
            this.number = number;
        }

        public long number() {
            return number;
        }
    }

    public NumberCommit commit(Commits commits, long number, CommitLevel level) {
        RecordGroup group = new RecordGroup();
        int xid = commits.nextXid();
        group.add(xid, ID, 0, Long.BYTES).putLong(number);
        NumberCommit commit = new NumberCommit(this, number);
        commits.commit(group, xid, level, commit);
        return commit;
    }

    public synchronized Map<Long, Long> numbers() {
        return new TreeMap<>(visible);
    }

    public synchronized boolean contains(long number) {
        return visible.containsKey(number);
    }

    public synchronized int size() {
        return visible.size();
    }

    @Override
    public int id() {
        return ID;
    }

    @Override
    public String name() {
        return "numbers";
    }

    @Override
    public synchronized long open() throws IOException {
        visible.clear();
        redone.clear();
        appliedLsn = 0;
        if (disk.exists(PATH)) {
            ByteBuffer file = ByteBuffer.wrap(disk.readAll(PATH));
            appliedLsn = file.getLong();
            while (file.hasRemaining()) {
                visible.put(file.getLong(), file.getLong());
            }
        }
        return appliedLsn;
    }

    @Override
    public synchronized void redo(WalRecord record) {
        redone.computeIfAbsent(record.xid(), xid -> new ArrayList<>())
                .add(record.data().getLong());
    }

    @Override
    public synchronized void commit(int xid, long commitLsn) {
        List<Long> numbers = redone.remove(xid);
        if (numbers != null) {
            numbers.forEach(number -> visible.put(number, commitLsn));
        }
        appliedLsn = commitLsn;
    }

    @Override
    public synchronized void commitEarly(int xid, long commitLsn) {
        List<Long> numbers = redone.remove(xid);
        if (numbers != null) {
            numbers.forEach(number -> visible.put(number, commitLsn));
        }
    }

    @Override
    public synchronized void settle(PendingCommit commit) {
        visible.put(((NumberCommit) commit).number, commit.lsn());
        appliedLsn = commit.lsn();
    }

    @Override
    public synchronized void releaseEarly(PendingCommit commit) {
        visible.put(((NumberCommit) commit).number, commit.lsn());
    }

    @Override
    public void publish() {}

    @Override
    public synchronized void checkpoint(long lsn) throws IOException {
        ByteBuffer file = ByteBuffer.allocate(Long.BYTES + visible.size() * 2 * Long.BYTES);
        file.putLong(Math.max(lsn, appliedLsn));
        visible.forEach((number, at) -> file.putLong(number).putLong(at));
        disk.writeAtomically(PATH, file.flip());
    }

    @Override
    public void backup(BackupSink sink) throws IOException {
        byte[] file = disk.readAll(PATH);
        sink.file(PATH, file.length, new ByteArrayInputStream(file));
    }

    @Override
    public List<String> files() {
        return List.of(PATH);
    }

    @Override
    public void close() {}
}
