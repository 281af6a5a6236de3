package lockstep.transport.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import lockstep.transport.api.MalformedMessageException;

/**
 * What the two sides say between the greeting and the first message.
 *
 * <pre>
 *   0             2        3         4
 *   +-------------+--------+---------+------------------------------------------------+
 *   | length      | kind   | values  | name length (1), name, value length (2), value |
 *   +-------------+--------+---------+------------------------------------------------+
 *                                      as often as values says; text is UTF-8
 * </pre>
 *
 * <p>Who does not know the name of a value passes over it, so that a newer server can say more to an older one. A word of a
 * kind that is not known ends the session.
 *
 * @param values in their order
 */
record Word(Kind kind, Map<String, String> values) {
    /** The most bytes after the length. What comes before a peer has proved who it is takes no more memory than this. */
    static final int MAX_BYTES = 4096;

    /** The value of HELLO and WELCOME that names a {@link Compression}. */
    static final String COMPRESSION = "compression";

    private static final int LENGTH_BYTES = 2;
    private static final int MAX_VALUES = 32;

    /** What is said, and by whom. */
    enum Kind {
        /** The connecting side: its {@code name}, and the {@code compression} it would like, if any. */
        HELLO(1),
        /** The other: prove it with a password, by one of the {@code mechanisms}. */
        AUTHENTICATE(2),
        /** The connecting side: the {@code mechanism} chosen, and SCRAM's first {@code data}. */
        RESPONSE(3),
        /** The other: SCRAM's {@code data}. */
        CHALLENGE(4),
        /** The connecting side: SCRAM's last {@code data}. */
        PROOF(5),
        /** The other: come in; with SCRAM's last {@code data} if there was a password, and the {@code compression} agreed on. */
        WELCOME(6),
        /** The other, and the last it says: no, with the {@code reason}. */
        REFUSED(7);

        private final int code;

        Kind(int code) {
            this.code = code;
        }

        private static Kind of(int code) throws MalformedMessageException {
            for (Kind kind : values()) {
                if (kind.code == code) {
                    return kind;
                }
            }
            throw new MalformedMessageException(
                    "expected a word of the handshake, found kind " + code + ": update the older server");
        }
    }

    /** A word without values. */
    Word(Kind kind) {
        this(kind, new LinkedHashMap<>());
    }

    Word with(String name, String value) {
        values.put(name, value);
        return this;
    }

    /** Returns a value; empty if it was not said. */
    String value(String name) {
        return values.getOrDefault(name, "");
    }

    ByteBuf encode(ByteBufAllocator allocator) {
        ByteBuf out = allocator.directBuffer(LENGTH_BYTES + MAX_BYTES, LENGTH_BYTES + MAX_BYTES);
        out.writeShort(0).writeByte(kind.code).writeByte(values.size());
        values.forEach((name, value) -> {
            out.writeByte(name.length());
            out.writeCharSequence(name, StandardCharsets.UTF_8);
            int lengthAt = out.writerIndex();
            out.writeShort(0);
            // A reason may be long, and is cut; all else is short.
            ByteBufUtil.writeUtf8(out, value.substring(0, Math.min(value.length(), MAX_BYTES / 4)));
            out.setShort(lengthAt, out.writerIndex() - lengthAt - LENGTH_BYTES);
        });
        return out.setShort(0, out.writerIndex() - LENGTH_BYTES);
    }

    /** Puts together the words that come. For one session, and its thread. */
    static final class Reader {
        private final byte[] heard = new byte[LENGTH_BYTES + MAX_BYTES];
        private int heardBytes;

        /**
         * Takes the next bytes that came, as far as they belong to the word that has begun.
         *
         * @return the word, if it is whole by now; otherwise null
         */
        Word hear(ByteBuf in) throws MalformedMessageException {
            while (in.isReadable()) {
                heard[heardBytes++] = in.readByte();
                if (heardBytes >= LENGTH_BYTES) {
                    int length = unsigned(0);
                    if (length > MAX_BYTES) {
                        throw new MalformedMessageException(
                                "expected at most " + MAX_BYTES + " bytes before the session is open, found " + length);
                    }
                    if (heardBytes == LENGTH_BYTES + length) {
                        heardBytes = 0;
                        return decode(LENGTH_BYTES + length);
                    }
                }
            }
            return null;
        }

        private Word decode(int end) throws MalformedMessageException {
            try {
                int at = LENGTH_BYTES;
                Word word = new Word(Kind.of(heard[at++]));
                int count = heard[at++];
                if (count < 0 || count > MAX_VALUES) {
                    throw new MalformedMessageException("expected at most " + MAX_VALUES + " values, found " + count);
                }
                for (int i = 0; i < count; i++) {
                    int nameBytes = Byte.toUnsignedInt(heard[at++]);
                    String name = text(at, nameBytes, end);
                    at += nameBytes;
                    int valueBytes = unsigned(at);
                    at += LENGTH_BYTES;
                    word.with(name, text(at, valueBytes, end));
                    at += valueBytes;
                }
                if (at == end) {
                    return word;
                }
            } catch (IndexOutOfBoundsException e) {
                // Told below: it is shorter than it says.
            }
            throw new MalformedMessageException("a word of the handshake has another length than its parts");
        }

        private int unsigned(int at) {
            return (Byte.toUnsignedInt(heard[at]) << Byte.SIZE) | Byte.toUnsignedInt(heard[at + 1]);
        }

        private String text(int at, int bytes, int end) {
            if (at + bytes > end) {
                throw new IndexOutOfBoundsException();
            }
            return new String(heard, at, bytes, StandardCharsets.UTF_8);
        }
    }

    /** Shows the kind only: values may be secret. */
    @Override
    public String toString() {
        return kind.name().toLowerCase(Locale.ROOT);
    }
}
