package lockstep.receiver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import lockstep.io.Disk;
import lockstep.io.FileDisk;
import lockstep.receiver.api.MissingRange;
import lockstep.transport.api.Message.DegradedRange;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MissingWalTest {
    @TempDir
    Path directory;

    private Disk disk;

    @BeforeEach
    void open() throws IOException {
        disk = new FileDisk(directory);
    }

    @Test
    void aRangeIsMissingUntilTheWalReachesItsEnd() throws IOException {
        new MissingWal(disk).told(new DegradedRange(0x1000, 0x2000, "no standby streams"));
        MissingWal again = new MissingWal(disk);
        assertEquals(Optional.of(new MissingRange(0x1000, 0x2000, "no standby streams")), again.missing(0x1FFF));
        assertEquals(Optional.empty(), again.missing(0x2000));
        assertEquals(new DegradedRange(0x1000, 0x2000, "no standby streams"), again.said());
    }

    @Test
    void whileThePrimaryIsDegradedNoPositionIsFarEnough() throws IOException {
        MissingWal missing = new MissingWal(disk);
        missing.told(new DegradedRange(0x1000, 0, "no standby streams"));
        assertTrue(missing.missing(Long.MAX_VALUE).isPresent());
        assertTrue(missing.missing(0).orElseThrow().toString().startsWith("WAL from 0/1000 to an unknown position"));
    }

    @Test
    void whatIsSaidLastCounts() throws IOException {
        MissingWal missing = new MissingWal(disk);
        missing.told(new DegradedRange(0x1000, 0, "no standby streams"));
        missing.told(DegradedRange.NONE);
        assertEquals(Optional.empty(), missing.missing(0));
        assertEquals(DegradedRange.NONE, new MissingWal(disk).said());
    }

    @Test
    void aDamagedFileIsNamed() throws IOException {
        new MissingWal(disk).told(new DegradedRange(0x1000, 0, "no standby streams"));
        byte[] file = disk.readAll(MissingWal.PATH);
        file[3] ^= 1;
        disk.writeAtomically(MissingWal.PATH, ByteBuffer.wrap(file));
        IOException e = assertThrows(IOException.class, () -> new MissingWal(disk));
        assertTrue(e.getMessage().contains(MissingWal.PATH), e.getMessage());
    }
}
