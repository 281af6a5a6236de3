package lockstep.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ConfFileTest {
    @TempDir
    private Path folder;

    private String edited(String before, String name, String value) throws IOException {
        Path file = folder.resolve("lockstep.conf");
        Files.writeString(file, before);
        ConfFile conf = new ConfFile(file);
        conf.set(name, value);
        conf.save();
        return Files.readString(file);
    }

    @Test
    void aNewNameIsAppendedAndQuotedWhenNeeded() throws IOException {
        assertEquals("# hello\nwal_buffers = 16MB\n", edited("# hello\n", "wal_buffers", "16MB"));
        assertEquals(
                "listen_addresses = 'tcp://a:1, tcp://b:2'\n", edited("", "listen_addresses", "tcp://a:1, tcp://b:2"));
        assertEquals("names = 'it''s a \\\\'\n", edited("", "names", "it's a \\"));
        assertEquals("names = ''\n", edited("", "names", ""));
    }

    @Test
    void theLastLineOfTheNameIsReplacedAndItsCommentStays() throws IOException {
        assertEquals(
                "a = 1\n#a = 2\n  A = 4 # why\nb = 5\n", edited("a = 1\n#a = 2\n  A = 3 # why\nb = 5\n", "a", "4"));
        assertEquals("a '4 #'# why\n", edited("a 'x # ''y'# why\n", "a", "4 #"));
        assertEquals("ab = 1\na = 2\n", edited("ab = 1\n", "a", "2"));
    }

    @Test
    void aLineBreakIsRefused() {
        assertThrows(UsageException.class, () -> edited("", "a", "1\nb = 2"));
    }
}
