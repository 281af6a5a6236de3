package lockstep.transport.postgres.client;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.JdkSslContext;
import io.netty.handler.ssl.SslContext;
import io.netty.util.NetUtil;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;
import java.nio.channels.SocketChannel;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSocket;
import lockstep.transport.postgres.client.Conninfo.Host;

/**
 * A socket that blocks, in clear at first, perhaps under TLS later. One thread reads and one at a time writes; any may close it, which
 * ends what blocks.
 */
final class Line {
    private final SocketChannel channel;
    private SSLSocket tls;

    /** Opens a socket that is connected to nobody yet. */
    Line() throws IOException {
        channel = SocketChannel.open();
    }

    void connect(Host host, int timeoutMs) throws IOException {
        InetAddress address;
        try {
            address = InetAddress.getByName(host.name());
        } catch (UnknownHostException e) {
            throw new IOException("unknown host", e);
        }
        channel.socket().connect(new InetSocketAddress(address, host.port()), timeoutMs);
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
    }

    /** Has all that follows go through TLS. */
    void encrypt(SslContext context, Host host) throws IOException {
        tls = (SSLSocket) ((JdkSslContext) context)
                .context()
                .getSocketFactory()
                .createSocket(channel.socket(), host.name(), host.port(), true);
        tls.setSSLParameters(context.newEngine(ByteBufAllocator.DEFAULT, host.name(), host.port())
                .getSSLParameters());
        tls.startHandshake();
    }

    /** Returns the server's; null if it has shown none. */
    X509Certificate certificate() {
        try {
            return tls == null ? null : (X509Certificate) tls.getSession().getPeerCertificates()[0];
        } catch (SSLPeerUnverifiedException e) {
            return null;
        }
    }

    /**
     * Reads what has come, as far as there is room; waits for it if nothing has.
     *
     * @return false at the end
     */
    boolean read(ByteBuf in) throws IOException {
        if (tls == null) {
            return in.writeBytes(channel, in.writableBytes()) >= 0;
        }
        InputStream clear = tls.getInputStream();
        InputStream encrypted = channel.socket().getInputStream();
        int before = in.readableBytes();
        boolean more = true;
        // A read brings one record of TLS at the most; all that have come are one batch.
        while (more) {
            more = in.writeBytes(clear, in.writableBytes()) >= 0 && in.isWritable() && encrypted.available() > 0;
        }
        return in.readableBytes() > before;
    }

    /** Writes all. */
    void write(ByteBuf out) throws IOException {
        while (out.isReadable()) {
            if (tls == null) {
                out.readBytes(channel, out.readableBytes());
            } else {
                out.readBytes(tls.getOutputStream(), out.readableBytes());
            }
        }
    }

    /** Returns where the server is, for people; empty if it has not been reached. */
    String address() {
        Socket socket = channel.socket();
        return socket.isConnected()
                ? NetUtil.toSocketAddressString((InetSocketAddress) socket.getRemoteSocketAddress())
                : "";
    }

    void close() throws IOException {
        channel.close();
    }
}
