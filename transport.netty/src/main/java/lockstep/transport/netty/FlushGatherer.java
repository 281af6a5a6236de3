package lockstep.transport.netty;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.SingleThreadIoEventLoop;

/** Flushes at once, or, when other threads have more to send already, once for all of it. For a connection with a thread of its own. */
public final class FlushGatherer extends ChannelOutboundHandlerAdapter {
    private boolean later;

    @Override
    public void flush(ChannelHandlerContext ctx) {
        if (((SingleThreadIoEventLoop) ctx.channel().eventLoop()).pendingTasks() == 0) {
            ctx.flush();
        } else if (!later) {
            later = true;
            ctx.channel().eventLoop().execute(() -> {
                later = false;
                ctx.flush();
            });
        }
    }
}
