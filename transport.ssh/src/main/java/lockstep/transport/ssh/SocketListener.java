package lockstep.transport.ssh;

import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.CountDownLatch;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.TransportException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Unix or loopback socket that an SSH server on this machine forwards to. A Unix socket is its owner's alone: whoever the SSH server lets in as another
 * user cannot open it.
 */
final class SocketListener implements Listener {
    private static final Logger log = LoggerFactory.getLogger(SocketListener.class);
    private static final long PAUSE_MS = 1_000;
    private static final String OWNER_ONLY = "rw-------";

    private final SshEndpoint at;
    private final Reception reception;
    private final Threads threads;
    private final ServerSocketChannel door;
    private final Endpoint endpoint;
    private final CountDownLatch left = new CountDownLatch(1);
    private int accepted;
    private volatile Thread accepting;
    private volatile boolean closed;

    /** Listens, and lets nobody in yet. */
    SocketListener(SshEndpoint at, Acceptor acceptor, int openMs, Threads threads) throws IOException {
        this.at = at;
        this.threads = threads;
        if (at.door() instanceof SshEndpoint.UnixSocket unix) {
            door = listen(unix.path());
            endpoint = at.endpoint();
        } else {
            SshEndpoint.Port port = (SshEndpoint.Port) at.door();
            door = listen(new InetSocketAddress(SshEndpoint.bare(port.host()), port.port()));
            endpoint = at.withPort(((InetSocketAddress) door.getLocalAddress()).getPort());
        }
        reception = new Reception(toString(), acceptor, openMs, threads);
    }

    private static ServerSocketChannel listen(Path path) throws IOException {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(path);
        if (Files.exists(path)) {
            try {
                SocketChannel.open(address).close();
                throw new BindException("somebody listens there already");
            } catch (BindException e) {
                throw e;
            } catch (IOException e) {
                // Left behind by a server that was killed; or no socket at all, which bind() will say.
                if (Files.isRegularFile(path) || Files.isDirectory(path)) {
                    throw new IOException(path + " is there, and is no socket", e);
                }
                Files.delete(path);
            }
        }
        ServerSocketChannel door = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        return bound(
                door, address, () -> Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(OWNER_ONLY)));
    }

    private static ServerSocketChannel listen(InetSocketAddress address) throws IOException {
        ServerSocketChannel door = ServerSocketChannel.open();
        door.setOption(StandardSocketOptions.SO_REUSEADDR, true);
        return bound(door, address, () -> {});
    }

    private interface Protection {
        void apply() throws IOException;
    }

    private static ServerSocketChannel bound(ServerSocketChannel door, SocketAddress address, Protection protection)
            throws IOException {
        boolean done = false;
        try {
            door.bind(address);
            protection.apply();
            done = true;
            return door;
        } finally {
            if (!done) {
                door.close();
            }
        }
    }

    /** Begins to let peers in. */
    SocketListener start() throws TransportException {
        try {
            threads.start("ssh-listener-" + name(), this::accept, this::close);
        } catch (TransportException e) {
            close();
            throw e;
        }
        return this;
    }

    private String name() {
        return at.door() instanceof SshEndpoint.UnixSocket unix
                ? unix.path().toString()
                : Integer.toString(((SshEndpoint.Port) at.door()).port());
    }

    private void accept() {
        accepting = Thread.currentThread();
        try {
            while (!closed) {
                try {
                    admit(door.accept());
                } catch (ClosedChannelException e) {
                    return;
                } catch (IOException e) {
                    log.warn("{} cannot accept connections; trying again in {} ms", this, PAUSE_MS, e);
                    pause();
                }
            }
        } finally {
            left.countDown();
        }
    }

    /** Mostly file descriptors are missing then. */
    private static void pause() {
        try {
            Thread.sleep(PAUSE_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void admit(SocketChannel connection) throws IOException {
        accepted++;
        String peer = at.door() instanceof SshEndpoint.UnixSocket unix
                ? unix.path() + "#" + accepted
                : text((InetSocketAddress) connection.getRemoteAddress());
        reception.admit(new SocketLink(connection, peer, threads), peer);
    }

    private static String text(InetSocketAddress address) {
        return address.getAddress().getHostAddress() + ":" + address.getPort();
    }

    @Override
    public Endpoint endpoint() {
        return endpoint;
    }

    @Override
    public void close() {
        closed = true;
        reception.close();
        try {
            if (door.isOpen()) {
                door.close();
                if (at.door() instanceof SshEndpoint.UnixSocket unix) {
                    Files.deleteIfExists(unix.path());
                }
            }
        } catch (IOException e) {
            log.warn("{} is closed, but something is left behind: {}", this, e.toString());
        }
        awaitLeft();
    }

    /** The address is free only when the thread that accepts has left it. */
    private void awaitLeft() {
        Thread thread = accepting;
        if (thread == null || thread == Thread.currentThread()) {
            return;
        }
        try {
            left.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public String toString() {
        return "listener on " + endpoint;
    }
}
