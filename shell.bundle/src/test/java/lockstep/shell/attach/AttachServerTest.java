package lockstep.shell.attach;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import lockstep.shell.wire.Frame;
import lockstep.shell.wire.FrameChannel;
import lockstep.shell.wire.Request;
import lockstep.shell.wire.WindowSize;
import org.apache.felix.gogo.jline.Builtin;
import org.apache.felix.gogo.jline.Shell;
import org.apache.felix.gogo.runtime.CommandProcessorImpl;
import org.apache.felix.gogo.runtime.threadio.ThreadIOImpl;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
final class AttachServerTest {
    private static final WindowSize SIZE = new WindowSize(80, 24);

    private final Commands commands = new Commands();
    private final ThreadIOImpl threadIo = new ThreadIOImpl();

    @TempDir
    private Path directory;

    private AttachServer server;

    @BeforeEach
    void start() throws IOException {
        Files.writeString(
                Files.createDirectory(directory.resolve("etc")).resolve("gosh_profile"),
                "prompt = 'test> '\nlearncompletions\n");
        threadIo.start();
        CommandProcessorImpl processor = new CommandProcessorImpl(threadIo);
        for (String name : new String[] {"say", "fail", "hang", "where"}) {
            processor.addCommand("test", commands, name);
        }
        processor.addCommand("lockstep", commands, "order");
        processor.addCommand("gogo", new Builtin(), "format");
        server = new AttachServer(() -> directory, processor, new Shell(new Context(directory), processor));
    }

    @AfterEach
    void stop() throws Exception {
        server.close();
        threadIo.stop();
    }

    private FrameChannel connect() throws IOException {
        return new FrameChannel(SocketChannel.open(UnixDomainSocketAddress.of(directory.resolve("lockstep.sock"))));
    }

    private FrameChannel ask(Request request) throws IOException {
        FrameChannel channel = connect();
        channel.send(request.toFrame());
        return channel;
    }

    private Answer command(String line) throws IOException {
        try (FrameChannel channel = ask(new Request.Command("/tmp", line))) {
            return Answer.of(channel);
        }
    }

    @Test
    void outputsAndStatusComeBack() throws IOException {
        assertEquals(new Answer("said hello\n", "", 0), command("say hello"));
        assertEquals(new Answer("", "it went wrong\n", 1), command("fail"));
        Answer unknown = command("nosuch");
        assertEquals(2, unknown.status());
        assertTrue(unknown.err().contains("\"nosuch\""), unknown::err);
    }

    @Test
    void fileNamesStartAtTheClient() throws IOException {
        assertEquals("/tmp\n", command("where").out());
    }

    @Test
    void aCommandIsInterruptedWhenItsClientGoesAway() throws Exception {
        FrameChannel channel = ask(new Request.Command("/tmp", "hang"));
        commands.hanging.await();
        channel.close();
        assertTrue(commands.interrupted.await(30, TimeUnit.SECONDS));
    }

    @Test
    void aCommandIsInterruptedWhenTheServerStops() throws Exception {
        try (FrameChannel channel = ask(new Request.Command("/tmp", "hang"))) {
            commands.hanging.await();
            server.close();
            assertTrue(commands.interrupted.await(30, TimeUnit.SECONDS));
            assertThrows(EOFException.class, channel::receive);
        }
        assertFalse(Files.exists(directory.resolve("lockstep.sock")));
    }

    @Test
    void aPromptRunsCommandsUntilExit() throws Exception {
        try (FrameChannel channel = ask(new Request.Prompt("/tmp", "xterm", SIZE))) {
            type(channel, "say hello\r");
            readUntil(channel, "said hello");
            type(channel, "exit\r");
            assertEquals(0, Answer.of(channel).status());
        }
        assertTrue(Files.readString(directory.resolve(".history")).contains("say hello"));
    }

    @Test
    void ctrlCEndsTheCommandAndNotThePrompt() throws Exception {
        try (FrameChannel channel = ask(new Request.Prompt("/tmp", "xterm", SIZE))) {
            type(channel, "hang\r");
            commands.hanging.await();
            type(channel, "\u0003");
            assertTrue(commands.interrupted.await(30, TimeUnit.SECONDS));
            type(channel, "say again\r");
            readUntil(channel, "said again");
            type(channel, "\u0004");
            assertEquals(0, Answer.of(channel).status());
        }
    }

