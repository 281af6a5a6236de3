package lockstep.security;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What some files say, read again when one of them has changed. What makes no sense does not replace what did: it is logged
 * once, and the last good content goes on to count. Thread-safe.
 */
final class Reloaded<T> {
    private static final Logger log = LoggerFactory.getLogger(Reloaded.class);

    /** Makes sense of the files. */
    interface Reader<T> {
        T read() throws IOException;
    }

    private final List<Path> files;
    private final Reader<T> reader;
    private List<String> stamps;
    private T content;
    private IOException trouble;

    Reloaded(List<Path> files, Reader<T> reader) {
        this.files = List.copyOf(files);
        this.reader = reader;
    }

    /**
     * Returns the content.
     *
     * @throws IOException if it never made sense
     */
    synchronized T get() throws IOException {
        List<String> now = files.stream().map(Reloaded::stamp).toList();
        if (!now.equals(stamps)) {
            boolean first = stamps == null;
            stamps = now;
            try {
                content = reader.read();
                trouble = null;
                if (!first) {
                    log.info("{} is read again: {}", names(), content);
                }
            } catch (IOException | RuntimeException e) {
                trouble = e instanceof IOException io ? io : new IOException(e.getMessage(), e);
                log.error(
                        "{}{}",
                        e.getMessage(),
                        content == null ? "" : "; what was read before goes on to count: " + content);
            }
        }
        if (content == null) {
            throw trouble;
        }
        return content;
    }

    private String names() {
        return String.join(", ", files.stream().map(Path::toString).toList());
    }

    /** What changes with any change of the file, also of who may read it. */
    private static String stamp(Path file) {
        try {
            return Files.readAttributes(file, "unix:dev,ino,size,mode,uid,ctime")
                    .toString();
        } catch (IOException e) {
            return e.getClass().getSimpleName();
        }
    }
}
