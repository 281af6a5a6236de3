package lockstep.launcher;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;
import lockstep.transport.api.Lsn;

/**
 * The logs of two servers, compared byte for byte: all segments that both have, up to a position.
 *
 * @param bytes how many bytes were compared
 * @param difference the first position at which they differ, and the file; empty if they do not
 */
record LogComparison(long bytes, String difference) {
    private static final int CHUNK_BYTES = 1 << 20;
    private static final int NAME_DIGITS = 24;
    private static final int HALF_DIGITS = 8;

    static LogComparison of(Path one, Path other, long endLsn) throws IOException {
        List<Path> segments;
        try (Stream<Path> files = Files.list(one.resolve("pg_wal"))) {
            segments = files.filter(file -> file.getFileName().toString().matches("[0-9A-F]{" + NAME_DIGITS + "}"))
                    .sorted()
                    .toList();
        }
        long compared = 0;
        for (Path segment : segments) {
            String name = segment.getFileName().toString();
            Path twin = other.resolve("pg_wal").resolve(name);
            try {
                long size = Files.size(segment);
                long startLsn = startLsn(name, size);
                long length = Math.min(size, endLsn - startLsn);
                if (length > 0) {
                    long at = mismatch(segment, twin, length);
                    if (at < 0) {
                        compared += length;
                    } else if (Files.exists(segment) && Files.exists(twin)) {
                        return new LogComparison(compared + at, Lsn.text(startLsn + at) + " in segment " + name);
                    }
                }
            } catch (NoSuchFileException e) {
                // Only one of them has it: the other has removed or recycled it.
            }
        }
        return new LogComparison(compared, compared == 0 ? "no segment is on both sides" : "");
    }

    private static long startLsn(String name, long segmentBytes) {
        long id = Long.parseLong(name.substring(HALF_DIGITS, 2 * HALF_DIGITS), 16);
        return (id << 32) + Long.parseLong(name.substring(2 * HALF_DIGITS), 16) * segmentBytes;
    }

    private static long mismatch(Path one, Path other, long length) throws IOException {
        try (FileChannel first = FileChannel.open(one, StandardOpenOption.READ);
                FileChannel second = FileChannel.open(other, StandardOpenOption.READ)) {
            for (long at = 0; at < length; at += CHUNK_BYTES) {
                int chunk = (int) Math.min(CHUNK_BYTES, length - at);
                int mismatch = read(first, at, chunk).mismatch(read(second, at, chunk));
                if (mismatch >= 0) {
                    return at + mismatch;
                }
            }
            return -1;
        }
    }

    private static ByteBuffer read(FileChannel file, long at, int length) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(length);
        while (bytes.hasRemaining() && file.read(bytes, at + bytes.position()) >= 0) {
            // Reads until it is full or the file ends.
        }
        return bytes.flip();
    }
}
