package lockstep.shell.wire;

import java.io.IOException;
import java.nio.ByteBuffer;

/** The size of a terminal, in characters. */
public record WindowSize(int columns, int rows) {
    static final int BYTES = 2 * Integer.BYTES;
    private static final int MAX = 10_000;

    /** Returns it as a frame. */
    public Frame toFrame() {
        ByteBuffer body = ByteBuffer.allocate(BYTES);
        encode(body);
        return new Frame(Frame.Kind.RESIZE, body.flip());
    }

    void encode(ByteBuffer out) {
        out.putInt(columns).putInt(rows);
    }

    /** Reads it from the body of a {@code RESIZE} frame. */
    public static WindowSize decode(ByteBuffer in) throws IOException {
        if (in.remaining() < BYTES) {
            throw new IOException("a window size on the attach channel is cut short");
        }
        WindowSize size = new WindowSize(in.getInt(), in.getInt());
        if (size.columns < 0 || size.columns > MAX || size.rows < 0 || size.rows > MAX) {
            throw new IOException("a terminal of " + size.columns + " columns and " + size.rows + " rows is none");
        }
        return size;
    }
}
