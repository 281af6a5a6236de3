package lockstep.transport.tcp;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.SslHandler;
import java.util.function.Supplier;

/**
 * Stands before a session of a listener with TLS until the first byte. One who begins without TLS is let through to the
 * handshake, which refuses in words; TLS itself could only hang up.
 */
final class TlsDoor extends ChannelInboundHandlerAdapter {
    private static final int HANDSHAKE_RECORD = 22;

    private final Supplier<SslHandler> tls;

    TlsDoor(Supplier<SslHandler> tls) {
        this.tls = tls;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        ByteBuf in = (ByteBuf) message;
        if (in.isReadable() && in.getByte(in.readerIndex()) == HANDSHAKE_RECORD) {
            ctx.pipeline().replace(this, "tls", tls.get());
        } else {
            ctx.pipeline().remove(this);
        }
        ctx.channel().pipeline().fireChannelRead(message);
    }
}
