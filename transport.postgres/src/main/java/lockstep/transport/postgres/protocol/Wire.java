package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import lockstep.transport.api.MalformedMessageException;

/** The pieces that messages are made of. */
final class Wire {
    /** The bytes before a body: its type and its length. */
    static final int HEADER_BYTES = Byte.BYTES + Integer.BYTES;

    private Wire() {}

    /** Writes a message: its type, its length, and what {@code body} writes. */
    static void message(ByteBuf out, char type, Consumer<ByteBuf> body) {
        out.writeByte(type);
        packet(out, body);
    }

    /** Writes a length and what it counts. */
    static void packet(ByteBuf out, Consumer<ByteBuf> body) {
        int start = out.writerIndex();
        out.writeInt(0);
        body.accept(out);
        out.setInt(start, out.writerIndex() - start);
    }

    static void text(ByteBuf out, String text) {
        if (text.indexOf(0) >= 0) {
            throw new IllegalArgumentException("a text with a zero byte cannot be sent: " + text);
        }
        out.writeCharSequence(text, StandardCharsets.UTF_8);
        out.writeByte(0);
    }

    static String text(ByteBuf in) throws MalformedMessageException {
        int length = in.bytesBefore((byte) 0);
        if (length < 0) {
            throw new MalformedMessageException("a text without an end, in the last " + in.readableBytes()
                    + " bytes: expected a zero byte after it");
        }
        String text = in.readString(length, StandardCharsets.UTF_8);
        in.skipBytes(1);
        return text;
    }

    /** Checks that so many bytes are left. */
    static ByteBuf need(ByteBuf in, int bytes, String what) throws MalformedMessageException {
        if (bytes < 0 || in.readableBytes() < bytes) {
            throw new MalformedMessageException(
                    what + " has " + in.readableBytes() + " bytes left: expected " + bytes + " more");
        }
        return in;
    }

    /** Checks that nothing is left. */
    static <T> T whole(ByteBuf in, T message) throws MalformedMessageException {
        if (in.isReadable()) {
            throw new MalformedMessageException(
                    message.getClass().getSimpleName() + " has " + in.readableBytes() + " bytes more than it should");
        }
        return message;
    }

    /** Names a message's type for people. */
    static String show(byte type) {
        return type > ' ' && type <= '~' ? "'" + (char) type + "'" : "0x" + Integer.toHexString(type & 0xFF);
    }
}
