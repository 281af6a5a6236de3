package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.util.List;
import lockstep.transport.api.MalformedMessageException;

/**
 * Cuts the stream into messages. A length is believed only below a bound, before any room is made for what it promises.
 */
abstract class PacketDecoder extends ByteToMessageDecoder {
    private final int maxBodyBytes;

    PacketDecoder(int maxBodyBytes) {
        this.maxBodyBytes = maxBodyBytes;
    }

    /** Returns how many bytes have come that are no message yet. */
    public final int bufferedBytes() {
        return actualReadableBytes();
    }

    /** Reads a message with a type, if it is there. */
    final void message(ByteBuf in, List<Object> out) throws MalformedMessageException {
        if (in.readableBytes() < Wire.HEADER_BYTES) {
            return;
        }
        byte type = in.getByte(in.readerIndex());
        int length = in.getInt(in.readerIndex() + Byte.BYTES);
        if (length < Integer.BYTES || length - Integer.BYTES > maxBodyBytes) {
            throw new MalformedMessageException("message " + Wire.show(type) + " has a length of "
                    + Integer.toUnsignedString(length) + ": expected from " + Integer.BYTES + " to "
                    + (maxBodyBytes + Integer.BYTES));
        }
        if (in.readableBytes() < Byte.BYTES + length) {
            return;
        }
        in.skipBytes(Wire.HEADER_BYTES);
        out.add(decode(type, in.readSlice(length - Integer.BYTES)));
    }

    abstract Object decode(byte type, ByteBuf body) throws MalformedMessageException;

    /** What is cut off by the end of the stream is nothing. */
    @Override
    protected void decodeLast(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws Exception {
        if (in.isReadable()) {
            decode(ctx, in, out);
        }
    }
}
