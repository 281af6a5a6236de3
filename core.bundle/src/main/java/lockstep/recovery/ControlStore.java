package lockstep.recovery;

import java.io.IOException;
import java.util.function.UnaryOperator;
import lockstep.io.Disk;

/** The control file of a running server: what it says, and changing it. Thread-safe. */
public final class ControlStore {
    private final Disk disk;
    private volatile ControlFile control;

    /** Takes the content of the file as it is on the disk. */
    public ControlStore(Disk disk, ControlFile control) {
        this.disk = disk;
        this.control = control;
    }

    /** Reads the file. */
    public static ControlStore open(Disk disk) throws IOException {
        return new ControlStore(disk, ControlFile.read(disk));
    }

    /** Returns what the file says. */
    public ControlFile get() {
        return control;
    }

    /** Changes the file; on the disk when this returns, and unchanged when it fails. */
    public synchronized void update(UnaryOperator<ControlFile> change) throws IOException {
        ControlFile changed = change.apply(control);
        changed.write(disk);
        control = changed;
    }
}
