package lockstep.receiver;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import lockstep.commit.CommitLevel;
import lockstep.commit.Commits;
import lockstep.commit.PendingCommit;
import lockstep.commit.Visibility;
import lockstep.io.Disk;
import lockstep.rmgr.BackupSink;
import lockstep.rmgr.ResourceManager;
import lockstep.wal.RecordGroup;
import lockstep.wal.WalRecord;

/** The smallest honest resource manager: a set of numbers. */
final class Numbers implements ResourceManager, Visibility {
    static final int ID = 200;
    static final String PATH = "numbers/set";

    private final Disk disk;
    private final TreeSet<Long> visible = new TreeSet<>();
    private final Map<Integer, List<Long>> redone = new HashMap<>();
    private final AtomicLong prefetched = new AtomicLong();
    private long appliedLsn;

    Numbers(Disk disk) {
        this.disk = disk;
    }

    /** Returns the file of a set that is empty. */
    static byte[] emptyFile() {
        return new byte[Long.BYTES];
    }

    /** A commit of one number, on a primary. */
    private static final class NumberCommit extends PendingCommit {
        private final long number;

        NumberCommit(Numbers numbers, long number) {
            super(numbers);
            this.number = number;
        }
    }

    PendingCommit commit(Commits commits, long number, CommitLevel level) {
        return commit(commits, number, level, Long.MAX_VALUE);
    }

    PendingCommit commit(Commits commits, long number, CommitLevel level, long patienceNanos) {
        RecordGroup group = new RecordGroup();
        int xid = commits.nextXid();
        group.add(xid, ID, 0, Long.BYTES).putLong(number);
        NumberCommit commit = new NumberCommit(this, number);
        commits.commit(group, xid, level, commit, patienceNanos);
        return commit;
    }

    @Override
    public synchronized void settle(PendingCommit commit) {
        visible.add(((NumberCommit) commit).number);
        appliedLsn = commit.lsn();
    }

    @Override
    public void releaseEarly(PendingCommit commit) {
        throw new AssertionError("these tests commit at one level");
    }

    @Override
    public void publish() {
        // What is taken in can be seen at once.
    }

    synchronized Set<Long> numbers() {
        return new TreeSet<>(visible);
    }

    synchronized int size() {
        return visible.size();
    }

    long prefetched() {
        return prefetched.get();
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
                visible.add(file.getLong());
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
    public synchronized void commit(int xid, long commitLsn) throws IOException {
        for (long number : redone.getOrDefault(xid, List.of())) {
            if (!visible.add(number)) {
                throw new IOException("the number " + number + " is redone twice");
            }
        }
        redone.remove(xid);
        appliedLsn = commitLsn;
    }

    @Override
    public synchronized void checkpoint(long lsn) throws IOException {
        ByteBuffer file = ByteBuffer.allocate(Long.BYTES + visible.size() * Long.BYTES);
        file.putLong(Math.max(lsn, appliedLsn));
        visible.forEach(file::putLong);
        disk.createDirectories("numbers");
        disk.writeAtomically(PATH, file.flip());
    }

    @Override
    public synchronized void backup(BackupSink sink) throws IOException {
        byte[] file = disk.readAll(PATH);
        sink.file(PATH, file.length, new ByteArrayInputStream(file));
    }

    @Override
    public void prefetch(WalRecord record) {
        prefetched.incrementAndGet();
    }

    @Override
    public List<String> files() {
        return List.of(PATH);
    }

    @Override
    public void close() {}
}
