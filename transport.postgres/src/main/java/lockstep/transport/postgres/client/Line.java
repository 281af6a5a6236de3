package lockstep.transport.postgres.client;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.NetUtil;
import io.netty.util.concurrent.Future;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;
import java.nio.channels.SocketChannel;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLPeerUnverifiedException;
import lockstep.transport.postgres.client.Conninfo.Host;

/**
 * A socket that blocks, in clear at first, perhaps under TLS later. One thread reads and one at a time writes; any may close it, which
 * ends what blocks.
 *
 * <p>TLS is Netty's, in a channel without a socket of its own: what comes out of it at one end goes into the socket, and the other
 * way round. A lock is held while that is done, not while a read waits.
 */
final class Line {
    private static final int ENCRYPTED_BYTES = 1 << 20;

    private final SocketChannel channel;
    private volatile String address = "";

    /** Guards TLS while anything passes through it. */
    private final Object passing = new Object();

    /** Null in clear. Set before anything is read or written by another thread than the first. */
    private EmbeddedChannel tls;

    /** What has come last from the socket, for TLS; null in clear. */
    private ByteBuf encrypted;

    /** Opens a socket that is connected to nobody yet. */
    Line() throws IOException {
        channel = SocketChannel.open();
    }

    /** Looks the name up, which is not bounded, and connects. */
    void connect(Host host, int timeoutMs) throws IOException {
        InetSocketAddress remote;
        try {
            remote = new InetSocketAddress(InetAddress.getByName(host.name()), host.port());
        } catch (UnknownHostException e) {
            throw new IOException("unknown host", e);
        }
        channel.socket().connect(remote, timeoutMs);
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        address = NetUtil.toSocketAddressString(remote);
    }

    /** Has all that follows go through TLS. */
    void encrypt(SslContext context, Host host) throws IOException {
        SslHandler handler = context.newHandler(ByteBufAllocator.DEFAULT, host.name(), host.port());
        encrypted = Unpooled.directBuffer(ENCRYPTED_BYTES);
        handler.setHandshakeTimeoutMillis(0); // who waits for it closes the line
        tls = new EmbeddedChannel(handler);
        Future<Channel> handshake = handler.handshakeFuture();
        synchronized (passing) {
            sendEncrypted();
        }
        while (!handshake.isDone()) {
            if (!readEncrypted(Unpooled.EMPTY_BUFFER)) {
                throw new EOFException("the server closed the connection");
            }
        }
        if (!handshake.isSuccess()) {
            throw new IOException(handshake.cause());
        }
    }

    /** Returns the server's; null if it has shown none. */
    X509Certificate certificate() {
        try {
            return tls == null
                    ? null
                    : (X509Certificate) tls.pipeline()
                            .get(SslHandler.class)
                            .engine()
                            .getSession()
                            .getPeerCertificates()[0];
        } catch (SSLPeerUnverifiedException e) {
            return null;
        }
    }

    /**
     * Reads what has come; waits for it if nothing has.
     *
     * @return false at the end
     */
    boolean read(ByteBuf in) throws IOException {
        if (tls == null) {
            return in.writeBytes(channel, in.writableBytes()) >= 0;
        }
        int before = in.readableBytes();
        boolean more = true;
        // What has come may be a part of a record only, or no more than TLS has to say itself.
        while (more && in.readableBytes() == before) {
            more = readEncrypted(in);
        }
        return in.readableBytes() > before;
    }

    /** Reads what has come, and gives what is whole of it; returns false at the end. */
    private boolean readEncrypted(ByteBuf in) throws IOException {
        if (encrypted.refCnt() > 1) {
            // TLS keeps the beginning of a record in it.
            encrypted.release();
            encrypted = Unpooled.directBuffer(ENCRYPTED_BYTES);
        }
        if (encrypted.clear().writeBytes(channel, encrypted.writableBytes()) < 0) {
            return false;
        }
        synchronized (passing) {
            try {
                tls.writeInbound(encrypted.retain());
            } catch (DecoderException e) {
                throw e.getCause() instanceof IOException found ? found : new IOException(e);
            } finally {
                for (ByteBuf clear = tls.readInbound(); clear != null; clear = tls.readInbound()) {
                    in.writeBytes(clear);
                    clear.release();
                }
                sendEncrypted();
            }
            return tls.isOpen();
        }
    }

    /** Writes all. */
    void write(ByteBuf out) throws IOException {
        if (tls == null) {
            writeToSocket(out);
            return;
        }
        synchronized (passing) {
            tls.writeOutbound(Unpooled.copiedBuffer(out));
            sendEncrypted();
        }
    }

    private void sendEncrypted() throws IOException {
        for (ByteBuf out = tls.readOutbound(); out != null; out = tls.readOutbound()) {
            try {
                writeToSocket(out);
            } finally {
                out.release();
            }
        }
    }

    private void writeToSocket(ByteBuf bytes) throws IOException {
        while (bytes.isReadable()) {
            bytes.readBytes(channel, bytes.readableBytes());
        }
    }

    /** Returns where the server is, for people; empty if it has not been reached. */
    String address() {
        return address;
    }

    void close() throws IOException {
        channel.close();
    }

    /** Closes, and gives up what TLS holds. The last call on the thread that reads. */
    void end() throws IOException {
        close();
        if (tls != null) {
            synchronized (passing) {
                tls.finishAndReleaseAll();
            }
            encrypted.release();
        }
    }
}
