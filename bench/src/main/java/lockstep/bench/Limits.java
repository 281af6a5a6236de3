package lockstep.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import lockstep.io.DiskFile;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;

/**
 * What the machine itself can do: how long a flush takes, a round trip, and a <i>bare commit</i>, which is all that a
 * synchronous commit cannot do without and nothing else. Two processes: one flushes and sends, the other receives, flushes
 * and answers.
 */
final class Limits {
    /** What the two processes of a bare commit exchange. */
    static final int COMMIT_BYTES = 512;

    private static final int FILE_BYTES = 16 << 20;
    private static final int LARGE_BYTES = 1 << 20;

    private final Path directory;
    private final long nanosEach;

    Limits(Path directory, long millisEach) {
        this.directory = directory;
        nanosEach = TimeUnit.MILLISECONDS.toNanos(millisEach);
    }

    /** The part of a process that writes commits to a file, one flush each. */
    static final class Flusher implements AutoCloseable {
        private final DiskFile file;
        private final ByteBuffer block;
        private final SyncMethod method;
        private long position;

        Flusher(Path directory, String name, SyncMethod method, int bytes) throws IOException {
            FileDisk disk = new FileDisk(directory);
            disk.create(name, ByteBuffer.allocate(0), FILE_BYTES);
            file = disk.open(name, method);
            block = FileDisk.allocateAligned(bytes, disk.blockBytes());
            this.method = method;
        }

        void flush() throws IOException {
            file.write(block.clear(), position);
            if (!method.syncsOnWrite()) {
                file.sync();
            }
            position = (position + block.capacity()) % FILE_BYTES;
        }

        @Override
        public void close() throws IOException {
            file.close();
        }
    }

    /** Returns how long a flush of so many bytes takes with each method that the file system can. */
    Map<SyncMethod, Latencies> flushes(int bytes) throws IOException {
        Map<SyncMethod, Latencies> all = new LinkedHashMap<>();
        for (SyncMethod method : SyncMethod.values()) {
            if (!new FileDisk(directory).supports(method)) {
                continue;
            }
            Latencies latencies = new Latencies();
            try (Flusher flusher = new Flusher(directory, "limit", method, bytes)) {
                long end = System.nanoTime() + nanosEach;
                while (System.nanoTime() < end) {
                    long start = System.nanoTime();
                    flusher.flush();
                    latencies.add(System.nanoTime() - start);
                }
            }
            all.put(method, latencies);
            Files.delete(directory.resolve("limit"));
        }
        return all;
    }

    /** Returns the megabytes per second that large flushes bring to the disk. */
    double sequentialMegabytes(SyncMethod method) throws IOException {
        return flushes(LARGE_BYTES).get(method).perSecond() * LARGE_BYTES / 1e6;
    }

    /** Runs the other process, and commits with it. */
    Latencies bareCommits(SyncMethod method, boolean parallel) throws IOException, InterruptedException {
        return exchange(method, parallel);
    }

    /** Returns the time of a round trip to the other process, without any flush. */
    Latencies roundTrips() throws IOException, InterruptedException {
        return exchange(null, false);
    }

    private Latencies exchange(SyncMethod method, boolean parallel) throws IOException, InterruptedException {
        Latencies latencies = new Latencies();
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            int port = ((InetSocketAddress) server.getLocalAddress()).getPort();
            Process other = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            System.getProperty("java.class.path"),
                            BareStandby.class.getName(),
                            Integer.toString(port),
                            directory.toString(),
                            method == null ? "none" : method.parameterValue())
                    .inheritIO()
                    .start();
            try (SocketChannel channel = server.accept()) {
                channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
                commit(channel, method, parallel, latencies);
            } finally {
                other.destroy();
                other.waitFor();
            }
        }
        return latencies;
    }

    private void commit(SocketChannel channel, SyncMethod method, boolean parallel, Latencies latencies)
            throws IOException {
        ByteBuffer message = ByteBuffer.allocateDirect(COMMIT_BYTES);
        ByteBuffer answer = ByteBuffer.allocateDirect(1);
        try (Flusher flusher =
                method == null ? null : new Flusher(directory, "bare-primary", method, BareStandby.BLOCK_BYTES)) {
            long end = System.nanoTime() + nanosEach;
            while (System.nanoTime() < end) {
                long start = System.nanoTime();
                if (flusher != null && !parallel) {
                    flusher.flush();
                }
                send(channel, message.clear());
                if (flusher != null && parallel) {
                    flusher.flush();
                }
                receive(channel, answer.clear());
                latencies.add(System.nanoTime() - start);
            }
        }
    }

    static void send(SocketChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    static boolean receive(SocketChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            if (channel.read(bytes) < 0) {
                return false;
            }
        }
        return true;
    }
}
