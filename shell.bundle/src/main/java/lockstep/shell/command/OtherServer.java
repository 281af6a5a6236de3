package lockstep.shell.command;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import lockstep.shell.wire.Frame;
import lockstep.shell.wire.FrameChannel;
import lockstep.shell.wire.Request;

/**
 * The shell of another server of this machine, which is reached through the socket in its data directory, as by {@code lockstep
 * shell}. So a command that can commit nothing here any more goes on there: with all that the command does there already, its
 * checks and its errors, and with no second way to commit.
 */
final class OtherServer {
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_.,:/@%+=-]+");
    private static final String SOCKET = "lockstep.sock";
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(60);
    private static final long LOOK_MS = 5;

    private final Path directory;
    private final Path workingDirectory;

    /**
     * Names it.
     *
     * @param workingDirectory from where the file names in its commands start
     */
    OtherServer(Path directory, Path workingDirectory) {
        this.directory = directory;
        this.workingDirectory = workingDirectory;
    }

    /** Waits until it is a primary that accepts commits. */
    void awaitPrimary() throws IOException, InterruptedException {
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        while (!isPrimary()) {
            if (System.nanoTime() - deadline > 0) {
                throw new IOException(
                        "the server on " + directory + " has not become a primary; its \"status\" says what it is");
            }
            TimeUnit.MILLISECONDS.sleep(LOOK_MS);
        }
    }

    private boolean isPrimary() throws IOException, InterruptedException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        run(
                List.of("status", "--json"),
                new PrintStream(out, true, UTF_8),
                new PrintStream(OutputStream.nullOutputStream(), true, UTF_8));
        String status = out.toString(UTF_8);
        return status.contains("\"role\":\"primary\"") && status.contains("\"state\":\"running\"");
    }

    /**
     * Runs a command there, and passes on what it says. If the calling thread is interrupted, the command is ended.
     *
     * @return its exit status
     */
    int run(List<String> words, PrintStream out, PrintStream err) throws IOException, InterruptedException {
        Path socket = directory.resolve(SOCKET);
        try (FrameChannel channel = new FrameChannel(SocketChannel.open(UnixDomainSocketAddress.of(socket)))) {
            String line = words.stream().map(OtherServer::quoted).collect(Collectors.joining(" "));
            channel.send(new Request.Command(workingDirectory.toString(), line).toFrame());
            CompletableFuture<Integer> status = new CompletableFuture<>();
            Thread reader = new Thread(() -> read(channel, out, err, status), "other-server");
            reader.setDaemon(true);
            reader.start();
            return status.get();
        } catch (IOException | ExecutionException e) {
            throw new IOException(
                    "no server can be reached on " + directory + ": "
                            + (e instanceof ExecutionException ? e.getCause() : e).getMessage(),
                    e);
        }
    }

    /** Receiving cannot be interrupted, so it is done on a thread of its own, which closing the channel ends. */
    private static void read(
            FrameChannel channel, PrintStream out, PrintStream err, CompletableFuture<Integer> status) {
        try {
            while (!status.isDone()) {
                Frame frame = channel.receive();
                switch (frame.kind()) {
                    case OUT -> pass(out, frame);
                    case ERR -> pass(err, frame);
                    case EXIT -> status.complete(frame.exitStatus());
                    default -> throw new IOException("the server sent " + frame.kind() + ", which only clients send");
                }
            }
        } catch (IOException e) {
            status.completeExceptionally(e);
        }
    }

    private static void pass(PrintStream to, Frame frame) {
        to.writeBytes(frame.bytes());
        to.flush();
    }

    /** Gogo knows no escapes between single quotes; a single quote stands outside of them, behind a backslash. */
    private static String quoted(String word) {
        return PLAIN.matcher(word).matches() ? word : "'" + word.replace("'", "'\\''") + "'";
    }
}
