package lockstep.transport.ssh;

import com.jcraft.jsch.Channel;
import com.jcraft.jsch.ChannelDirectStreamLocal;
import com.jcraft.jsch.ChannelDirectTCPIP;
import com.jcraft.jsch.ChannelSubsystem;
import com.jcraft.jsch.HostKey;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.JSchChangedHostKeyException;
import com.jcraft.jsch.JSchException;
import com.jcraft.jsch.JSchHostKeyException;
import com.jcraft.jsch.JSchUnknownHostKeyException;
import com.jcraft.jsch.Logger;
import com.jcraft.jsch.SocketFactory;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.IntFunction;
import lockstep.transport.api.Peer;

/**
 * A channel of JSch, in an SSH connection of its own.
 *
 * <p><b>What JSch makes necessary.</b>
 * <ul>
 *   <li>Its thread reads, decrypts and hands on, so that thread is the session's reader. {@code Session.disconnect}
 *       interrupts it, and an interrupt would close a file that a handler writes. So from elsewhere only the socket is
 *       closed; JSch's thread then finds that out by itself.
 *   <li>It must not ask for new keys while data flows in: the answer to data that arrives meanwhile, a larger window,
 *       would wait for the new keys on the very thread that is to receive them. So rekeying is left to the server, after
 *       whose request no data arrives; the servers do it by themselves ({@code RekeyLimit}).
 *   <li>Its keepalive rests on a time-out of the socket, which in the middle of a packet loses the beginning. So there is
 *       one here, on what {@link SshInput} tells.
 * </ul>
 *
 * <p><b>Window.</b> {@link #WINDOW_BYTES} may be on their way to us; JSch would allow 128 kB, which a fast or long line
 * drains faster than it can be widened.
 */
final class ClientLink implements Link {
    /** The subsystem that the embedded server has for us. */
    static final String SUBSYSTEM = "lockstep-wal";

    static final int WINDOW_BYTES = 4 << 20;
    private static final int PACKET_BYTES = 64 << 10;
    private static final int OPEN_PROHIBITED = 1;
    private static final int OPEN_CONNECT_FAILED = 2;

    private final SshEndpoint to;
    private final ClientSettings settings;
    private final Threads threads;
    private final Socket socket = new Socket();
    private final com.jcraft.jsch.Session ssh;
    private volatile SshInput input;
    private volatile boolean reading;
    private volatile Thread reader;
    private volatile Throwable failure;
    private OutputStream out;

