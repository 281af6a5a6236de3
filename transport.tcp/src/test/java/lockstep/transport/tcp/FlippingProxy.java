package lockstep.transport.tcp;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.CompletableFuture;

/** Stands between two ends of one connection, and flips a bit on the way to the server. */
final class FlippingProxy implements AutoCloseable {
    private final ServerSocket door = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    private final CompletableFuture<Void> done;
    private volatile Socket near;
    private volatile Socket far;

    /** @param flipAt which byte of the stream to the server is damaged */
    FlippingProxy(int serverPort, int flipAt) throws IOException {
        done = CompletableFuture.runAsync(
                () -> {
                    try {
                        near = door.accept();
                        far = new Socket(InetAddress.getLoopbackAddress(), serverPort);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                    var back = CompletableFuture.runAsync(() -> pump(far, near, -1), FlippingProxy::start);
                    pump(near, far, flipAt);
                    back.join();
                },
                FlippingProxy::start);
    }

    private static void start(Runnable task) {
        new Thread(task, "flipping-proxy").start();
    }

    int port() {
        return door.getLocalPort();
    }

    private static void pump(Socket from, Socket to, long flipAt) {
        byte[] buffer = new byte[4096];
        long passed = 0;
        try (from;
                to;
                InputStream in = from.getInputStream();
                OutputStream out = to.getOutputStream()) {
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                if (flipAt >= passed && flipAt < passed + read) {
                    buffer[(int) (flipAt - passed)] ^= 0x10;
                }
                passed += read;
                out.write(buffer, 0, read);
            }
        } catch (IOException e) {
            // One end has closed: closing both is all that is left to do.
        }
    }

    @Override
    public void close() throws IOException {
        door.close();
        if (near != null) {
            near.close();
        }
        if (far != null) {
            far.close();
        }
        done.join();
    }
}
