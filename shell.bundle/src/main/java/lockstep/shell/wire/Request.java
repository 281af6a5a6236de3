package lockstep.shell.wire;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;

/** What a client asks for: its first frame. */
public sealed interface Request {
    /**
     * Runs a command, or several, one a line.
     *
     * @param directory the client's working directory, from which the file names of the command start
     * @param line what would be typed at the prompt
     */
    record Command(String directory, String line) implements Request {
        @Override
        public Frame toFrame() throws IOException {
            return new Frame(Frame.Kind.COMMAND, strings(0, directory, line).flip());
        }
    }

    /**
     * Opens a prompt.
     *
     * @param directory as for a command
     * @param terminal what the terminal is, as {@code $TERM} says
     */
    record Prompt(String directory, String terminal, WindowSize size) implements Request {
        @Override
        public Frame toFrame() throws IOException {
            ByteBuffer body = strings(WindowSize.BYTES, directory, terminal);
            size.encode(body);
            return new Frame(Frame.Kind.PROMPT, body.flip());
        }
    }

    /** Asks whether the server has started. The answer is exit status 0 or 1, and with that, as errors, what keeps it from it. */
    record Ready() implements Request {
        @Override
        public Frame toFrame() {
            return new Frame(Frame.Kind.READY, ByteBuffer.allocate(0));
        }
    }

    /** Returns it as a frame. */
    Frame toFrame() throws IOException;

    /** Reads what a client asks for. */
    static Request decode(Frame frame) throws IOException {
        ByteBuffer body = frame.body();
        return switch (frame.kind()) {
            case COMMAND -> new Command(string(body), string(body));
            case PROMPT -> new Prompt(string(body), string(body), WindowSize.decode(body));
            case READY -> new Ready();
            case INPUT, RESIZE, OUT, ERR, EXIT ->
                throw new IOException(
                        "a client of the attach channel began with " + frame.kind() + ", which is no request");
        };
    }

    private static ByteBuffer strings(int moreBytes, String first, String second) throws IOException {
        byte[] one = first.getBytes(UTF_8);
        byte[] two = second.getBytes(UTF_8);
        int bytes = 2 * Integer.BYTES + one.length + two.length + moreBytes;
        if (bytes > Frame.MAX_BODY_BYTES) {
            throw new IOException("the command has " + two.length + " bytes; at most 64 kB can be sent");
        }
        ByteBuffer body = ByteBuffer.allocate(bytes);
        return body.putInt(one.length).put(one).putInt(two.length).put(two);
    }

    private static String string(ByteBuffer in) throws IOException {
        int length = in.remaining() < Integer.BYTES ? -1 : in.getInt();
        if (length < 0 || length > in.remaining()) {
            throw new IOException("a string on the attach channel is cut short");
        }
        byte[] bytes = new byte[length];
        in.get(bytes);
        return new String(bytes, UTF_8);
    }
}
