package lockstep.simulation;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
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

/** The smallest honest resource manager: a set of numbers, each with the LSN of the commit that brought it. Tells whoever watches. */
final class NumberStore implements ResourceManager, Visibility {
    private static final int ID = 200;
    private static final String PATH = "numbers";

    /** Hears of a number before it can be seen. */
    interface Witness {
        /** A commit of this server is about to become visible. */
        default void released(NumberCommit commit, boolean early) {}

        /** A number has been redone. */
        default void redone(long number, long lsn) {}
    }

    /** A commit of one number. */
    static final class NumberCommit extends PendingCommit {
        private final long number;
        private final int bytes;

        NumberCommit(NumberStore store, long number, int bytes) {
            super(store);
            this.number = number;
            this.bytes = bytes;
        }

        long number() {
            return number;
        }

        /** Returns how long its record is. */
        int bytes() {
            return bytes;
        }
    }

    private final Disk disk;
    private final Witness witness;
    private final TreeMap<Long, Long> visible = new TreeMap<>();

    /** What is released while something before it is not; a state on disk is a prefix of the log. */
    private final TreeMap<Long, Long> early = new TreeMap<>();

    private final Map<Integer, List<Long>> redone = new HashMap<>();
    private long appliedLsn;

    NumberStore(Disk disk, Witness witness) {
        this.disk = disk;
        this.witness = witness;
    }

    /** Commits a number in a record of about so many bytes. */
    NumberCommit commit(Commits commits, long number, int bytes, CommitLevel level) {
        RecordGroup group = new RecordGroup();
        int xid = commits.nextXid();
        ByteBuffer data = group.add(xid, ID, 0, Long.BYTES + bytes);
        data.putLong(number);
        while (data.remaining() >= Long.BYTES) {
            data.putLong(number * 31);
        }
        NumberCommit commit = new NumberCommit(this, number, bytes);
        commits.commit(group, xid, level, commit);
        return commit;
    }

    /** Returns the numbers that can be seen, each with the LSN of its commit. */
    NavigableMap<Long, Long> numbers() {
        TreeMap<Long, Long> all = new TreeMap<>(visible);
        all.putAll(early);
        return all;
    }

    boolean contains(long number) {
        return visible.containsKey(number) || early.containsKey(number);
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
    public long open() throws IOException {
        visible.clear();
        early.clear();
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
    public void redo(WalRecord record) {
        redone.computeIfAbsent(record.xid(), xid -> new ArrayList<>())
                .add(record.data().getLong());
    }

    @Override
    public void commit(int xid, long commitLsn) {
        List<Long> numbers = redone.remove(xid);
        if (numbers != null) {
            for (long number : numbers) {
                if (early.remove(number) == null) {
                    witness.redone(number, commitLsn);
                }
                visible.put(number, commitLsn);
            }
        }
        appliedLsn = commitLsn;
    }

    @Override
    public void commitEarly(int xid, long commitLsn) {
        List<Long> numbers = redone.remove(xid);
        if (numbers != null) {
            for (long number : numbers) {
                witness.redone(number, commitLsn);
                early.put(number, commitLsn);
            }
        }
    }

    @Override
    public void settle(PendingCommit commit) {
        NumberCommit own = (NumberCommit) commit;
        if (early.remove(own.number) == null) {
            witness.released(own, false);
        }
        visible.put(own.number, commit.lsn());
        appliedLsn = commit.lsn();
    }

    @Override
    public void releaseEarly(PendingCommit commit) {
        NumberCommit own = (NumberCommit) commit;
        witness.released(own, true);
        early.put(own.number, commit.lsn());
    }

    @Override
    public void publish() {
        // What is taken in can be seen at once: there is one thread.
    }

    @Override
    public void checkpoint(long lsn) throws IOException {
        ByteBuffer file = ByteBuffer.allocate(Long.BYTES + visible.size() * 2 * Long.BYTES);
        file.putLong(Math.max(lsn, appliedLsn));
        visible.forEach((number, at) -> file.putLong(number).putLong(at));
        disk.writeAtomically(PATH, file.flip());
    }

    @Override
    public void backup(BackupSink sink) throws IOException {
        if (disk.exists(PATH)) {
            byte[] file = disk.readAll(PATH);
            sink.file(PATH, file.length, new ByteArrayInputStream(file));
        }
    }

    @Override
    public List<String> files() {
        return List.of(PATH);
    }

    @Override
    public void close() {
        // Nothing is open.
    }
}
