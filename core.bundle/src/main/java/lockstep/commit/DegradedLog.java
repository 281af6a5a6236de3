package lockstep.commit;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import lockstep.io.Disk;

/**
 * The degraded periods that this server knows of, oldest first, in the file {@value #PATH}: a line each. The truth is in the
 * log; the file is there because WAL is recycled. A primary puts periods in as they begin and end, a standby as it redoes the
 * notes of them. Thread-safe.
 */
public final class DegradedLog {
    /** Its path, relative to the data directory. */
    public static final String PATH = "degraded_log";

    /** Older ones are forgotten. */
    private static final int MAX_PERIODS = 1000;

    private final Disk disk;
    private volatile List<DegradedPeriod> periods;

    /** Reads the file, if there is one. */
    public DegradedLog(Disk disk) throws IOException {
        this.disk = disk;
        periods = read(disk);
    }

    /**
     * Reads the file of a server that may be running.
     *
     * @throws IOException if it cannot be read or understood
     */
    public static List<DegradedPeriod> read(Disk disk) throws IOException {
        List<DegradedPeriod> found = new ArrayList<>();
        if (disk.exists(PATH)) {
            for (String line : new String(disk.readAll(PATH), StandardCharsets.UTF_8)
                    .lines()
                    .toList()) {
                found.add(DegradedPeriod.parse(line)
                        .orElseThrow(() -> new IOException("the file " + PATH + " cannot be understood at \"" + line
                                + "\". Remove it: the log has what it said, as far back as there is WAL")));
            }
        }
        return List.copyOf(found);
    }

    /** Puts a period in, in place of an earlier state of it; on the disk when this returns. What is known already changes nothing. */
    public synchronized void put(DegradedPeriod period) throws IOException {
        List<DegradedPeriod> changed = new ArrayList<>(periods);
        int at = 0;
        while (at < changed.size() && !changed.get(at).isSame(period)) {
            at++;
        }
        if (at == changed.size()) {
            changed.add(period);
        } else if (period.isOpen() || changed.get(at).equals(period)) {
            return;
        } else {
            changed.set(at, period);
        }
        if (changed.size() > MAX_PERIODS) {
            changed.remove(0);
        }
        StringBuilder text = new StringBuilder();
        changed.forEach(each -> text.append(each).append('\n'));
        disk.writeAtomically(PATH, ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.UTF_8)));
        periods = List.copyOf(changed);
    }

    /** Takes in what a note in the log says. What is no period is left alone: a later version wrote it. */
    public void redo(String note) throws IOException {
        Optional<DegradedPeriod> period = DegradedPeriod.parse(note);
        if (period.isPresent()) {
            put(period.get());
        }
    }

    /** Returns the periods, oldest first. */
    public List<DegradedPeriod> periods() {
        return periods;
    }

    /** Returns the one that goes on. */
    public Optional<DegradedPeriod> open() {
        return periods.stream().filter(DegradedPeriod::isOpen).reduce((first, last) -> last);
    }
}
