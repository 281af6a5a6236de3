package lockstep.transport.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import java.nio.charset.StandardCharsets;
import lockstep.transport.api.MalformedMessageException;

/**
 * What both sides say first, the connecting one before the other.
 *
 * <pre>
 *   0                           8              12
 *   +---------------------------+--------------+
 *   | L O C K S T E P           | version      |
 *   +---------------------------+--------------+
 * </pre>
 *
 * <p>The version rises only when an older server could not make sense of what follows; what it can pass over does not count
 * (see {@link Word}).
 *
 * <p>Foreign bytes are known by the first that differs; nobody is waited for who will never say the right thing.
 */
final class Greeting {
    private static final byte[] MAGIC = "LOCKSTEP".getBytes(StandardCharsets.US_ASCII);
    private static final int VERSION = 2;
    private static final int VERSION_OFFSET = MAGIC.length;
    private static final int SHOWN_BYTES = 32;
    private static final String TLS = "\u0016\u0003";

    /** The size of a greeting. */
    static final int BYTES = VERSION_OFFSET + Integer.BYTES;

    private final byte[] heard = new byte[BYTES];
    private int heardBytes;

    static ByteBuf encode(ByteBufAllocator allocator) {
        return allocator.directBuffer(BYTES, BYTES).writeBytes(MAGIC).writeInt(VERSION);
    }

    /**
     * Takes the next bytes that came, as far as they belong to the greeting.
     *
     * @return whether the greeting is complete
     * @throws MalformedMessageException if this is no greeting, or that of another version; says what came
     */
    boolean hear(ByteBuf in) throws MalformedMessageException {
        int start = in.readerIndex();
        while (heardBytes < BYTES && in.isReadable()) {
            byte next = in.readByte();
            heard[heardBytes++] = next;
            if (heardBytes <= MAGIC.length && next != MAGIC[heardBytes - 1]) {
                in.readerIndex(start);
                throw new MalformedMessageException("expected a Lockstep server, found " + show(in));
            }
        }
        if (heardBytes < BYTES) {
            return false;
        }
        int version = 0;
        for (int i = VERSION_OFFSET; i < BYTES; i++) {
            version = (version << Byte.SIZE) | (heard[i] & 0xFF);
        }
        if (version != VERSION) {
            throw new MalformedMessageException("expected version " + VERSION + " of the protocol, found "
                    + Integer.toUnsignedString(version) + ": update the older server");
        }
        return true;
    }

    /** Returns how many bytes of the greeting have come. */
    int heardBytes() {
        return heardBytes;
    }

    private static String show(ByteBuf in) {
        int length = Math.min(in.readableBytes(), SHOWN_BYTES);
        String more = in.readableBytes() > length ? "…" : "";
        String text = in.toString(in.readerIndex(), length, StandardCharsets.ISO_8859_1);
        int lineEnd = text.indexOf('\r');
        String line = lineEnd < 0 ? text : text.substring(0, lineEnd);
        if (!line.isEmpty() && line.chars().allMatch(c -> c >= ' ' && c <= '~')) {
            return '"' + line + '"' + more;
        }
        return "bytes " + ByteBufUtil.hexDump(in, in.readerIndex(), length) + more
                + (text.startsWith(TLS) ? ": TLS, which is not spoken here (ssl = on)" : "");
    }
}
