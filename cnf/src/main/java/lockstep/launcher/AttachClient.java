package lockstep.launcher;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import lockstep.shell.wire.Frame;
import lockstep.shell.wire.FrameChannel;
import lockstep.shell.wire.Request;

/** The client's side of the attach channel of a running server. */
final class AttachClient {
    private static final int INPUT_BYTES = 4096;

    private final DataDir directory;

    AttachClient(DataDir directory) {
        this.directory = directory;
    }

    /**
     * What a server says of its start.
     *
     * @param isReady whether it does its work
     * @param obstacle what keeps it from that, or from a part of it, for people; empty if it is only on its way
     */
    record Start(boolean isReady, String obstacle) {}

    /** Asks how far a server is with its start; it may not even be there. */
    Start askStart() {
        ByteArrayOutputStream obstacle = new ByteArrayOutputStream();
        try (FrameChannel channel = open()) {
            channel.send(new Request.Ready().toFrame());
            boolean isReady = output(channel, OutputStream.nullOutputStream(), obstacle) == ExitStatus.OK;
            return new Start(isReady, obstacle.toString(UTF_8).strip());
        } catch (IOException | Failure e) {
            return new Start(false, "");
        }
    }

    /** Runs a command; its outputs are ours. Returns its exit status. */
    int command(String line) throws IOException {
        return command(line, System.out, System.err);
    }

    /** Runs a command. Returns its exit status. */
    int command(String line, OutputStream out, OutputStream err) throws IOException {
        try (FrameChannel channel = connect()) {
            channel.send(new Request.Command(workingDirectory(), line).toFrame());
            return output(channel, out, err);
        }
    }

    /** Opens a prompt on our terminal. Returns when the user has left it. */
    int prompt() throws IOException, InterruptedException {
        try (FrameChannel channel = connect();
                Tty tty = Tty.raw()) {
            String terminal = System.getenv().getOrDefault("TERM", "dumb");
            channel.send(new Request.Prompt(workingDirectory(), terminal, tty.size()).toFrame());
            tty.onResize(size -> channel.send(size.toFrame()));
            Thread input = new Thread(() -> input(channel), "attach-input");
            input.setDaemon(true);
            input.start();
            return output(channel, System.out, System.err);
        }
    }

    private static void input(FrameChannel channel) {
        byte[] bytes = new byte[INPUT_BYTES];
        try {
            for (int read = System.in.read(bytes); read > 0; read = System.in.read(bytes)) {
                channel.send(new Frame(Frame.Kind.INPUT, ByteBuffer.wrap(bytes, 0, read)));
            }
        } catch (IOException e) {
            // The prompt has ended, and with it the need for input.
        }
    }

    private int output(FrameChannel channel, OutputStream out, OutputStream err) throws IOException {
        while (true) {
            Frame frame;
            try {
                frame = channel.receive();
            } catch (EOFException e) {
                throw new Failure(
                        ExitStatus.FAILED,
                        "the server on " + directory.path() + " has gone; commits that were not answered are in doubt");
            }
            switch (frame.kind()) {
                case OUT -> write(out, frame);
                case ERR -> write(err, frame);
                case EXIT -> {
                    return frame.exitStatus();
                }
                default -> throw new IOException("the server sent " + frame.kind() + ", which only clients send");
            }
        }
    }

    private static void write(OutputStream out, Frame frame) throws IOException {
        out.write(frame.bytes());
        out.flush();
    }

    private static String workingDirectory() {
        return System.getProperty("user.dir");
    }

    private FrameChannel connect() {
        try {
            return open();
        } catch (IOException e) {
            throw new Failure(
                    ExitStatus.NO_SERVER,
                    "no server can be reached on " + directory.path() + ": " + e.getMessage()
                            + "; is it running? \"lockstep primary\" or \"lockstep standby\" starts it");
        }
    }

    private FrameChannel open() throws IOException {
        return new FrameChannel(SocketChannel.open(UnixDomainSocketAddress.of(directory.socket())));
    }
}
