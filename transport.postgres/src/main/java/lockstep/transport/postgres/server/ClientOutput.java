package lockstep.transport.postgres.server;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.NetUtil;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import lockstep.transport.postgres.protocol.BackendMessage;
import lockstep.transport.postgres.protocol.BackendMessage.ErrorResponse;
import lockstep.transport.postgres.protocol.BackendMessage.ReadyForQuery;
import lockstep.transport.postgres.protocol.ReplicationMessage;
import lockstep.transport.postgres.protocol.ReplicationMessage.WalPiece;
import lockstep.transport.postgres.protocol.Report;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a client is told, up to the last word. A connection ends in one of two ways, and this knows why it did: without a
 * word, or with a last message, after which it is still read for a while and nothing is heard: to close a socket with
 * unread bytes would make TCP throw away what is on its way to the client.
 *
 * <p><b>Threads.</b> Any may write; the rest belongs to the connection's.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what fails on a channel closes it, and that is heard
final class ClientOutput {
    private static final Logger log = LoggerFactory.getLogger(ClientOutput.class);
    private static final long LAST_WORDS_MS = 1_000;

    private final Channel channel;
    private final String address;
    private String cause;

    ClientOutput(Channel channel) {
        this.channel = channel;
        address = NetUtil.toSocketAddressString((InetSocketAddress) channel.remoteAddress());
    }

    /** Returns where the client is, for people. */
    String address() {
        return address;
    }

    void write(BackendMessage message) {
        channel.writeAndFlush(encoded(message::encode));
    }

    void write(ReplicationMessage message) {
        channel.writeAndFlush(encoded(message::encode));
    }

    private ByteBuf encoded(Consumer<ByteBuf> message) {
        ByteBuf out = channel.alloc().directBuffer();
        message.accept(out);
        return out;
    }

    /** Writes WAL, which goes out with the next {@link #flush}. */
    void writeLater(WalPiece piece, int walBytes) {
        int bytes = WalPiece.OVERHEAD_BYTES + walBytes;
        ByteBuf out = channel.alloc().directBuffer(bytes, bytes);
        piece.encode(out);
        channel.write(out);
    }

    void flush() {
        channel.flush();
    }

    /** Returns whether more can be written without waiting in memory. */
    boolean isWritable() {
        return channel.isWritable();
    }

    /** Writes a whole answer, and that the next command may come. */
    void answer(List<BackendMessage> messages) {
        messages.forEach(this::write);
        write(new ReadyForQuery());
    }

    /** Runs something on the connection's thread, unless that has ended. */
    void onLoop(Runnable task) {
        try {
            channel.eventLoop().execute(task);
        } catch (RejectedExecutionException e) {
            log.debug("connection of {} has ended already", address, e);
        }
    }

    /** Returns what encrypts the connection; null if nothing does. */
    SslHandler tls() {
        return channel.pipeline().get(SslHandler.class);
    }

    /** Returns why the connection ends; null while it does not. */
    String cause() {
        return cause;
    }

    /** Ends the connection with an error. */
    void fatal(Report report) {
        last(new ErrorResponse(report), report.message());
    }

    /** Ends the connection with a message. */
    void last(BackendMessage message, String why) {
        if (cause != null) {
            return;
        }
        cause = why;
        SslHandler encrypted = tls();
        channel.writeAndFlush(encoded(message::encode)).addListener(sent -> {
            if (encrypted == null) {
                ((DuplexChannel) channel).shutdownOutput();
            } else {
                encrypted.closeOutbound();
            }
        });
        channel.eventLoop().schedule(() -> channel.close(), LAST_WORDS_MS, TimeUnit.MILLISECONDS);
    }

    /** Ends the connection without a word. */
    void end(String why) {
        cause = cause == null ? why : cause;
        channel.close();
    }
}
