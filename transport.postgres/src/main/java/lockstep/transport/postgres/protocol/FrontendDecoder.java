package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.util.List;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.postgres.protocol.StartupPacket.Startup;

/** Reads what a client says: {@link StartupPacket}s up to a {@link Startup}, and {@link FrontendMessage}s from then on. */
public final class FrontendDecoder extends ByteToMessageDecoder {
    private final int maxBodyBytes;
    private boolean started;

    /** @param maxBodyBytes the longest body of a message that is believed */
    public FrontendDecoder(int maxBodyBytes) {
        this.maxBodyBytes = maxBodyBytes;
    }

    /** Returns how many bytes have come that are no message yet. */
    public int bufferedBytes() {
        return actualReadableBytes();
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws MalformedMessageException {
        if (!started) {
            startupPacket(in, out);
            return;
        }
        Packet packet = Packet.cut(in, maxBodyBytes);
        if (packet != null) {
            out.add(FrontendMessage.decode(packet.type(), packet.body()));
        }
    }

    /** What is cut off by the end of the stream is nothing. */
    @Override
    protected void decodeLast(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws Exception {
        if (in.isReadable()) {
            decode(ctx, in, out);
        }
    }

    private void startupPacket(ByteBuf in, List<Object> out) throws MalformedMessageException {
        if (in.readableBytes() < Integer.BYTES) {
            return;
        }
        int length = in.getInt(in.readerIndex());
        if (length < 2 * Integer.BYTES || length > StartupPacket.MAX_BYTES) {
            throw new MalformedMessageException("expected a PostgreSQL client, whose first packet has a length of "
                    + 2 * Integer.BYTES + " to " + StartupPacket.MAX_BYTES + ", found "
                    + Integer.toUnsignedString(length));
        }
        if (in.readableBytes() < length) {
            return;
        }
        in.skipBytes(Integer.BYTES);
        StartupPacket packet = StartupPacket.decode(in.readSlice(length - Integer.BYTES));
        started = packet instanceof Startup;
        out.add(packet);
    }
}
