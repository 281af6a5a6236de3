package lockstep.receiver;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;
import lockstep.io.Clock;
import lockstep.io.Disk;
import lockstep.io.Panic;
import lockstep.io.SyncMethod;
import lockstep.io.Workers;
import lockstep.receiver.api.MissingRange;
import lockstep.receiver.api.Promoted;
import lockstep.receiver.api.StandbyReport;
import lockstep.redo.Redone;
import lockstep.retention.Retention;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SenderConfig;
import lockstep.send.WalSenders;
import lockstep.transport.api.Endpoint;
import lockstep.transport.api.Transport;
import lockstep.wal.Wal;

/** A standby put together by hand, for tests in other packages. */
public final class StandbyServer implements AutoCloseable {
    private final Standby standby;
    private final Function<Endpoint, StandbyConfig> config;
    private final AtomicReference<Redone> redone = new AtomicReference<>();

    public StandbyServer(
            String name,
            Endpoint upstream,
            int walBufferBytes,
            SyncMethod syncMethod,
            Disk disk,
            Clock clock,
            Workers workers,
            Panic panic,
            ResourceManagers managers,
            Transport transport,
            Consumer<WalSenders> serving) {
        config = endpoint -> new StandbyConfig(
                name,
                List.of(endpoint),
                500,
                3_000,
                1_000,
                walBufferBytes,
                syncMethod,
                new SenderConfig(10, 3_000),
                "",
                false,
                new Retention.Config(0, -1, 8 << 20, 10),
                "");
        Transports transports = new Transports();
        transports.add(transport);
        standby = new Standby(
                config.apply(upstream), disk, clock, workers, panic, managers, transports, redone::set, serving);
    }

    public void start() {
        standby.start();
    }

    /** Has it go on with another upstream. */
    public void follow(Endpoint upstream) {
        standby.configure(config.apply(upstream));
    }

    public void rebuild() {
        standby.rebuild();
    }

    public StandbyReport report() {
        return standby.report();
    }

    public Optional<Wal> wal() {
        return standby.wal();
    }

    public CompletionStage<Promoted> promote(boolean force) {
        return standby.promote(force);
    }

    public Optional<MissingRange> missingRange() {
        return standby.missingRange();
    }

    /** Returns what it has left to a primary, once it has been promoted. */
    public Optional<Redone> redone() {
        return Optional.ofNullable(redone.get());
    }

    public void pauseRedo() {
        standby.pauseRedo();
    }

    public void resumeRedo() {
        standby.resumeRedo();
    }

    @Override
    public void close() throws IOException {
        standby.close();
    }
}
