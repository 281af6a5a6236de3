package lockstep.shell.command;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import lockstep.kv.KeyValueStore;

/**
 * The lines of a file: line n, without its newline, is the value of key n. A last line without a newline counts. The bytes
 * are taken as they are.
 */
final class LineRecords implements Records {
    private static final int BUFFER_BYTES = 1 << 16;

    private final InputStream input;
    private final byte[] buffer = new byte[BUFFER_BYTES];
    private int position;
    private int limit;
    private long lines;

    /** Reads from a stream, and closes it in the end. */
    LineRecords(InputStream input) {
        this.input = input;
    }

    @Override
    public synchronized boolean next(Item item) throws IOException {
        if (position == limit && !fill()) {
            return false;
        }
        lines++;
        int end = newline();
        if (end < limit) {
            item.value = take(end);
            position++;
        } else {
            item.value = longLine();
        }
        item.number(lines);
        return true;
    }

    private boolean fill() throws IOException {
        position = 0;
        limit = Math.max(0, input.read(buffer));
        return limit > 0;
    }

    private int newline() {
        int at = position;
        while (at < limit && buffer[at] != '\n') {
            at++;
        }
        return at;
    }

    private byte[] take(int end) {
        byte[] taken = Arrays.copyOfRange(buffer, position, end);
        position = end;
        return taken;
    }

    /** Reads a line that goes on past the buffer, or to the end of the file. */
    private byte[] longLine() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        do {
            int end = newline();
            line.write(buffer, position, end - position);
            position = end;
            if (line.size() > KeyValueStore.MAX_VALUE_BYTES) {
                throw new IOException("line " + lines + " of the input is longer than a value may be, which is "
                        + KeyValueStore.MAX_VALUE_BYTES + " bytes");
            }
            if (end < limit) {
                position++;
                break;
            }
        } while (fill());
        return line.toByteArray();
    }

    @Override
    public void close() throws IOException {
        input.close();
    }
}
