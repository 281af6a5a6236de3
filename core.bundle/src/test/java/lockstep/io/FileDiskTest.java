package lockstep.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FileDiskTest {
    @TempDir
    Path directory;

    /** Whole blocks can be written past the page cache, other lengths cannot. */
    @ParameterizedTest
    @ValueSource(ints = {100, 8192, 100_000, 3 << 20, (3 << 20) + 1})
    void aNewFileBeginsWithItsHeadAndIsZeroFromThereOn(int lengthBytes) throws IOException {
        byte[] head = {1, 2, 3, 4, 5};
        new FileDisk(directory).create("segment", ByteBuffer.wrap(head), lengthBytes);
        assertArrayEquals(Arrays.copyOf(head, lengthBytes), Files.readAllBytes(directory.resolve("segment")));
    }

    @Test
    void aNewFileTakesThePlaceOfAnOldOneAndLeavesNothingElseBehind() throws IOException {
        FileDisk disk = new FileDisk(directory);
        disk.create("segment", ByteBuffer.wrap(new byte[] {1}), 8192);
        disk.create("segment", ByteBuffer.wrap(new byte[] {2}), 4096);
        assertEquals(List.of("segment"), disk.list(""));
        assertEquals(2, disk.readAll("segment")[0]);
        assertEquals(4096, disk.readAll("segment").length);
    }
}
