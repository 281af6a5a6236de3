package lockstep.simulation;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.TreeSet;
import lockstep.io.Clock;
import lockstep.io.Disk;
import lockstep.io.DiskFile;
import lockstep.io.DiskFullException;
import lockstep.io.SyncMethod;

/**
 * The disk of a simulated machine. Remembers for each block that was written and not flushed what is still on the platter;
 * a loss of power then decides sector by sector which of the two is found afterwards. A killed process loses nothing that it
 * had written: the operating system has it.
 *
 * <p>A crash comes at a chosen one of the operations to come, a write of n blocks being n of them; from then on the disk is
 * {@linkplain #off}, and every call ends in {@link SimCrash}. {@link #again} is the same disk after the restart.
 */
final class SimDisk implements Disk {
    private static final int BLOCK_BYTES = 4096;
    private static final int SECTOR_BYTES = 512;
    private static final byte[] ZEROS = new byte[BLOCK_BYTES];

    private static final class Inode {
        long length;

        /** What the operating system shows; a block that is not there is zero. */
        final HashMap<Integer, byte[]> blocks = new HashMap<>();

        /** What is on the platter, for blocks that were written since the last flush. */
        final TreeMap<Integer, byte[]> unflushed = new TreeMap<>();

        byte[] shown(int block) {
            return blocks.getOrDefault(block, ZEROS);
        }

        byte[] kept(int block) {
            byte[] old = unflushed.get(block);
            return old == null ? shown(block) : old;
        }

        Inode copy() {
            Inode copy = new Inode();
            copy.length = length;
            blocks.forEach((block, bytes) -> copy.blocks.put(block, bytes.clone()));
            unflushed.forEach((block, bytes) -> copy.unflushed.put(block, bytes.clone()));
            return copy;
        }
    }

    private final String machine;
    private final SplittableRandom random;
    private final Clock clock;
    private final Tally tally;
    private final NavigableMap<String, Inode> files;
    private final Set<String> directories;
    private Runnable crash = () -> {};
    private long operationsLeft = Long.MAX_VALUE;
    private boolean failNextSync;
    private boolean failed;
    private long fullUntilNanos;
    private boolean wasFull;
    private boolean off;

    SimDisk(String machine, SplittableRandom random, Clock clock, Tally tally) {
        this(machine, random, clock, tally, new TreeMap<>(), new TreeSet<>());
    }

    private SimDisk(
            String machine,
            SplittableRandom random,
            Clock clock,
            Tally tally,
            NavigableMap<String, Inode> files,
            Set<String> directories) {
        this.machine = machine;
        this.random = random;
        this.clock = clock;
        this.tally = tally;
        this.files = files;
        this.directories = directories;
    }

    // Faults.

    /** Has {@code action}, which turns this disk off, called in the midst of the n-th operation from now. */
    void crashAfter(long operations, Runnable action) {
        operationsLeft = operations;
        crash = action;
    }

    /** Has the next flush fail, and with it some of what it should have brought to the disk. */
    void failNextSync() {
        failNextSync = true;
    }

    /** Has no room for new files for a while. */
    void fillFor(long nanos) {
        fullUntilNanos = clock.nanos() + nanos;
        wasFull = false;
    }

    /** Returns whether a flush has failed since the server was started. */
    boolean hasFailed() {
        return failed;
    }

    /** Ends all faults to come. */
    void heal() {
        operationsLeft = Long.MAX_VALUE;
        failNextSync = false;
        fullUntilNanos = 0;
    }

    /** Ends all use of this object. */
    void off() {
        off = true;
    }

    /** The same disk, for the next process. */
    SimDisk again() {
        SimDisk disk = new SimDisk(machine, random, clock, tally, files, directories);
        disk.fullUntilNanos = fullUntilNanos;
        disk.operationsLeft = operationsLeft;
        disk.crash = crash;
        off = true;
        return disk;
    }

