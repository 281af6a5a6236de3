package lockstep.shell.command;

import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import lockstep.commit.Commits;
import lockstep.receiver.api.Promoted;
import lockstep.transport.api.Lsn;
import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.apache.felix.service.command.annotations.GogoCommand;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.util.tracker.ServiceTracker;

/** Changes which server is the primary. */
@Component(service = FailoverCommands.class)
@GogoCommand(scope = "lockstep", function = "promote")
public final class FailoverCommands {
    /** After a promotion there is nothing left that takes long. */
    private static final long COMMITS_WAIT_MS = 60_000;

    private final LocalServer server;
    private final ServiceTracker<Commits, Commits> commits;

    /** Made by the framework. */
    @Activate
    public FailoverCommands(BundleContext context, @Reference LocalServer server) {
        this.server = server;
        commits = new ServiceTracker<>(context, Commits.class, null);
        commits.open();
    }

    @Deactivate
    void close() {
        commits.close();
    }

    /** Promotes the standby. */
    @Descriptor("make this standby a primary on a new timeline: it redoes all WAL it has, and takes commits")
    public String promote(
            @Descriptor("one JSON object: timeline, start_lsn, and elapsed_us until commits are taken")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("also if commits that were acknowledged are known not to be here")
                    @Parameter(names = "--force", presentValue = "true", absentValue = "false")
                    boolean force,
            String... words)
            throws InterruptedException {
        Words.none("promote [--force] [--json]", words);
        long started = System.nanoTime();
        Promoted promoted;
        try {
            promoted = server.standby("promotion begins")
                    .promote(force)
                    .toCompletableFuture()
                    .join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof IllegalStateException refused ? refused : e;
        }
        if (commits.waitForService(COMMITS_WAIT_MS) == null) {
            throw new IllegalStateException("timeline " + promoted.timeline() + " has begun at "
                    + Lsn.text(promoted.startLsn()) + ", but the server takes no commits yet; \"status\" says why");
        }
        long micros = TimeUnit.NANOSECONDS.toMicros(System.nanoTime() - started);
        return json
                ? new Fields()
                        .count("timeline", promoted.timeline())
                        .lsn("start_lsn", promoted.startLsn())
                        .micros("elapsed_us", micros)
                        .json()
                : "PROMOTED: timeline " + promoted.timeline() + " begins at " + Lsn.text(promoted.startLsn())
                        + "; commits are taken after " + TimeUnit.MICROSECONDS.toMillis(micros) + " ms";
    }
}
