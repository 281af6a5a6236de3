package lockstep.commit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import lockstep.io.Disk;
import lockstep.io.FileDisk;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DegradedLogTest {
    private static final DegradedPeriod OPEN = new DegradedPeriod(
            1, 0x3000028, 0, 700, 0, "local", "standby_unavailable=wait", "0 of 1 \"required\"\nstandbys  can");

    @TempDir
    Path directory;

    private Disk disk;

    @BeforeEach
    void open() throws IOException {
        disk = new FileDisk(directory);
    }

    @Test
    void aPeriodIsReadAsItWasWritten() {
        assertEquals(Optional.of(OPEN), DegradedPeriod.parse(OPEN.toString()));
        assertEquals(
                "tli=1 from=0/3000028 to=0/4000000 since=700 until=900 degraded_to=local"
                        + " by=\"standby_unavailable=wait\" reason=\"0 of 1 'required' standbys can\"",
                OPEN.ended(0x4000000, 900).toString());
        assertEquals(Optional.empty(), DegradedPeriod.parse("tli=1 from=0/3000028"));
    }

    @Test
    void anEndTakesThePlaceOfItsBeginningAndRedoingBothAgainChangesNothing() throws IOException {
        DegradedPeriod whole = OPEN.ended(0x4000000, 900);
        DegradedLog periods = new DegradedLog(disk);
        for (int i = 0; i < 2; i++) {
            periods.redo(OPEN.toString());
            assertEquals(i == 0 ? Optional.of(OPEN) : Optional.empty(), periods.open());
            periods.redo(whole.toString());
        }
        periods.redo("something that a later version says");
        assertEquals(List.of(whole), periods.periods());
        assertEquals(List.of(whole), DegradedLog.read(disk));
    }

    @Test
    void onlyTheLatestAreKept() throws IOException {
        DegradedLog periods = new DegradedLog(disk);
        for (int i = 1; i <= 1100; i++) {
            periods.put(new DegradedPeriod(1, i, i + 1, i, i + 1, "local", "test", "why"));
        }
        assertEquals(1000, periods.periods().size());
        assertEquals(101, periods.periods().get(0).startLsn());
    }

    @Test
    void aLineThatMakesNoSenseIsNamed() throws IOException {
        disk.writeAtomically(DegradedLog.PATH, ByteBuffer.wrap("nonsense\n".getBytes(UTF_8)));
        IOException e = assertThrows(IOException.class, () -> new DegradedLog(disk));
        assertTrue(e.getMessage().contains("nonsense"), e.getMessage());
    }
}