    /** Another disk with the same content. */
    SimDisk copy(SplittableRandom otherRandom) {
        TreeMap<String, Inode> copies = new TreeMap<>();
        files.forEach((path, inode) -> copies.put(path, inode.copy()));
        return new SimDisk(machine, otherRandom, clock, new Tally(), copies, new TreeSet<>(directories));
    }

    /** Loses what was not flushed: all, none, or any part of it. */
    void losePower() {
        int keepPercent = random.nextInt(3) * 50;
        files.forEach((path, inode) -> {
            lose(inode, keepPercent);
            inode.unflushed.clear();
        });
    }

    private void lose(Inode inode, int keepPercent) {
        boolean lostEarlier = false;
        for (Map.Entry<Integer, byte[]> entry : inode.unflushed.entrySet()) {
            byte[] old = entry.getValue();
            byte[] now = inode.shown(entry.getKey()).clone();
            int lost = 0;
            int kept = 0;
            for (int at = 0; at < BLOCK_BYTES; at += SECTOR_BYTES) {
                if (Arrays.equals(old, at, at + SECTOR_BYTES, now, at, at + SECTOR_BYTES)) {
                    continue;
                }
                if (random.nextInt(100) < keepPercent) {
                    kept++;
                } else {
                    System.arraycopy(old, at, now, at, SECTOR_BYTES);
                    lost++;
                }
            }
            inode.blocks.put(entry.getKey(), now);
            if (lost > 0 && kept > 0) {
                tally.count(Event.TORN_BLOCK);
            }
            if (lostEarlier && kept > 0) {
                tally.count(Event.BLOCKS_OUT_OF_ORDER);
            }
            lostEarlier |= lost > 0;
        }
    }

    private void operation(Event ifCrash) {
        requireOn();
        if (--operationsLeft == 0) {
            if (ifCrash != null) {
                tally.count(ifCrash);
            }
            crash.run();
            throw new SimCrash(machine);
        }
    }

    private void requireOn() {
        if (off) {
            throw new SimCrash(machine);
        }
    }

    // What an invariant looks at.

    /** Returns bytes of a file as they are after any crash; or, if not {@code flushedOnly}, as they are now; null if there is none. */
    byte[] content(String path, long from, int length, boolean flushedOnly) {
        Inode inode = files.get(path);
        if (inode == null) {
            return null;
        }
        byte[] content = new byte[length];
        for (int done = 0; done < length; ) {
            long at = from + done;
            int offset = (int) (at % BLOCK_BYTES);
            int count = Math.min(length - done, BLOCK_BYTES - offset);
            int number = (int) (at / BLOCK_BYTES);
            byte[] block = flushedOnly ? inode.kept(number) : inode.shown(number);
            System.arraycopy(block, offset, content, done, count);
            done += count;
        }
        return content;
    }

    // The disk.

    private Inode inode(String path) throws IOException {
        requireOn();
        Inode inode = files.get(path);
        if (inode == null) {
            throw new NoSuchFileException(path);
        }
        return inode;
    }

    @Override
    public int blockBytes() {
        return BLOCK_BYTES;
    }

    @Override
    public boolean supports(SyncMethod method) {
        return true;
    }

    @Override
    public DiskFile openForReading(String path) throws IOException {
        return new File(path, inode(path), SyncMethod.FDATASYNC);
    }

    @Override
    public DiskFile open(String path, SyncMethod method) throws IOException {
        return new File(path, inode(path), method);
    }

    @Override
    public void create(String path, ByteBuffer head, long lengthBytes) throws IOException {
        if (clock.nanos() < fullUntilNanos) {
            if (!wasFull) {
                wasFull = true;
                tally.count(Event.DISK_FULL);
            }
            throw new DiskFullException("cannot write " + path + ": No space left on device", null);
        }
        replace(path, head, lengthBytes);
    }

    @Override
    public DiskFile createEmpty(String path) {
        operation(null);
        Inode inode = new Inode();
        files.put(path, inode);
        return new File(path, inode, SyncMethod.FDATASYNC);
    }

    @Override
    public void writeAtomically(String path, ByteBuffer content) throws IOException {
        replace(path, content, content.remaining());
    }

