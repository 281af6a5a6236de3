package lockstep.shell.attach;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Supplier;
import lockstep.shell.command.Completions;
import lockstep.shell.command.Operator;
import lockstep.shell.wire.Frame;
import lockstep.shell.wire.FrameChannel;
import lockstep.shell.wire.Request;
import lockstep.shell.wire.WindowSize;
import org.apache.felix.gogo.jline.Shell;
import org.apache.felix.gogo.runtime.CommandNotFoundException;
import org.apache.felix.gogo.runtime.CommandProcessorImpl;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Converter;
import org.apache.felix.service.command.Function;
import org.jline.reader.LineReader;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.impl.LineDisciplineTerminal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client of the attach channel, and the shell session it works in.
 *
 * <p><b>Threads.</b> The session's own thread reads frames, so that it hears at once when the client vanishes, whatever
 * the command is doing. A second one, named like it with {@code -shell}, runs the command or the prompt. Whichever ends
 * first ends the other: the reader interrupts the command, and the end of the command closes the channel.
 *
 * <pre>
 *   exit status   meaning
 *   0             the command returned, or the prompt was left
 *   1             the command threw; its message is on the standard error output
 *   2             there is no such command
 * </pre>
 */
final class AttachSession {
    private static final int OK = 0;
    private static final int FAILED = 1;
    private static final int NO_SUCH_COMMAND = 2;

    /** Where a command without a scope is looked for: ours win over Felix's, and those over Gogo's. */
    private static final String SCOPES = "lockstep:felix:*";

    /** The history is in a file of ours, so "--nohistory". */
    private static final String[] PROMPT_ARGUMENTS = {"--login", "--noshutdown", "--nohistory"};

    private static final String HISTORY = ".history";
    private static final int CTRL_D = 4;
    private static final long CLOSE_TIMEOUT_MS = 2_000;
    private static final Logger log = LoggerFactory.getLogger(AttachSession.class);

    private final String operator;
    private final FrameChannel channel;
    private final CommandProcessorImpl processor;
    private final Shell shell;
    private final Path directory;
    private final BooleanSupplier ready;
    private final Supplier<String> obstacle;
    private final Consumer<AttachSession> ended;
    private final Thread reader;

    AttachSession(
            String name,
            String operator,
            FrameChannel channel,
            CommandProcessorImpl processor,
            Shell shell,
            Path directory,
            BooleanSupplier ready,
            Supplier<String> obstacle,
            Consumer<AttachSession> ended) {
        this.operator = operator;
        this.channel = channel;
        this.processor = processor;
        this.shell = shell;
        this.directory = directory;
        this.ready = ready;
        this.obstacle = obstacle;
        this.ended = ended;
        reader = new Thread(this::read, name);
        reader.setDaemon(true);
    }

    void start() {
        reader.start();
    }

    /** Hangs up on a client that is not admitted. */
    static void refuse(FrameChannel channel, String why) throws IOException {
        try (channel) {
            complain(channel, why);
            channel.send(Frame.exit(FAILED));
        }
    }

    /** Ends the session as if the client had gone, and waits for its threads. */
    void close() throws IOException, InterruptedException {
        channel.close();
        reader.join(CLOSE_TIMEOUT_MS);
    }

