package lockstep.transport.tck;

import java.io.IOException;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Endpoint;

/**
 * A wire for transports on stream sockets, TCP or Unix: a door of its own, and for each connection that comes one to the
 * listener, with a thread for each direction. It knows nothing of what passes.
 *
 * <p><b>Lock.</b> {@code this} guards the faults and the list of connections; it is not held while bytes move.
 */
public final class StreamWire implements Wire {
    private static final int PIECE_BYTES = 16 << 10;
    private static final int HIT_BYTES = 50;
    private static final int BIT = 0x10;

    private final ServerSocketChannel door;
    private final SocketAddress server;
    private final Endpoint endpoint;
    private final List<SocketChannel> channels = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private Damage damage;
    private long unharmedBytes;
    private long delayMs;
    private boolean stalled;
    private boolean closed;

    /**
     * Takes over a door.
     *
     * @param door where clients come, bound
     * @param server where the listener is
     * @param endpoint how a client names the door
     */
    public StreamWire(ServerSocketChannel door, SocketAddress server, Endpoint endpoint) {
        this.door = door;
        this.server = server;
        this.endpoint = endpoint;
        start("wire-door", this::serve);
    }

    @Override
    public Endpoint endpoint() {
        return endpoint;
    }

    @Override
    public synchronized void damage(Damage kind, long afterBytes) {
        damage = kind;
        unharmedBytes = afterBytes;
    }

    @Override
    public synchronized void delay(long ms) {
        delayMs = ms;
    }

    @Override
    public synchronized void stall() {
        stalled = true;
    }

    @Override
    public synchronized void resume() {
        stalled = false;
        notifyAll();
    }

    @Override
    public void cut() {
        List<SocketChannel> all;
        synchronized (this) {
            all = List.copyOf(channels);
            channels.clear();
        }
        for (SocketChannel channel : all) {
            try (channel) {
                if (channel.supportedOptions().contains(StandardSocketOptions.SO_LINGER)) {
                    channel.setOption(StandardSocketOptions.SO_LINGER, 0); // a reset, not an end
                }
            } catch (IOException e) {
                // It had ended already.
            }
        }
    }

    @Override
    public void close() throws IOException {
        synchronized (this) {
            closed = true;
            resume();
        }
        door.close();
        cut();
        List<Thread> all;
        synchronized (this) {
            all = List.copyOf(threads);
        }
        try {
            for (Thread thread : all) {
                thread.join();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private synchronized void start(String name, Runnable task) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        threads.add(thread);
        thread.start();
    }

    private void serve() {
        try {
            while (true) {
                SocketChannel near = door.accept();
                SocketChannel far = SocketChannel.open(server);
                synchronized (this) {
                    channels.addAll(List.of(near, far));
                    if (closed) {
                        cut();
                        return;
                    }
                }
                start("wire-up", () -> pump(near, far, true));
                start("wire-down", () -> pump(far, near, false));
            }
        } catch (IOException e) {
            // The wire is taken away, or the listener is gone: nobody is served any more.
        }
    }

    private void pump(SocketChannel from, SocketChannel to, boolean up) {
        ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES);
        try {
            while (from.read(piece) >= 0) {
                piece.flip();
                await();
                Optional<Damage> hit = up ? hit(piece.remaining()) : Optional.empty();
                if (hit.isPresent()) {
                    harm(hit.get(), piece, to);
                }
                write(piece, to);
                piece.clear();
            }
            to.shutdownOutput();
        } catch (IOException e) {
            close(from);
            close(to);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void await() throws InterruptedException {
        long ms;
        synchronized (this) {
            while (stalled) {
                wait();
            }
            ms = delayMs;
        }
        TimeUnit.MILLISECONDS.sleep(ms);
    }

    private synchronized Optional<Damage> hit(int bytes) {
        if (damage == null) {
            return Optional.empty();
        }
        if (unharmedBytes >= bytes) {
            unharmedBytes -= bytes;
            return Optional.empty();
        }
        Optional<Damage> hit = Optional.of(damage);
        damage = null;
        return hit;
    }

    private void harm(Damage kind, ByteBuffer piece, SocketChannel to) throws IOException {
        int at = piece.position() + (int) unharmed();
        int end = Math.min(piece.limit(), at + HIT_BYTES);
        switch (kind) {
            case FLIP -> piece.put(at, (byte) (piece.get(at) ^ BIT));
            case DROP -> {
                write(piece.duplicate().limit(at), to);
                piece.position(end);
            }
            case DUPLICATE -> {
                write(piece.duplicate().limit(end), to);
                piece.position(at);
            }
        }
    }

    private synchronized long unharmed() {
        return unharmedBytes;
    }

    private static void write(ByteBuffer bytes, SocketChannel to) throws IOException {
        while (bytes.hasRemaining()) {
            to.write(bytes);
        }
    }

    private static void close(SocketChannel channel) {
        try {
            channel.close();
        } catch (IOException e) {
            // Then it is closed.
        }
    }
}
