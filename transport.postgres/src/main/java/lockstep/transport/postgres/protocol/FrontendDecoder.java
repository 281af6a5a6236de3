package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import java.util.List;
import lockstep.transport.api.MalformedMessageException;
import lockstep.transport.postgres.protocol.StartupPacket.Startup;

/** Reads what a client says: {@link StartupPacket}s up to a {@link Startup}, and {@link FrontendMessage}s from then on. */
public final class FrontendDecoder extends PacketDecoder {
    private boolean started;

    /** @param maxBodyBytes the longest body of a message that is believed */
    public FrontendDecoder(int maxBodyBytes) {
        super(maxBodyBytes);
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> out) throws MalformedMessageException {
        if (started) {
            message(in, out);
        } else {
            startupPacket(in, out);
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

    @Override
    FrontendMessage decode(byte type, ByteBuf body) throws MalformedMessageException {
        return FrontendMessage.decode(type, body);
    }
}
