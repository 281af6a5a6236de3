package lockstep.server;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The network between a standby and its primary, which flips a bit, stalls or breaks when told to. Each connection has two threads, one
 * for each direction, which end with it.
 */
final class TcpProxy implements AutoCloseable {
    private static final int LARGE_BYTES = 1000;
    private static final int BUFFER_BYTES = 64 << 10;

    private final ServerSocket server = listen();
    private final int primaryPort;
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean flip = new AtomicBoolean();
    private final AtomicLong bytesToStall = new AtomicLong(Long.MAX_VALUE);
    private final CountDownLatch closed = new CountDownLatch(1);

    /** Begins to pass on what comes. */
    TcpProxy(int primaryPort) {
        this.primaryPort = primaryPort;
        new Thread(this::accept, "proxy").start();
    }

    private static ServerSocket listen() {
        try {
            return new ServerSocket(0, 0, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    int port() {
        return server.getLocalPort();
    }

    /** Flips a bit in the middle of the next piece of at least {@value #LARGE_BYTES} bytes that the primary sends. */
    void flipABit() {
        flip.set(true);
    }

    /** Breaks all connections. */
    void cut() {
        for (Socket socket : sockets) {
            try {
                socket.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Passes on so many bytes more of what the primary sends, and then no more; nobody is told. */
    void stallAfter(long bytes) {
        bytesToStall.set(bytes);
    }

    /** Whether it stalls. */
    boolean hasStalled() {
        return bytesToStall.get() < 0;
    }

    private void accept() {
        try {
            while (true) {
                Socket standby = server.accept();
                sockets.add(standby);
                try {
                    Socket primary = new Socket(InetAddress.getLoopbackAddress(), primaryPort);
                    sockets.add(primary);
                    new Thread(() -> pass(standby, primary, false), "to-primary").start();
                    new Thread(() -> pass(primary, standby, true), "to-standby").start();
                } catch (IOException e) {
                    standby.close();
                }
            }
        } catch (IOException e) {
            // It has been closed.
        }
    }

    private void pass(Socket from, Socket to, boolean isFromPrimary) {
        byte[] bytes = new byte[BUFFER_BYTES];
        try (from;
                to;
                InputStream in = from.getInputStream();
                OutputStream out = to.getOutputStream()) {
            for (int length = in.read(bytes); length > 0; length = in.read(bytes)) {
                if (isFromPrimary && length >= LARGE_BYTES && flip.compareAndSet(true, false)) {
                    bytes[length / 2] ^= 1;
                }
                if (isFromPrimary && bytesToStall.addAndGet(-length) < 0) {
                    closed.await();
                    return;
                }
                out.write(bytes, 0, length);
            }
        } catch (IOException e) {
            // One of the two has left, and so the other is told.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            sockets.remove(from);
            sockets.remove(to);
        }
    }

    @Override
    public void close() {
        closed.countDown();
        try {
            server.close();
            cut();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
