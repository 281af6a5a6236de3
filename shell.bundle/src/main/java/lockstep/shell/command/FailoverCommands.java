package lockstep.shell.command;

import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import lockstep.commit.Commits;
import lockstep.config.Units;
import lockstep.primary.SwitchedOver;
import lockstep.primary.SwitchoverPlan;
import lockstep.receiver.api.Promoted;
import lockstep.receiver.api.ReceiverState;
import lockstep.receiver.api.ReceiverStatus;
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
@GogoCommand(
        scope = "lockstep",
        function = {"promote", "switchover"})
public final class FailoverCommands {
    /** After a promotion there is nothing left that takes long. */
    private static final long COMMITS_WAIT_MS = 60_000;

    private static final long STREAMING_LOOK_MS = 1;
    private static final String SWITCHOVER_USAGE =
            "switchover STANDBY [--endpoint URI] [--max-lag SIZE] [--timeout TIME] [--json]";
    private static final String DEFAULT_MAX_LAG = "16MB";
    private static final String DEFAULT_TIMEOUT = "10s";

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
        Promoted promoted = join(server.standby("promotion begins").promote(force));
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

    /** Hands over to a standby. */
    @Descriptor("exchange roles with a standby: no commit is lost and none fails, clients see a pause")
    public String switchover(
            @Descriptor("one JSON object: standby, endpoints, timeline, start_lsn, pause_us")
                    @Parameter(names = "--json", presentValue = "true", absentValue = "false")
                    boolean json,
            @Descriptor("URI: how the standby is reached from here; without it, where it says that it listens")
                    @Parameter(names = "--endpoint", absentValue = Words.NONE)
                    String endpoint,
            @Descriptor("SIZE: how far behind the standby may be, such as 64MB; without it, 16MB")
                    @Parameter(names = "--max-lag", absentValue = Words.NONE)
                    String maxLag,
            @Descriptor("TIME: when to give up, and go on as the primary, such as 30s; without it, 10s")
                    @Parameter(names = "--timeout", absentValue = Words.NONE)
                    String timeout,
            String... words)
            throws InterruptedException {
        if (words.length != 1) {
            throw new IllegalArgumentException("usage: " + SWITCHOVER_USAGE);
        }
        SwitchoverPlan plan = new SwitchoverPlan(
                words[0],
                endpoint.equals(Words.NONE) ? "" : endpoint,
                Units.millis(timeout.equals(Words.NONE) ? DEFAULT_TIMEOUT : timeout),
                Units.bytes(maxLag.equals(Words.NONE) ? DEFAULT_MAX_LAG : maxLag));
        SwitchedOver done = join(server.primary("switchover is called").switchOver(plan));
        long streaming = awaitFollowing(done);
        long pauseMicros = TimeUnit.NANOSECONDS.toMicros(streaming - done.pausedNanos());
        return json
                ? new Fields()
                        .text("standby", done.standby())
                        .text("endpoints", done.endpoints())
                        .count("timeline", done.timeline())
                        .lsn("start_lsn", done.startLsn())
                        .micros("pause_us", pauseMicros)
                        .json()
                : "SWITCHED OVER: " + done.standby() + " is the primary on timeline " + done.timeline() + " from "
                        + Lsn.text(done.startLsn()) + "; pause " + TimeUnit.MICROSECONDS.toMillis(pauseMicros) + " ms";
    }

    /**
     * Waits until this server streams from the new primary: then that one accepts commits, also those that wait for a standby, and
     * has one.
     *
     * @return when that was
     */
    private long awaitFollowing(SwitchedOver done) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(COMMITS_WAIT_MS);
        while (true) {
            Optional<ReceiverStatus> receiver =
                    server.findStandby().map(standby -> standby.report().receiver());
            long now = System.nanoTime();
            if (receiver.isPresent()
                    && receiver.get().state() == ReceiverState.STREAMING
                    && receiver.get().receivedTimeline() >= done.timeline()) {
                return now;
            }
            if (now > deadline) {
                throw new IllegalStateException("\"" + done.standby() + "\" is the primary on timeline "
                        + done.timeline()
                        + " from " + Lsn.text(done.startLsn()) + ", but this server does not stream from it yet"
                        + receiver.map(status -> ": " + status.lastError()).orElse("")
                        + "; \"receiver\" says how it goes on");
            }
            TimeUnit.MILLISECONDS.sleep(STREAMING_LOOK_MS);
        }
    }

    private static <T> T join(CompletionStage<T> stage) {
        try {
            return stage.toCompletableFuture().join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof IllegalStateException refused ? refused : e;
        }
    }
}
