package lockstep.io;

import java.io.File;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Path;

/** Commands that are processes of their own. */
public final class ShellCommands implements Commands {
    private static final int KILLED = 128 + 9;

    private final File directory;
    private Process running;
    private boolean stopped;

    /** Runs commands in a directory. */
    public ShellCommands(Path directory) {
        this.directory = directory.toFile();
    }

    @Override
    public int run(String command) throws IOException {
        Process process;
        synchronized (this) {
            if (stopped) {
                return KILLED;
            }
            process = new ProcessBuilder("/bin/sh", "-c", command)
                    .directory(directory)
                    .redirectInput(new File("/dev/null"))
                    .redirectOutput(Redirect.INHERIT)
                    .redirectError(Redirect.INHERIT)
                    .start();
            running = process;
        }
        try {
            return process.waitFor();
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while it ran: " + command);
        }
    }

    @Override
    public synchronized void stop() {
        stopped = true;
        if (running != null) {
            running.descendants().forEach(ProcessHandle::destroyForcibly);
            running.destroyForcibly();
        }
    }
}