    private void replace(String path, ByteBuffer head, long lengthBytes) throws IOException {
        Inode inode = new Inode();
        inode.length = lengthBytes;
        files.put(path + ".tmp", inode);
        operation(null);
        put(inode, 0, head.duplicate(), false);
        operation(null);
        files.remove(path + ".tmp");
        files.put(path, inode);
        operation(null);
    }

    @Override
    public byte[] readAll(String path) throws IOException {
        return content(path, 0, (int) inode(path).length, false);
    }

    @Override
    public boolean exists(String path) {
        requireOn();
        return files.containsKey(path) || directories.contains(path);
    }

    @Override
    public List<String> list(String directory) {
        requireOn();
        String prefix = directory + '/';
        List<String> names = new ArrayList<>();
        for (String path : files.tailMap(prefix).keySet()) {
            if (!path.startsWith(prefix)) {
                break;
            }
            names.add(path.substring(prefix.length()));
        }
        return names;
    }

    @Override
    public void createDirectories(String directory) {
        requireOn();
        directories.add(directory);
    }

    @Override
    public void rename(String from, String to) throws IOException {
        Inode inode = inode(from);
        operation(null);
        files.remove(from);
        files.put(to, inode);
        operation(null);
        tally.count(Event.SEGMENT_RECYCLED);
    }

    @Override
    public void delete(String path) {
        operation(null);
        files.remove(path);
        operation(null);
    }

    /** Changes what the operating system shows, block by block, each of which may be the last before a crash. */
    private void put(Inode inode, long position, ByteBuffer src, boolean file) {
        long at = position;
        boolean first = true;
        while (src.hasRemaining()) {
            int block = (int) (at / BLOCK_BYTES);
            int offset = (int) (at % BLOCK_BYTES);
            int count = Math.min(src.remaining(), BLOCK_BYTES - offset);
            if (file) {
                operation(first ? null : Event.CRASH_WITHIN_WRITE);
                first = false;
            }
            byte[] old = inode.shown(block);
            byte[] now = old.clone();
            src.get(now, offset, count);
            at += count;
            if (Arrays.equals(old, now)) {
                continue;
            }
            if (file) {
                inode.unflushed.putIfAbsent(block, old);
            }
            if (Arrays.equals(now, ZEROS)) {
                inode.blocks.remove(block);
            } else {
                inode.blocks.put(block, now);
            }
        }
        inode.length = Math.max(inode.length, at);
    }

    private final class File implements DiskFile {
        private final String path;
        private final Inode inode;
        private final SyncMethod method;

        File(String path, Inode inode, SyncMethod method) {
            this.path = path;
            this.inode = inode;
            this.method = method;
        }

        @Override
        public int read(ByteBuffer dst, long position) {
            requireOn();
            int length = (int) Math.max(0, Math.min(dst.remaining(), inode.length - position));
            for (int done = 0; done < length; ) {
                long at = position + done;
                int offset = (int) (at % BLOCK_BYTES);
                int count = Math.min(length - done, BLOCK_BYTES - offset);
                dst.put(inode.shown((int) (at / BLOCK_BYTES)), offset, count);
                done += count;
            }
            return length;
        }

        @Override
        public void write(ByteBuffer src, long position) throws IOException {
            put(inode, position, src, true);
            if (method.syncsOnWrite()) {
                flush();
            }
        }

        @Override
        public void sync() throws IOException {
            if (!method.syncsOnWrite()) {
                flush();
            }
        }

        private void flush() throws IOException {
            operation(inode.unflushed.isEmpty() ? null : Event.CRASH_BEFORE_SYNC);
            if (failNextSync) {
                failNextSync = false;
                failed = true;
                tally.count(Event.SYNC_FAILED);
                lose(inode, 50);
                inode.unflushed.clear();
                throw new IOException("cannot flush " + path + ": Input/output error");
            }
            inode.unflushed.clear();
        }

        @Override
        public long length() {
            requireOn();
            return inode.length;
        }

        @Override
        public void close() {
            // Nothing is flushed by that.
        }
    }
}
