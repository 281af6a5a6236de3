package lockstep.transport.ssh;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import lockstep.transport.api.MalformedMessageException;

/**
 * What both sides say first, the connecting one before the other: whatever an SSH server forwards to, it is known from
 * its first bytes whether it is a Lockstep server.
 *
 * <pre>
 *   0                           8              12
 *   +---------------------------+--------------+
 *   | L O C K S T E P           | version      |
 *   +---------------------------+--------------+
 * </pre>
 */
final class Greeting {
    private static final byte[] MAGIC = "LOCKSTEP".getBytes(StandardCharsets.US_ASCII);
    private static final int VERSION = 1;
    private static final int SHOWN_BYTES = 32;

    /** The size of a greeting. */
    static final int BYTES = MAGIC.length + Integer.BYTES;

    private final ByteBuffer heard = ByteBuffer.allocate(BYTES);

    static ByteBuffer encode() {
        return ByteBuffer.allocate(BYTES).put(MAGIC).putInt(VERSION).flip();
    }

    /**
     * Takes the next bytes that came, as far as they belong to the greeting.
     *
     * @return whether the greeting is complete
     * @throws MalformedMessageException if this is no greeting, or that of another version; says what came
     */
    boolean hear(ByteBuffer in) throws MalformedMessageException {
        int start = in.position();
        while (heard.hasRemaining() && in.hasRemaining()) {
            int at = heard.position();
            byte next = in.get();
            heard.put(next);
            if (at < MAGIC.length && next != MAGIC[at]) {
                throw new MalformedMessageException("expected a Lockstep server, found " + show(in, start));
            }
        }
        if (heard.hasRemaining()) {
            return false;
        }
        int version = heard.getInt(MAGIC.length);
        if (version != VERSION) {
            throw new MalformedMessageException("expected version " + VERSION + " of the protocol, found "
                    + Integer.toUnsignedString(version) + ": update the older server");
        }
        return true;
    }

    /** Returns how many bytes of the greeting have come. */
    int heardBytes() {
        return heard.position();
    }

    private static String show(ByteBuffer in, int start) {
        byte[] bytes = new byte[Math.min(in.limit() - start, SHOWN_BYTES)];
        in.get(start, bytes);
        String more = in.limit() - start > bytes.length ? "…" : "";
        String line = new String(bytes, StandardCharsets.ISO_8859_1)
                .lines()
                .findFirst()
                .orElse("");
        if (!line.isEmpty() && line.chars().allMatch(c -> c >= ' ' && c <= '~')) {
            return '"' + line + '"' + more;
        }
        return "bytes " + HexFormat.of().formatHex(bytes) + more;
    }
}
