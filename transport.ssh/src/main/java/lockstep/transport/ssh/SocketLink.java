package lockstep.transport.ssh;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntFunction;
import jdk.net.ExtendedSocketOptions;
import lockstep.transport.api.Peer;
import lockstep.transport.api.TransportException;

/**
 * A Unix or loopback socket on which an SSH server on this machine passes on what it has decrypted. Of a Unix socket the
 * kernel says which user connected, and that is whom the SSH server has authenticated.
 */
final class SocketLink implements Link {
    private static final int READ_BYTES = 256 << 10;

    private final SocketChannel channel;
    private final String name;
    private final Threads threads;
    private volatile boolean reading;

    /** @param name what the connection is called, in threads and to the core */
    SocketLink(SocketChannel channel, String name, Threads threads) {
        this.channel = channel;
        this.name = name;
        this.threads = threads;
    }

    @Override
    public void open(SshSession session) throws IOException {
        String identity = "";
        if (channel.getRemoteAddress() instanceof InetSocketAddress) {
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        } else {
            identity =
                    channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user().getName();
        }
        session.meet(new Peer(
                name,
                identity,
                false,
                Optional.empty(),
                identity.isEmpty() ? Map.of() : Map.of(Peer.AUTHENTICATION, "user of the socket")));
        try {
            threads.start("ssh-reader-" + name, () -> read(session), this::abortNothing);
            reading = true;
        } catch (TransportException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    private void abortNothing() {
        // The session is told by itself.
    }

    private void read(SshSession session) {
        ByteBuffer in = ByteBuffer.allocateDirect(READ_BYTES);
        try {
            while (channel.read(in) >= 0) {
                session.hear(in.flip());
                session.idle();
                in.clear();
            }
            session.end(null, null);
        } catch (IOException e) {
            session.end("connection to " + name + " lost: " + e.getMessage(), e);
        }
    }

    @Override
    public boolean reading() {
        return reading;
    }

    @Override
    public IntFunction<ByteBuffer> memory() {
        return ByteBuffer::allocateDirect;
    }

    @Override
    public void write(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    @Override
    public void endOutput() throws IOException {
        channel.shutdownOutput();
    }

    @Override
    public void abort() {
        try {
            channel.close();
        } catch (IOException e) {
            // It is closed all the same.
        }
    }
}
