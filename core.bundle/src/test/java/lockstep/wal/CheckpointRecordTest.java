package lockstep.wal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import lockstep.io.Clock;
import org.junit.jupiter.api.Test;

class CheckpointRecordTest {
    @Test
    void everyFieldComesBackFromItsBytes() {
        var written = new CheckpointRecord(1L << 40, 2, 3, true, 5L << 32 | 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
        ByteBuffer bytes = buffer();
        written.encode(bytes);
        assertEquals(CheckpointRecord.BYTES, bytes.position());
        assertEquals(written, CheckpointRecord.decode(bytes.flip()));
        assertEquals(0, bytes.remaining());
    }

    @Test
    void theTimeStandsAtByte64InUnixSeconds() {
        Instant time = Instant.parse("2024-02-29T12:34:56.789Z");
        ByteBuffer bytes = buffer();
        CheckpointRecord.of(0, 1, 1, 3, Clock.EPOCH.until(time, ChronoUnit.MICROS), 0)
                .encode(bytes);
        assertEquals(88, bytes.position());
        assertEquals(time.getEpochSecond(), bytes.getLong(64));
    }

    @Test
    void dataThatIsTooShortIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> CheckpointRecord.decode(ByteBuffer.allocate(87)));
        assertThrows(IllegalArgumentException.class, () -> CommitRecord.decode(ByteBuffer.allocate(7)));
    }

    private static ByteBuffer buffer() {
        return ByteBuffer.allocate(CheckpointRecord.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    }
}
