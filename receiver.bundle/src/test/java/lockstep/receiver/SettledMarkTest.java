package lockstep.receiver;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.EnumSet;
import lockstep.io.Disk;
import lockstep.io.FileDisk;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SettledMarkTest {
    private static final long SYSTEM_ID = 7;

    private final Disk disk;

    SettledMarkTest(@TempDir Path directory) throws IOException {
        disk = new FileDisk(directory);
    }

    private long found(long systemId) throws IOException {
        try (SettledMark mark = new SettledMark(disk, systemId)) {
            return mark.lsn();
        }
    }

    @Test
    void whatWasSettledIsKnownAfterARestart() throws IOException {
        assertEquals(0, found(SYSTEM_ID));
        try (SettledMark mark = new SettledMark(disk, SYSTEM_ID)) {
            mark.remember(() -> 0x2000);
        }
        assertEquals(0x2000, found(SYSTEM_ID));
        assertEquals(0, found(SYSTEM_ID + 1), "of another log nothing is known");
    }

    @Test
    void aCutLowersItAndNeverRaisesIt() throws IOException {
        try (SettledMark mark = new SettledMark(disk, SYSTEM_ID)) {
            mark.remember(() -> 0x2000);
            mark.cutBack(0x3000);
            assertEquals(0x2000, found(SYSTEM_ID));
            mark.cutBack(0x1000);
        }
        assertEquals(0x1000, found(SYSTEM_ID));
    }

    @Test
    void whatWasAskedForBeforeACutIsNotWrittenAfterIt() throws Exception {
        try (SettledMark mark = new SettledMark(disk, SYSTEM_ID)) {
            Thread cutter = new Thread(() -> cutBack(mark), "cutter");
            mark.remember(() -> {
                cutter.start();
                while (!EnumSet.of(Thread.State.BLOCKED, Thread.State.TERMINATED)
                        .contains(cutter.getState())) {
                    Thread.onSpinWait();
                }
                return 0x2000;
            });
            cutter.join();
        }
        assertEquals(0x1000, found(SYSTEM_ID));
    }

    private static void cutBack(SettledMark mark) {
        try {
            mark.cutBack(0x1000);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
