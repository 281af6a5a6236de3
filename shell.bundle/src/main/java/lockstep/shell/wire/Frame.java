package lockstep.shell.wire;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * One message of the attach channel, in either direction.
 *
 * <pre>
 *   0        1                5
 *   +--------+----------------+-----------------+
 *   | kind   | length of body | body            |
 *   | 1 byte | 4 bytes        | at most 64 kB   |
 *   +--------+----------------+-----------------+
 * </pre>
 *
 * <p>A client sends one {@link Request}. While it is served, the client of a prompt sends {@code INPUT} and {@code
 * RESIZE}; the server sends {@code OUT} and {@code ERR} as they come, {@code EXIT} as its last frame, and closes.
 * A client that closes first ends what it asked for.
 *
 * @param body from its position to its limit; big-endian
 */
public record Frame(Kind kind, ByteBuffer body) {
    static final int HEADER_BYTES = 1 + Integer.BYTES;
    static final int MAX_BODY_BYTES = 64 * 1024;

    /** What a frame is, and the byte that says so. */
    public enum Kind {
        /** Client: a {@link Request.Command}. */
        COMMAND('c'),
        /** Client: a {@link Request.Prompt}. */
        PROMPT('p'),
        /** Client: a {@link Request.Ready}. */
        READY('r'),
        /** Client: bytes typed at the prompt. */
        INPUT('i'),
        /** Client: the terminal has a new {@link WindowSize}. */
        RESIZE('w'),
        /** Server: bytes for the standard output. */
        OUT('o'),
        /** Server: bytes for the standard error output. */
        ERR('e'),
        /** Server: the exit status, 4 bytes; nothing follows. */
        EXIT('x');

        final byte code;

        Kind(char letter) {
            code = (byte) letter;
        }

        static Kind of(byte code) throws IOException {
            for (Kind kind : values()) {
                if (kind.code == code) {
                    return kind;
                }
            }
            throw new IOException("unknown kind of frame on the attach channel: " + (code & 0xff));
        }
    }

    /** Makes the frame that ends a conversation. */
    public static Frame exit(int status) {
        return new Frame(Kind.EXIT, ByteBuffer.allocate(Integer.BYTES).putInt(0, status));
    }

    /** Returns the status that an {@code EXIT} frame carries. */
    public int exitStatus() throws IOException {
        if (body.remaining() != Integer.BYTES) {
            throw new IOException("an exit status on the attach channel has " + body.remaining() + " bytes, not 4");
        }
        return body.getInt(body.position());
    }

    /** Returns the body as an array of its own. */
    public byte[] bytes() {
        byte[] bytes = new byte[body.remaining()];
        body.get(body.position(), bytes);
        return bytes;
    }
}
