package lockstep.launcher;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import lockstep.launcher.AttachClient.Start;

/** Starts a server in the background: in a session of its own, with its outputs in a file. */
final class Daemon {
    private static final long TIMEOUT_S = 60;
    private static final long POLL_MS = 20;

    /** How long what keeps the server from its work may last, such as a primary that is about to start itself. */
    private static final long OBSTACLE_S = 5;

    /** Tells the server that nobody watches its console. */
    private static final String VARIABLE = "LOCKSTEP_DAEMON";

    private final DataDir directory;

    Daemon(DataDir directory) {
        this.directory = directory;
    }

    /** Returns whether this process is such a server. */
    static boolean isThis() {
        return System.getenv(VARIABLE) != null;
    }

    /**
     * Starts it, and waits until it says that it is ready. If it cannot be for now, it goes on trying, and this tells why.
     *
     * @param command what follows {@code lockstep} to run it in the foreground
     * @return the exit status: 0, or if it ended, its own
     * @throws Failure if it is not ready in time, or something keeps it from that
     */
    int start(List<String> command) throws IOException, InterruptedException {
        List<String> words = new ArrayList<>(List.of("setsid", Home.script().toString()));
        words.addAll(command);
        Path console = directory.console();
        ProcessBuilder builder = new ProcessBuilder(words)
                .directory(directory.path().toFile())
                .redirectInput(new File("/dev/null"))
                .redirectErrorStream(true)
                .redirectOutput(console.toFile());
        builder.environment().put(VARIABLE, "yes");
        Process server = builder.start();
        AttachClient client = new AttachClient(directory);
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_S);
        long freeNanos = System.nanoTime();
        Start start;
        for (start = client.askStart(); !start.isReady(); start = client.askStart()) {
            if (server.waitFor(POLL_MS, TimeUnit.MILLISECONDS)) {
                System.err.write(Files.readAllBytes(console));
                System.err.println("lockstep: the server on " + directory.path() + " did not start; " + directory.log()
                        + " may tell more");
                return server.exitValue() == ExitStatus.OK ? ExitStatus.FAILED : server.exitValue();
            }
            if (start.obstacle().isEmpty()) {
                freeNanos = System.nanoTime();
            } else if (System.nanoTime() - freeNanos > TimeUnit.SECONDS.toNanos(OBSTACLE_S)) {
                throw new Failure(
                        ExitStatus.FAILED,
                        "the server on " + directory.path() + ", process id " + server.pid()
                                + ", is not ready, and goes on trying: " + start.obstacle());
            }
            if (System.nanoTime() > deadline) {
                throw new Failure(
                        ExitStatus.FAILED,
                        "the server on " + directory.path() + ", process id " + server.pid()
                                + ", is not ready after " + TIMEOUT_S + " seconds and goes on starting; "
                                + directory.log() + " tells how far it is");
            }
        }
        System.out.println("The server on " + directory.path() + " is ready, process id " + server.pid() + ".");
        if (!start.obstacle().isEmpty()) {
            System.err.println("lockstep: " + start.obstacle());
        }
        return ExitStatus.OK;
    }
}
