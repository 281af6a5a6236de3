package lockstep.transport.unix;

import java.io.IOException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Peer;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.TransportException;

/** A door. Its thread accepts connections, gives each a session, and bounds how many may be there without a greeting. */
final class ChannelListener implements Listener {
    private static final System.Logger log = System.getLogger(ChannelListener.class.getName());
    private static final int MAX_GREETING = 64;
    private static final long PAUSE_MS = 1_000;

    private final UnixAddress address;
    private final Acceptor acceptor;
    private final Threads threads;
    private final ServerSocketChannel door;
    private final Endpoint endpoint;
    private final AtomicBoolean closed = new AtomicBoolean();
    private final CountDownLatch closing = new CountDownLatch(1);
    private final CountDownLatch left = new CountDownLatch(1);
    private final Semaphore greeting = new Semaphore(MAX_GREETING);
    private volatile boolean running;

    ChannelListener(UnixAddress address, Acceptor acceptor, Threads threads) throws TransportException {
        this.address = address;
        this.acceptor = acceptor;
        this.threads = threads;
        try {
            door = address.bind();
            endpoint = address.endpoint(door);
        } catch (IOException e) {
            throw new TransportException(
                    "cannot listen on " + UnixAddress.SCHEME + "://" + address + ": " + e.getMessage(), e);
        }
    }

    @Override
    public Endpoint endpoint() {
        return endpoint;
    }

    /** Closes the door. It is free for the next listener only when no thread waits at it any more. */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            closing.countDown();
            try (door) {
                address.unbind();
            } catch (IOException e) {
                log.log(System.Logger.Level.WARNING, this + " did not close in good order", e);
            }
        }
        try {
            if (running) {
                left.await();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Accepts until it is closed. */
    void run() {
        running = true;
        try {
            while (!closed.get()) {
                try {
                    serve(door.accept());
                } catch (IOException e) {
                    pause(e);
                }
            }
        } catch (InterruptedException e) {
            log.log(System.Logger.Level.WARNING, "{0} accepts no more: interrupted", this);
        } finally {
            left.countDown();
        }
    }

    /** Accepting failed, mostly for want of file descriptors: the next try comes a little later. */
    private void pause(IOException e) throws InterruptedException {
        if (!closed.get()) {
            log.log(System.Logger.Level.WARNING, this + " cannot accept connections; trying again soon", e);
        }
        if (closing.await(PAUSE_MS, TimeUnit.MILLISECONDS)) {
            log.log(System.Logger.Level.DEBUG, "{0} is closed", this);
        }
    }

    private void serve(SocketChannel connection) throws IOException {
        if (!greeting.tryAcquire()) {
            connection.close();
            return;
        }
        try {
            Peer peer = address.peer(connection);
            ChannelSession session = ChannelSession.accepted(connection, peer, new Arrival(peer));
            start(session, UnixAddress.SCHEME + "-session-" + peer.address());
        } catch (IOException | OutOfMemoryError e) {
            greeting.release();
            connection.close();
            if (!closed.get()) {
                log.log(System.Logger.Level.WARNING, this + " cannot serve a connection", e);
            }
        }
    }

    private void start(ChannelSession session, String name) throws IOException {
        boolean started = false;
        try {
            threads.start(name, session::run, () -> session.close(Threads.WITHDRAWN));
            started = true;
        } finally {
            if (!started) {
                session.abandon();
            }
        }
    }

    private final class Arrival implements ChannelSession.Opening {
        private final Peer peer;

        Arrival(Peer peer) {
            this.peer = peer;
        }

        @Override
        public SessionHandler opened(ChannelSession session) {
            greeting.release();
            return closed.get() ? null : acceptor.accept(session);
        }

        @Override
        public void failed(String why) {
            greeting.release();
            System.Logger.Level level = closed.get() ? System.Logger.Level.DEBUG : System.Logger.Level.WARNING;
            log.log(level, "{0} refused {1}: {2}", ChannelListener.this, peer.address(), why);
        }
    }

    @Override
    public String toString() {
        return "listener on " + endpoint;
    }
}
