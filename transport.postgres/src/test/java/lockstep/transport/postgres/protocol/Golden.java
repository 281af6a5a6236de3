package lockstep.transport.postgres.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;

/** Bytes as they are on the wire, written in hexadecimal with spaces and texts in quotes. */
final class Golden {
    private Golden() {}

    /** Reads {@code 52 00000008 "text" 00}. */
    static ByteBuf bytes(String picture) {
        ByteBuf bytes = Unpooled.buffer();
        int at = 0;
        while (at < picture.length()) {
            char c = picture.charAt(at);
            if (c == ' ' || c == '\n') {
                at++;
            } else if (c == '"') {
                int end = picture.indexOf('"', at + 1);
                bytes.writeBytes(picture.substring(at + 1, end).getBytes(StandardCharsets.UTF_8));
                at = end + 1;
            } else {
                bytes.writeBytes(ByteBufUtil.decodeHexDump(picture, at, 2));
                at += 2;
            }
        }
        return bytes;
    }

    static void assertWrites(String picture, Consumer<ByteBuf> encode) {
        ByteBuf written = Unpooled.buffer();
        encode.accept(written);
        assertEquals(ByteBufUtil.hexDump(bytes(picture)), ByteBufUtil.hexDump(written));
    }

    /** Returns what a decoder makes of bytes that come one by one, the worst way they can be cut. */
    static Object trickle(ByteToMessageDecoder decoder, ByteBuf bytes) {
        EmbeddedChannel channel = new EmbeddedChannel(decoder);
        while (bytes.readableBytes() > 1) {
            channel.writeInbound(bytes.readBytes(1));
            assertNull(channel.readInbound(), "a message before its end");
        }
        channel.writeInbound(bytes.readBytes(1));
        Object message = channel.readInbound();
        assertNull(channel.readInbound(), "a second message");
        return message;
    }
}
