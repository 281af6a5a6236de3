package lockstep.transport.netty;

import io.netty.channel.AdaptiveRecvByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;

/** How sockets are served: by Linux's epoll where Netty's native part is installed, otherwise by Java's NIO. */
public enum SocketIo {
    /** Linux's own. */
    EPOLL(EpollSocketChannel.class, EpollServerSocketChannel.class) {
        @Override
        IoHandlerFactory handlers() {
            return EpollIoHandler.newFactory();
        }
    },
    /** Java's. */
    NIO(NioSocketChannel.class, NioServerSocketChannel.class) {
        @Override
        IoHandlerFactory handlers() {
            return NioIoHandler.newFactory();
        }
    };

    private static final int MIN_READ_BYTES = 64 << 10;
    private static final int MAX_READ_BYTES = 1 << 20;

    /** The class of connections. */
    public final Class<? extends Channel> socket;
    /** The class of sockets that listen. */
    public final Class<? extends ServerChannel> serverSocket;

    SocketIo(Class<? extends Channel> socket, Class<? extends ServerChannel> serverSocket) {
        this.socket = socket;
        this.serverSocket = serverSocket;
    }

    /** Returns what an event loop is made with. */
    abstract IoHandlerFactory handlers();

    /**
     * Returns how much is read of a connection at once: all that has come of a group of commits, so that it is flushed and
     * acknowledged as a whole, and more where WAL comes without a pause. Each read is a batch, so that what it brought is on its way
     * to the disk while the next is read.
     */
    public static RecvByteBufAllocator reads() {
        return new AdaptiveRecvByteBufAllocator(MIN_READ_BYTES, MIN_READ_BYTES, MAX_READ_BYTES).maxMessagesPerRead(1);
    }

    /** Returns the better of those that are there. */
    public static SocketIo best() {
        return Epoll.isAvailable() ? EPOLL : NIO;
    }
}