    @Test
    void aPromptSaysWhatWentWrongWithoutTheNamesOfJavaClasses() throws Exception {
        try (FrameChannel channel = ask(new Request.Prompt("/tmp", "xterm", SIZE))) {
            type(channel, "nosuch\r");
            String seen = readUntil(channel, "there is no command \"nosuch\"");
            type(channel, "fail\r");
            seen += readUntil(channel, "it went wrong");
            type(channel, "hang\r");
            commands.hanging.await();
            type(channel, "\u0003");
            seen += readUntil(channel, "interrupted");
            assertFalse(seen.contains("Exception"), seen);
            type(channel, "\u0004");
            assertEquals(0, Answer.of(channel).status());
        }
    }

    @Test
    void theTabKeyCompletesWordsOptionsAndLevels() throws Exception {
        try (FrameChannel channel = ask(new Request.Prompt("/tmp", "xterm", SIZE))) {
            type(channel, "order la\t --c\tremote_a\t\r");
            readUntil(channel, "ordered large at remote_apply");
            type(channel, "\u0004");
            assertEquals(0, Answer.of(channel).status());
        }
    }

    @Test
    void whatIsNoRequestEndsOnlyItsClient() throws IOException {
        for (byte[] bytes : new byte[][] {
            "GET / HTTP/1.1\r\n\r\n".getBytes(UTF_8),
            {'c', 0x7f, 0, 0, 0},
            {'c', -1, 0, 0, 0},
            {'c', 0, 0, 0, 1, 0},
            {'p', 0, 0, 0, 4, 0, 0, 0, 0},
            {'i', 0, 0, 0, 0},
            {'c', 0, 0, 0, 8, 0x7f, -1, -1, -1, 0, 0, 0, 0}
        }) {
            try (SocketChannel socket =
                    SocketChannel.open(UnixDomainSocketAddress.of(directory.resolve("lockstep.sock")))) {
                socket.write(ByteBuffer.wrap(bytes));
                try {
                    assertEquals(-1, socket.read(ByteBuffer.allocate(1)));
                } catch (IOException e) {
                    // Reset, because the server did not read all: it has hung up all the same.
                }
            }
        }
        assertEquals("said hello\n", command("say hello").out());
    }

    @Test
    void itIsReadyWhenTheConditionIsThere() throws IOException {
        try (FrameChannel channel = ask(new Request.Ready())) {
            assertEquals(1, Answer.of(channel).status());
        }
    }

    private static void type(FrameChannel channel, String keys) throws IOException {
        channel.send(new Frame(Frame.Kind.INPUT, UTF_8.encode(keys)));
    }

    private static String readUntil(FrameChannel channel, String text) throws IOException {
        StringBuilder seen = new StringBuilder();
        while (!seen.toString().contains(text)) {
            seen.append(new String(channel.receive().bytes(), UTF_8));
        }
        return seen.toString();
    }

    private record Answer(String out, String err, int status) {
        static Answer of(FrameChannel channel) throws IOException {
            StringBuilder out = new StringBuilder();
            StringBuilder err = new StringBuilder();
            while (true) {
                Frame frame = channel.receive();
                switch (frame.kind()) {
                    case OUT -> out.append(new String(frame.bytes(), UTF_8));
                    case ERR -> err.append(new String(frame.bytes(), UTF_8));
                    case EXIT -> {
                        return new Answer(out.toString(), err.toString(), frame.exitStatus());
                    }
                    default -> throw new IOException("unexpected " + frame.kind());
                }
            }
        }
    }

    private record Context(Path directory) implements Shell.Context {
        @Override
        public String getProperty(String name) {
            return name.equals("gosh.home") ? directory.toString() : null;
        }

        @Override
        public void exit() {
            throw new AssertionError("a prompt does not end the server");
        }
    }

    /** Commands to run. */
    public static final class Commands {
        private final CountDownLatch hanging = new CountDownLatch(1);
        private final CountDownLatch interrupted = new CountDownLatch(1);

        public String say(String word) {
            return "said " + word;
        }

        public String order(
                @Descriptor("LEVEL") @Parameter(names = "--commit", absentValue = "") String level,
                @Descriptor("small | large") String size) {
            return "ordered " + size + " at " + level;
        }

        public void fail() {
            throw new IllegalStateException("it went wrong");
        }

        public Path where(CommandSession session) {
            return session.currentDir();
        }

        public void hang() throws InterruptedException {
            hanging.countDown();
            try {
                new CountDownLatch(1).await();
            } catch (InterruptedException e) {
                interrupted.countDown();
                throw e;
            }
        }
    }
}