    ClientLink(SshEndpoint to, ClientSettings settings, Threads threads) throws IOException {
        this.to = to;
        this.settings = settings;
        this.threads = threads;
        try {
            String user = to.user().isEmpty() ? System.getProperty("user.name") : to.user();
            ssh = new JSch().getSession(user, SshEndpoint.bare(to.host()), to.port());
        } catch (JSchException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    @Override
    public void open(SshSession session) throws IOException {
        Identities identities = Identities.read(settings);
        try {
            configure(session, identities);
            ssh.connect();
            HostKey key = ssh.getHostKey();
            session.meet(new Peer(to.host() + ":" + to.port(), key.getType() + " " + fingerprint(key), false));
            out = open(channel(), session);
            watch(session);
        } catch (JSchException e) {
            throw new IOException(why(e, identities), e);
        } finally {
            identities.removeAll();
        }
    }

    private void configure(SshSession session, Identities identities) throws JSchException {
        if (Files.isReadable(settings.knownHosts())) {
            JSch hosts = new JSch();
            hosts.setKnownHosts(settings.knownHosts().toString());
            ssh.setHostKeyRepository(hosts.getHostKeyRepository());
        }
        ssh.setIdentityRepository(identities);
        ssh.setConfig("StrictHostKeyChecking", "yes");
        ssh.setConfig("PreferredAuthentications", "publickey");
        ssh.setConfig("cipher.c2s", settings.ciphers());
        ssh.setConfig("cipher.s2c", settings.ciphers());
        String compression = settings.compression() ? "zlib@openssh.com,none" : "none";
        ssh.setConfig("compression.c2s", compression);
        ssh.setConfig("compression.s2c", compression);
        ssh.setLogger(new FailureKeeper());
        ssh.setThreadFactory(task -> {
            reading = true;
            return threads.library("ssh-reader-" + to.server()).newThread(() -> {
                reader = Thread.currentThread();
                try {
                    task.run();
                } finally {
                    Thread.interrupted(); // JSch interrupts itself at its end
                    session.end("connection to " + to.server() + " lost: " + failureText(), failure);
                }
            });
        });
        ssh.setSocketFactory(new Sockets(session::idle));
    }

    private Channel channel() throws JSchException {
        SshEndpoint.Door door = to.door();
        if (door instanceof SshEndpoint.UnixSocket unix) {
            ChannelDirectStreamLocal channel =
                    (ChannelDirectStreamLocal) ssh.openChannel("direct-streamlocal@openssh.com");
            channel.setSocketPath(unix.path().toString());
            return channel;
        } else if (door instanceof SshEndpoint.Port port) {
            ChannelDirectTCPIP channel = (ChannelDirectTCPIP) ssh.openChannel("direct-tcpip");
            channel.setHost(SshEndpoint.bare(port.host()));
            channel.setPort(port.port());
            return channel;
        }
        ChannelSubsystem channel = (ChannelSubsystem) ssh.openChannel("subsystem");
        channel.setSubsystem(SUBSYSTEM);
        return channel;
    }

    private OutputStream open(Channel channel, SshSession session) throws IOException {
        try {
            channel.setLocalWindowSizeMax(WINDOW_BYTES);
            channel.setLocalPacketSize(PACKET_BYTES);
            channel.setOutputStream(new ToSession(session));
            OutputStream toPeer = channel.getOutputStream();
            channel.connect(settings.openMs());
            return toPeer;
        } catch (JSchException e) {
            throw new IOException(refused(channel.getExitStatus(), e), e);
        }
    }

    private String refused(int code, JSchException e) {
        SshEndpoint.Door door = to.door();
        if (door instanceof SshEndpoint.Subsystem) {
            return "the SSH server has no subsystem " + SUBSYSTEM
                    + ": is it a Lockstep server? Through an ordinary SSH server, add the socket's path to the endpoint";
        }
        String inner = door instanceof SshEndpoint.UnixSocket unix
                ? unix.path().toString()
                : ((SshEndpoint.Port) door).host() + ":" + ((SshEndpoint.Port) door).port();
        return switch (code) {
            case OPEN_CONNECT_FAILED ->
                "the SSH server reaches nobody at " + inner
                        + ": is the primary running, does it listen there, and may the user open it?";
            case OPEN_PROHIBITED ->
                "the SSH server does not forward to " + inner
                        + ": nobody listens there, or its AllowTcpForwarding, AllowStreamLocalForwarding or PermitOpen"
                        + " forbids it";
            default -> "the SSH server did not forward to " + inner + ": " + e.getMessage();
        };
    }

    private String why(JSchException e, Identities identities) {
        if (e instanceof JSchUnknownHostKeyException) {
            return "the host key of " + to.host() + ", " + offered() + ", is not in " + settings.knownHosts()
                    + ": compare it with the server's own, and add it with: ssh-keyscan -p " + to.port() + " "
                    + SshEndpoint.bare(to.host()) + " >> " + settings.knownHosts();
        } else if (e instanceof JSchChangedHostKeyException) {
            return "the host key of " + to.host() + ", " + offered() + ", is another than in " + settings.knownHosts()
                    + ": somebody may stand between; if the server was set up anew, remove the old key with: ssh-keygen"
                    + " -f " + settings.knownHosts() + " -R [" + SshEndpoint.bare(to.host()) + "]:" + to.port();
        } else if (e instanceof JSchHostKeyException) {
            return "the host key of " + to.host() + " is refused: " + e.getMessage();
        } else if (String.valueOf(e.getMessage()).startsWith("Auth fail")) {
            return to.server() + " accepts none of the keys of " + identities
                    + ": is the public key in the user's authorized_keys?";
        } else if (e.getCause() instanceof ConnectException) {
            return "connection refused; is an SSH server running there?";
        }
        return String.valueOf(e.getMessage());
    }

    private String offered() {
        HostKey key = ssh.getHostKey();
        return key == null ? "unknown" : key.getType() + " " + fingerprint(key);
    }

    /** Returns a key's fingerprint as ssh-keygen shows it. */
    private static String fingerprint(HostKey key) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256")
                    .digest(Base64.getDecoder().decode(key.getKey()));
            return "SHA256:" + Base64.getEncoder().withoutPadding().encodeToString(hash);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }

    private void watch(SshSession session) {
        if (settings.aliveNanos() > 0) {
            ScheduledFuture<?> unused = threads.after(
                    Math.max(1, TimeUnit.NANOSECONDS.toMillis(settings.aliveNanos())), () -> look(session));
        }
    }

    private void look(SshSession session) {
        long allowed = settings.aliveNanos() * (settings.aliveCountMax() + 1L);
        if (socket.isClosed()) {
            return;
        }
        if (input.silentNanos() > allowed) {
            session.abort(
                    "no sign of life from " + to.server() + " for " + TimeUnit.NANOSECONDS.toMillis(allowed) + " ms",
                    null);
        } else {
            watch(session);
        }
    }

    @Override
    public long pingNanos() {
        return settings.aliveNanos() > 0 ? settings.aliveNanos() : Link.super.pingNanos();
    }

    @Override
    public void ping() throws IOException {
        if (input.silentNanos() > settings.aliveNanos() / 2) {
            try {
                ssh.sendKeepAliveMsg();
            } catch (Exception e) { // what JSch declares
                throw new IOException(e.getMessage(), e);
            }
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
        out.close();
    }

    @Override
    public void abort() {
        try {
            socket.close();
        } catch (IOException e) {
            // It is closed all the same.
        }
    }

    private String failureText() {
        Throwable found = failure;
        return found == null ? "the SSH server closed the connection" : String.valueOf(found.getMessage());
    }

    /** Where the decrypted stream goes. */
    private final class ToSession extends OutputStream {
        private final SshSession session;

        ToSession(SshSession session) {
            this.session = session;
        }

        @Override
        public void write(byte[] bytes, int offset, int length) {
            session.hear(ByteBuffer.wrap(bytes, offset, length));
        }

        @Override
        public void write(int b) {
            write(new byte[] {(byte) b}, 0, 1);
        }

        /** The reader has found the end: of the stream, or of the whole connection. A channel that never opened has none. */
        @Override
        public void close() {
            if (Thread.currentThread() == reader) {
                session.end(
                        failure == null ? null : "connection to " + to.server() + " lost: " + failureText(), failure);
            }
        }
    }

    /** Connects the one socket, which can be closed while it connects. */
    private final class Sockets implements SocketFactory {
        private final Runnable idle;

        Sockets(Runnable idle) {
            this.idle = idle;
        }

        @Override
        public Socket createSocket(String host, int port) throws IOException {
            InetSocketAddress address = new InetSocketAddress(host, port);
            if (address.isUnresolved()) {
                throw new IOException("unknown host " + host);
            }
            socket.connect(address, settings.openMs());
            return socket;
        }

        @Override
        public InputStream getInputStream(Socket connected) throws IOException {
            input = new SshInput(connected.getInputStream(), idle);
            return input;
        }

        @Override
        public OutputStream getOutputStream(Socket connected) throws IOException {
            return connected.getOutputStream();
        }
    }

    /** Keeps why JSch's thread ends, which JSch tells nobody else. */
    private final class FailureKeeper implements Logger {
        private final org.slf4j.Logger log = org.slf4j.LoggerFactory.getLogger(ClientLink.class);

        @Override
        public boolean isEnabled(int level) {
            return level >= INFO;
        }

        @Override
        public void log(int level, String message) {
            log.debug("{}: {}", to.server(), message);
        }

        @Override
        public void log(int level, String message, Throwable e) {
            if (e != null && failure == null) {
                failure = e;
            }
            log(level, message);
        }
    }
}