    private void read() {
        try (channel) {
            Request request = Request.decode(channel.receive());
            if (request instanceof Request.Ready) {
                answerReady();
            } else if (request instanceof Request.Command command) {
                serve(command);
            } else if (request instanceof Request.Prompt prompt) {
                serve(prompt);
            }
        } catch (IOException e) {
            log.debug("{}: {}", reader.getName(), e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            ended.accept(this);
        }
    }

    private void answerReady() throws IOException {
        boolean isReady = ready.getAsBoolean();
        String why = obstacle.get();
        if (!why.isEmpty()) {
            complain(channel, why);
        }
        channel.send(Frame.exit(isReady ? OK : FAILED));
    }

    private void serve(Request.Command command) throws IOException, InterruptedException {
        CommandSession session = processor.createSession(
                InputStream.nullInputStream(), channel.stream(Frame.Kind.OUT), channel.stream(Frame.Kind.ERR));
        prepare(session, command.directory());
        run(session, () -> execute(session, command.line()), frame -> {
            throw new IOException("a command takes no " + frame.kind());
        });
    }

    private int execute(CommandSession session, String line) throws IOException {
        try {
            Object result = session.execute(line);
            if (result != null) {
                PrintStream out = new PrintStream(channel.stream(Frame.Kind.OUT), true, UTF_8);
                out.println(session.format(result, Converter.INSPECT));
            }
            return OK;
        } catch (Exception e) {
            log.debug("\"{}\" failed", line, e);
            complain(channel, PromptSession.message(e));
            return e instanceof CommandNotFoundException ? NO_SUCH_COMMAND : FAILED;
        }
    }

    private void serve(Request.Prompt prompt) throws IOException, InterruptedException {
        try (LineDisciplineTerminal terminal =
                new LineDisciplineTerminal("attach", prompt.terminal(), channel.stream(Frame.Kind.OUT), UTF_8)) {
            terminal.setSize(size(prompt.size()));
            CommandSession session = new PromptSession(processor, terminal.input(), terminal.output());
            prepare(session, prompt.directory());
            Completions.enter(session);
            session.put(Shell.VAR_TERMINAL, terminal);
            session.put(LineReader.HISTORY_FILE, directory.resolve(HISTORY));
            // Leaving is typing the end of the input, so that the shell ends in one way only.
            session.put("exit", (Function) (inSession, arguments) -> {
                terminal.processInputByte(CTRL_D);
                return null;
            });
            run(session, () -> prompt(session), frame -> type(terminal, frame));
        }
    }

    private int prompt(CommandSession session) throws IOException {
        try {
            // As a call, not as a command: the shell waits for the command in the foreground, which would be itself.
            shell.gosh(session, PROMPT_ARGUMENTS);
            return OK;
        } catch (Exception e) {
            log.debug("the prompt of {} failed", reader.getName(), e);
            complain(channel, e.toString());
            return FAILED;
        }
    }

    private static void type(LineDisciplineTerminal terminal, Frame frame) throws IOException {
        switch (frame.kind()) {
            case INPUT -> terminal.processInputBytes(frame.bytes());
            case RESIZE -> {
                terminal.setSize(size(WindowSize.decode(frame.body())));
                terminal.raise(Terminal.Signal.WINCH);
            }
            default -> throw new IOException("a prompt takes no " + frame.kind());
        }
    }

    private static Size size(WindowSize size) {
        return new Size(size.columns(), size.rows());
    }

    private void prepare(CommandSession session, String clientDirectory) {
        Operator.enter(session, operator);
        session.put(Shell.VAR_SCOPE, SCOPES);
        session.currentDir(Path.of(clientDirectory).toAbsolutePath());
    }

    /** Runs the body in the shell thread, and feeds it what the client sends, until either of them ends. */
    private void run(CommandSession session, Body body, Input input) throws IOException, InterruptedException {
        Thread worker = new Thread(
                () -> {
                    try (channel) {
                        channel.send(Frame.exit(body.run()));
                    } catch (IOException e) {
                        log.debug("the client of {} is gone", reader.getName());
                    }
                },
                reader.getName() + "-shell");
        worker.setDaemon(true);
        worker.start();
        try {
            while (true) {
                input.take(channel.receive());
            }
        } catch (EOFException | ClosedChannelException e) {
            // The client is gone, or was served.
        } finally {
            // First the waiting shell thread, so that it does not see a result of what is torn down here.
            worker.interrupt();
            session.close();
            worker.join(TimeUnit.SECONDS.toMillis(1));
        }
    }

    private static void complain(FrameChannel channel, String message) throws IOException {
        new PrintStream(channel.stream(Frame.Kind.ERR), true, UTF_8).println(message);
    }

    private interface Body {
        int run() throws IOException;
    }

    private interface Input {
        void take(Frame frame) throws IOException;
    }
}
