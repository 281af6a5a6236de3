package lockstep.server;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Makes the disk of a running server slow: {@code strace} stops each system call of a kind on its way into the kernel, as long as
 * this is open. The server is the real one, and so is its disk; nothing in either knows of it.
 */
final class SlowDisk implements AutoCloseable {
    /** Longer than any test. */
    private static final String DELAY_US = "600000000";

    private final Process strace;

    private SlowDisk(Process strace) {
        this.strace = strace;
    }

    /** Stops a system call, such as {@code fdatasync}, from now on. */
    static SlowDisk stopping(String systemCall, ServerProcess server) {
        try {
            Process strace = new ProcessBuilder(
                            "strace",
                            "--follow-forks",
                            "--quiet=all",
                            "--output=/dev/null",
                            "--trace=" + systemCall,
                            "--inject=" + systemCall + ":delay_enter=" + DELAY_US,
                            "--attach=" + server.pid())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            server.await(() -> !strace.isAlive() || isTraced(server, strace.pid()));
            assumeTrue(strace.isAlive(), "strace may not attach to a process of ours");
            return new SlowDisk(strace);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whether strace is there. */
    static boolean isPossible() {
        try {
            return new ProcessBuilder("strace", "--version")
                            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                            .start()
                            .waitFor()
                    == 0;
        } catch (IOException e) {
            return false;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** A thread that ends while we look is traced no more, and need not be. */
    private static boolean isTraced(ServerProcess server, long tracer) {
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/" + server.pid() + "/task"))) {
            for (Path thread : threads) {
                if (Files.exists(thread)
                        && !Files.readString(thread.resolve("status")).contains("TracerPid:\t" + tracer + '\n')) {
                    return false;
                }
            }
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /** Kills the server; the calls that were stopped never come to the disk. */
    void kill(ServerProcess server) {
        ProcessHandle dying = ProcessHandle.of(server.pid()).orElseThrow();
        server.signal("KILL");
        // It is gone when its tracer has seen it.
        close();
        dying.onExit().join();
    }

    /** The calls that were stopped go on: the kernel lets go of whom a dead process traces. */
    @Override
    public void close() {
        strace.destroyForcibly();
        strace.onExit().join();
    }
}
