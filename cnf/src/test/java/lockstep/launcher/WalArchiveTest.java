package lockstep.launcher;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class WalArchiveTest {
    private static final int SEGMENT_BYTES = 1 << 20;
    private static final String FIRST = "000000010000000000000FFF";
    private static final String SECOND = "000000010000000100000000";
    private static final String SECOND_OF_NEXT_TIMELINE = "000000020000000100000000";
    private static final long SECOND_LSN = 1L << 32;

    @TempDir
    private Path folder;

    private byte[] segment(long startLsn, long systemId) {
        ByteBuffer segment = ByteBuffer.allocate(SEGMENT_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        return segment.putLong(8, startLsn)
                .putLong(24, systemId)
                .putInt(32, SEGMENT_BYTES)
                .array();
    }

    private Path file(String name, byte[] content) throws IOException {
        Files.createDirectories(folder.resolve(name).getParent());
        return Files.write(folder.resolve(name), content);
    }

    private Path server() throws IOException {
        file("server/control", new byte[0]);
        file("server/pg_wal/" + FIRST, segment(SECOND_LSN - SEGMENT_BYTES, 7));
        return folder.resolve("server");
    }

    private boolean gets(Path from, String name) throws IOException {
        return new WalArchive(from).get(name, folder.resolve("target"));
    }

    @Test
    void whatWasPutIsGotAndNothingElseIsLeftBehind() throws IOException {
        Path archive = Files.createDirectory(folder.resolve("archive"));
        Path source = file("source/" + FIRST, segment(1, 2));
        new WalArchive(archive).put(source);
        new WalArchive(archive).put(source); // a server that crashed in between archives it again
        assertTrue(gets(archive, FIRST));
        assertArrayEquals(Files.readAllBytes(source), Files.readAllBytes(folder.resolve("target")));
        assertFalse(gets(archive, SECOND));
        try (Stream<Path> files = Files.list(archive)) {
            assertEquals(1, files.count());
        }
    }

    @Test
    void aFileWithOtherContentIsNeverReplaced() throws IOException {
        Path archive = Files.createDirectory(folder.resolve("archive"));
        new WalArchive(archive).put(file("a/" + FIRST, segment(1, 2)));
        Path other = file("b/" + FIRST, segment(1, 3));
        Failure refused = assertThrows(Failure.class, () -> new WalArchive(archive).put(other));
        assertTrue(refused.getMessage().contains("two servers"), refused.getMessage());
        assertArrayEquals(segment(1, 2), Files.readAllBytes(archive.resolve(FIRST)));
    }

    @Test
    void aSegmentOfAServerIsGivenWhenTheNextHasBegunAndNotBefore() throws IOException {
        Path server = server();
        assertFalse(gets(server, FIRST), "there is no other");
        file("server/pg_wal/" + SECOND, segment(SECOND_LSN, 0));
        assertFalse(gets(server, FIRST), "the next is only kept ready");
        file("server/pg_wal/" + SECOND, segment(SECOND_LSN - 2 * SEGMENT_BYTES, 7));
        assertFalse(gets(server, FIRST), "the next is an old one under a new name");
        file("server/pg_wal/" + SECOND_OF_NEXT_TIMELINE, segment(SECOND_LSN, 7));
        assertTrue(gets(server, FIRST));
        assertFalse(gets(server, SECOND));
    }

    @Test
    void aHistoryOfAServerIsGiven() throws IOException {
        file("server/pg_wal/00000002.history", new byte[] {1});
        assertTrue(gets(server(), "00000002.history"));
        assertFalse(gets(server(), "00000003.history"));
    }

    @Test
    void aServersDirectoryIsNoArchiveToPutInto() throws IOException {
        Path server = server();
        Path source = file("source/" + SECOND, segment(1, 2));
        assertThrows(Failure.class, () -> new WalArchive(server).put(source));
        assertFalse(Files.exists(server.resolve("pg_wal/" + SECOND)));
    }

    @Test
    void aFolderThatIsMissingIsNotTheEndOfTheArchive() {
        Failure missing = assertThrows(Failure.class, () -> gets(folder.resolve("unmounted"), FIRST));
        assertTrue(missing.status() > 125);
        Failure name = assertThrows(Failure.class, () -> gets(folder, "../control"));
        assertTrue(name.status() > 125);
    }
}
