package lockstep.transport.ssh;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.function.IntFunction;
import lockstep.transport.api.Peer;
import org.apache.sshd.common.future.CloseFuture;

/** A channel of the embedded server. MINA's threads serve the SSH connection, whatever the session's handler does. */
final class ChannelLink implements Link {
    private static final int READ_BYTES = 64 << 10;

    private final WalChannel channel;
    private final InputStream in;
    private final OutputStream out;
    private final Peer peer;
    private final Threads threads;
    private volatile boolean reading;

    ChannelLink(WalChannel channel, InputStream in, OutputStream out, Peer peer, Threads threads) {
        this.channel = channel;
        this.in = in;
        this.out = out;
        this.peer = peer;
        this.threads = threads;
    }

    @Override
    public void open(SshSession session) throws IOException {
        session.meet(peer);
        threads.start("ssh-reader-" + peer.address(), () -> read(session), () -> {});
        reading = true;
    }

    private void read(SshSession session) {
        byte[] bytes = new byte[READ_BYTES];
        try {
            int count = in.read(bytes);
            while (count >= 0) {
                session.hear(ByteBuffer.wrap(bytes, 0, count));
                if (in.available() == 0) {
                    session.idle();
                }
                count = in.read(bytes);
            }
            session.end(null, null);
        } catch (IOException e) {
            session.end("connection to " + peer.address() + " lost: " + e.getMessage(), e);
        }
    }

    @Override
    public boolean reading() {
        return reading;
    }

    @Override
    public IntFunction<ByteBuffer> memory() {
        return ByteBuffer::allocate;
    }

    @Override
    public void write(ByteBuffer bytes) throws IOException {
        out.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
        out.flush();
        bytes.position(bytes.limit());
    }

    @Override
    public void endOutput() throws IOException {
        channel.endOutput();
    }

    @Override
    public void abort() {
        CloseFuture unused = channel.getSession().close(true);
    }
}
