package lockstep.launcher;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** {@code lockstep stop}. */
final class StopCommand implements Command {
    private static final String MODE = "--mode";
    private static final long TIMEOUT_S = 60;

    @Override
    public String name() {
        return "stop";
    }

    @Override
    public String synopsis() {
        return "DIR [--mode fast|immediate]";
    }

    @Override
    public String summary() {
        return "stops the server that runs on DIR";
    }

    @Override
    public String details() {
        return """
            fast        in good order; this is the default
            immediate   at once, as if it crashed; the next start recovers
            """;
    }

    @Override
    public int run(List<String> words) throws Exception {
        Arguments arguments = new Arguments(words, Set.of(), Set.of(MODE));
        DataDir directory = new DataDir(Path.of(arguments.only("DIR")));
        String mode = arguments.value(MODE).orElse("fast");
        if (!mode.equals("fast") && !mode.equals("immediate")) {
            throw new UsageException("--mode " + mode + ": fast or immediate is expected");
        }
        OptionalLong pid = directory.server();
        if (pid.isEmpty()) {
            throw new Failure(ExitStatus.FAILED, "no server runs on " + directory.path());
        }
        // If it has ended since we looked, there is nothing to signal, and the wait below is short.
        ProcessHandle.of(pid.getAsLong())
                .ifPresent(mode.equals("fast") ? ProcessHandle::destroy : ProcessHandle::destroyForcibly);
        CompletableFuture<Void> gone = CompletableFuture.runAsync(() -> {
            try {
                directory.awaitUnlocked();
            } catch (IOException e) {
                throw new CompletionException(e);
            }
        });
        try {
            gone.get(TIMEOUT_S, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new Failure(
                    ExitStatus.FAILED,
                    "the server on " + directory.path() + ", process id " + pid.getAsLong() + ", did not stop within "
                            + TIMEOUT_S + " seconds; " + directory.log()
                            + " may say why, and --mode immediate ends it");
        }
        System.out.println("The server on " + directory.path() + " has stopped.");
        return ExitStatus.OK;
    }
}
