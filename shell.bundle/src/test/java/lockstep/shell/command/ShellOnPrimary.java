package lockstep.shell.command;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import lockstep.commit.CommitLevel;
import lockstep.commit.SynchronousConfig;
import lockstep.io.Clock;
import lockstep.io.DataDirectory;
import lockstep.io.FileDisk;
import lockstep.io.SyncMethod;
import lockstep.io.ThreadWorkers;
import lockstep.kv.store.MvKeyValueStore;
import lockstep.kv.store.WiredStore;
import lockstep.primary.Primary;
import lockstep.primary.PrimaryConfig;
import lockstep.recovery.Checkpointer;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SenderConfig;
import org.apache.felix.gogo.runtime.CommandProcessorImpl;
import org.apache.felix.gogo.runtime.threadio.ThreadIOImpl;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Converter;

/**
 * A primary that asks for a standby and has none, so that commits at {@code local} are acknowledged and those at {@code on}
 * wait, and Gogo with our commands.
 */
final class ShellOnPrimary implements AutoCloseable {
    private static final PrimaryConfig CONFIG = new PrimaryConfig(
            1 << 20,
            256 << 10,
            SyncMethod.FDATASYNC,
            CommitLevel.LOCAL,
            SynchronousConfig.hang("*"),
            new Checkpointer.Config(300_000, 8 << 20, new Retention.Config(0, -1, 8 << 20, 10)),
            new SenderConfig(10, 60_000));

    final LocalServer server = new LocalServer();
    final ParameterCommands parameters = new ParameterCommands();
    final Primary primary;
    private final Path directory;
    private final ThreadIOImpl threads = new ThreadIOImpl();
    private final CommandProcessorImpl processor;

    /** One command: its outputs, and what it threw. */
    final class Run {
        final ByteArrayOutputStream out = new ByteArrayOutputStream();
        final ByteArrayOutputStream err = new ByteArrayOutputStream();
        final CommandSession session = processor.createSession(InputStream.nullInputStream(), out, err);
        String result = "";
        String error = "";

        /** Runs a line as the attach channel does. */
        Run execute(String line) {
            session.currentDir(directory);
            try {
                Object value = session.execute(line);
                result = out.toString(UTF_8)
                        + (value == null
                                ? ""
                                : session.format(value, Converter.INSPECT).toString());
            } catch (Exception e) {
                result = out.toString(UTF_8);
                error = e.getMessage();
            }
            return this;
        }

        String warnings() {
            return err.toString(UTF_8);
        }
    }

    ShellOnPrimary(Path directory) throws Exception {
        this.directory = directory;
        MvKeyValueStore store = WiredStore.in(directory);
        ResourceManagers managers = new ResourceManagers();
        managers.add(store);
        CountDownLatch changed = new CountDownLatch(1);
        primary = new Primary(
                CONFIG,
                new FileDisk(directory),
                Clock.SYSTEM,
                new ThreadWorkers(),
                (message, cause) -> {
                    throw new AssertionError(message, cause);
                },
                managers,
                Optional.empty(),
                changed::countDown);
        primary.start();
        assertTrue(changed.await(1, TimeUnit.MINUTES));
        assertEquals(Primary.State.RUNNING, primary.state(), primary.reason());
        WiredStore.wire(store, primary.commits().orElseThrow());
        server.primary = primary;
        server.store = store;
        threads.start();
        processor = new CommandProcessorImpl(threads);
        DataDirectory data = () -> directory;
        WalCommands wal = new WalCommands(server, data);
        wal.addManager(store);
        add(new StoreCommands(server), "put", "get", "del", "scan", "digest");
        add(new CommitCommands(server, data), "commit");
        add(new LoadCommand(server, data), "load");
        add(new ServerCommands(server, data), "status", "queue", "checkpoint");
        add(new DegradedCommands(data), "degraded");
        add(new ReplicationCommands(server), "standbys", "receiver", "redo", "rebuild");
        add(new SlotCommands(server), "slots", "slot");
        add(wal, "wal");
        add(parameters, "show", "set");
    }

    private void add(Object commands, String... functions) {
        for (String function : functions) {
            processor.addCommand("lockstep", commands, function);
        }
    }

    /** Has the server go on without standbys. */
    void degrade() {
        SynchronousConfig hang = CONFIG.standbys();
        primary.configure(new PrimaryConfig(
                CONFIG.segmentBytes(),
                CONFIG.bufferBytes(),
                CONFIG.syncMethod(),
                CONFIG.commitLevel(),
                new SynchronousConfig(
                        hang.names(),
                        SynchronousConfig.Unavailable.DEGRADE,
                        hang.timeoutNanos(),
                        hang.degradeTo(),
                        hang.minCopies(),
                        hang.maxNanos(),
                        hang.maxWalBytes(),
                        hang.exhausted(),
                        hang.returnNanos()),
                CONFIG.checkpoints(),
                CONFIG.senders()));
    }

    Run start() {
        return new Run();
    }

    /** Runs a command that commits; returns the LSN that it shows. */
    String commit(String line) {
        return run(line).split(" ", -1)[1];
    }

    /** Runs a command that is to succeed. */
    String run(String line) {
        Run run = start().execute(line);
        assertEquals("", run.error, line);
        return run.result;
    }

    /** Runs a command that is to fail, and returns its message. */
    String fail(String line) {
        Run run = start().execute(line);
        assertTrue(!run.error.isEmpty(), () -> line + " printed " + run.result);
        return run.error;
    }

    @Override
    public void close() throws IOException {
        processor.stop();
        threads.stop();
        primary.close();
    }
}
