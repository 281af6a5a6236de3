package lockstep.receiver;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import lockstep.io.Disk;
import lockstep.io.DiskFile;
import lockstep.io.DiskFullException;
import lockstep.io.SyncMethod;

/** A disk that has no room for another segment while it is told so. */
final class FullableDisk implements Disk {
    private final Disk disk;
    volatile boolean full;

    FullableDisk(Disk disk) {
        this.disk = disk;
    }

    @Override
    public int blockBytes() {
        return disk.blockBytes();
    }

    @Override
    public boolean supports(SyncMethod method) throws IOException {
        return disk.supports(method);
    }

    @Override
    public DiskFile openForReading(String path) throws IOException {
        return disk.openForReading(path);
    }

    @Override
    public DiskFile open(String path, SyncMethod method) throws IOException {
        return disk.open(path, method);
    }

    @Override
    public void create(String path, ByteBuffer head, long lengthBytes) throws IOException {
        if (full) {
            throw new DiskFullException("cannot write " + path + ": No space left on device", null);
        }
        disk.create(path, head, lengthBytes);
    }

    @Override
    public DiskFile createEmpty(String path) throws IOException {
        return disk.createEmpty(path);
    }

    @Override
    public void writeAtomically(String path, ByteBuffer content) throws IOException {
        disk.writeAtomically(path, content);
    }

    @Override
    public byte[] readAll(String path) throws IOException {
        return disk.readAll(path);
    }

    @Override
    public boolean exists(String path) {
        return disk.exists(path);
    }

    @Override
    public List<String> list(String directory) throws IOException {
        return disk.list(directory);
    }

    @Override
    public void createDirectories(String directory) throws IOException {
        disk.createDirectories(directory);
    }

    @Override
    public void rename(String from, String to) throws IOException {
        disk.rename(from, to);
    }

    @Override
    public void delete(String path) throws IOException {
        disk.delete(path);
    }
}
