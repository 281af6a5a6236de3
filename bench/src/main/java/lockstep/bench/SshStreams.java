package lockstep.bench;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Listener;
import lockstep.transport.api.Message;
import lockstep.transport.api.MessageCodec;
import lockstep.transport.api.Session;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.ssh.SshConfiguration;
import lockstep.transport.ssh.SshTransport;

/**
 * A stream of WAL through one SSH server of this machine: by {@code transport.ssh}, and as the same bytes by the tunnel of
 * the {@code ssh} command, where they are only read, not checked.
 */
final class SshStreams implements AutoCloseable {
    private static final String SSHD = "/usr/sbin/sshd";
    private static final int PIECE_BYTES = 128 << 10;
    private static final byte[] GREETING = {'L', 'O', 'C', 'K', 'S', 'T', 'E', 'P', 0, 0, 0, 1};
    private static final int READ_BYTES = 256 << 10;

    private final Path directory;
    private final long bytes;
    private final int port;
    private final Process sshd;
    private final SshTransport primary;
    private final SshTransport standby;
    private final Listener forwarded;
    private final Listener embedded;

    /**
     * Starts an SSH server, and what listens behind it and beside it.
     *
     * @param bytes how much is streamed for each figure
     */
    SshStreams(Path directory, long bytes) throws IOException, InterruptedException {
        this.directory = directory;
        this.bytes = bytes;
        port = Servers.freePort();
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file("sshd_key"));
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file("id"));
        Files.createDirectories(directory.resolve("ssh"));
        Files.copy(directory.resolve("id.pub"), directory.resolve("ssh/authorized_keys"));
        if (user().equals("root")) {
            Files.createDirectories(Path.of("/run/sshd"));
        }
        Files.write(
                directory.resolve("sshd_config"),
                List.of(
                        "Port " + port,
                        "ListenAddress 127.0.0.1",
                        "HostKey " + file("sshd_key"),
                        "AuthorizedKeysFile " + file("id.pub"),
                        "PidFile none",
                        "StrictModes no",
                        "UsePAM no",
                        "PermitRootLogin prohibit-password"));
        sshd = new ProcessBuilder(SSHD, "-D", "-e", "-f", file("sshd_config"))
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("sshd.log").toFile())
                .start();
        Servers.await(() -> answers(port), "sshd to listen");
        SshConfiguration settings = settings();
        primary = new SshTransport(() -> directory, settings);
        standby = new SshTransport(() -> directory, settings);
        forwarded =
                primary.listen(Endpoint.parse("ssh:///?forward=127.0.0.1:0"), session -> new Sender(session, bytes));
        embedded = primary.listen(Endpoint.parse("ssh://127.0.0.1:0"), session -> new Sender(session, bytes));
        Files.writeString(
                directory.resolve("known_hosts"),
                known(port, "sshd_key.pub") + known(embedded.endpoint().uri().getPort(), "ssh/host_key.pub"));
    }

    private String known(int atPort, String publicKey) throws IOException {
        String[] key = Files.readString(directory.resolve(publicKey)).split(" ", 3);
        return "[127.0.0.1]:" + atPort + " " + key[0] + " " + key[1] + "\n";
    }

    private String file(String name) {
        return directory.resolve(name).toString();
    }

    private static String user() {
        return System.getProperty("user.name");
    }

    private static SshConfiguration settings() {
        Map<String, Object> own =
                Map.of("identityFile", "id", "identityAgent", "none", "knownHostsFile", "known_hosts");
        return (SshConfiguration) Proxy.newProxyInstance(
                SshConfiguration.class.getClassLoader(),
                new Class<?>[] {SshConfiguration.class},
                (proxy, method, arguments) -> own.getOrDefault(method.getName(), method.getDefaultValue()));
    }

    private static boolean answers(int port) {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            return socket.getInputStream().read() >= 0;
        } catch (IOException e) {
            return false;
        }
    }

    static void run(String... command) throws IOException, InterruptedException {
        int status = new ProcessBuilder(command).inheritIO().start().waitFor();
        if (status != 0) {
            throw new IOException(String.join(" ", command) + " ended with " + status);
        }
    }

    /** Streams with {@code transport.ssh} through the SSH server; returns MB/s. */
    double throughServer() throws IOException, InterruptedException {
        String inner = forwarded.endpoint().uri().getQuery();
        return receive(Endpoint.parse("ssh://" + user() + "@127.0.0.1:" + port + "/?" + inner));
    }

    /** Streams with {@code transport.ssh} from its embedded server; returns MB/s. */
    double fromEmbedded() throws IOException, InterruptedException {
        return receive(embedded.endpoint());
    }

    private double receive(Endpoint from) throws IOException, InterruptedException {
        Receiver receiver = new Receiver(bytes);
        Session session = standby.connect(from, receiver);
        long start = System.nanoTime();
        session.send(new Message.BackupEnded(0));
        receiver.done.await();
        double seconds = (System.nanoTime() - start) / 1e9;
        session.close("measured");
        return bytes / 1e6 / seconds;
    }

    /** Reads the same bytes through {@code ssh -L}; returns MB/s. */
    double throughTunnel(String... options) throws IOException, InterruptedException {
        int local = Servers.freePort();
        String query = forwarded.endpoint().uri().getQuery();
        String target = query.substring(query.indexOf('=') + 1);
        List<String> command = new java.util.ArrayList<>(List.of("ssh", "-F", "none", "-N", "-q"));
        command.addAll(List.of("-L", local + ":" + target, "-p", Integer.toString(port), "-i", file("id")));
        command.addAll(List.of("-o", "UserKnownHostsFile=" + file("known_hosts"), "-o", "BatchMode=yes"));
        command.addAll(List.of(options));
        command.add(user() + "@127.0.0.1");
        Process ssh = new ProcessBuilder(command).inheritIO().start();
        try {
            Socket socket = tunnel(local);
            try (socket) {
                InputStream in = socket.getInputStream();
                in.readNBytes(GREETING.length);
                byte[] request = frame(new Message.BackupEnded(0));
                long start = System.nanoTime();
                socket.getOutputStream().write(request);
                read(in);
                return bytes / 1e6 / ((System.nanoTime() - start) / 1e9);
            }
        } finally {
            ssh.destroy();
            ssh.waitFor();
        }
    }

    /** Connects when the tunnel stands, and greets. */
    private static Socket tunnel(int local) throws IOException {
        CompletableFuture<Socket> found = new CompletableFuture<>();
        Servers.await(
                () -> {
                    try {
                        return found.complete(new Socket(InetAddress.getLoopbackAddress(), local));
                    } catch (IOException e) {
                        return false;
                    }
                },
                "the tunnel");
        Socket socket = found.join();
        socket.setTcpNoDelay(true);
        socket.getOutputStream().write(GREETING);
        return socket;
    }

    private static byte[] frame(Message message) {
        ByteBuffer frame = ByteBuffer.allocate(MessageCodec.frameBytes(message));
        MessageCodec.encode(message, frame);
        return frame.array();
    }

    private void read(InputStream in) throws IOException {
        byte[] buffer = new byte[READ_BYTES];
        long left = bytes;
        while (left > 0) {
            int count = in.read(buffer);
            if (count < 0) {
                throw new IOException("the tunnel ended " + left + " bytes too early");
            }
            left -= count;
        }
    }

    @Override
    public void close() {
        standby.close();
        primary.close();
        sshd.descendants().forEach(ProcessHandle::destroy);
        sshd.destroy();
    }

    /** Sends the whole stream when asked. */
    private static final class Sender implements SessionHandler {
        private final Session session;
        private final long bytes;
        private final Semaphore writable = new Semaphore(0);
        private final ByteBuffer piece = ByteBuffer.allocateDirect(PIECE_BYTES);

        Sender(Session session, long bytes) {
            this.session = session;
            this.bytes = bytes;
        }

        @Override
        public void received(Session from, Message message) {
            Thread sender = new Thread(this::send, "bench-sender");
            sender.setDaemon(true);
            sender.start();
        }

        private void send() {
            for (long sent = 0; sent < bytes; sent += PIECE_BYTES) {
                while (!session.isWritable()) {
                    writable.acquireUninterruptibly();
                }
                session.send(new Message.WalData(sent, 0, 0, 0, piece));
            }
        }

        @Override
        public void writable() {
            writable.release();
        }

        @Override
        public void closed(String cause) {
            writable.release(Integer.MAX_VALUE / 2);
        }
    }

    /** Counts what comes. */
    private static final class Receiver implements SessionHandler {
        final CountDownLatch done = new CountDownLatch(1);
        private long left;

        Receiver(long bytes) {
            left = bytes;
        }

        @Override
        public void received(Session session, Message message) {
            left -= ((Message.WalData) message).bytes().remaining();
            if (left <= 0) {
                done.countDown();
            }
        }

        @Override
        public void closed(String cause) {
            if (left > 0) {
                throw new UncheckedIOException(new IOException(cause));
            }
        }
    }
}
