package lockstep.receiver;

import java.io.IOException;
import java.util.Optional;
import java.util.function.LongSupplier;
import lockstep.commit.CommitLevel;
import lockstep.commit.StandbyPolicy;
import lockstep.io.Clock;
import lockstep.io.Workers;
import lockstep.recovery.ControlFile;
import lockstep.recovery.ControlStore;
import lockstep.retention.ReplicationSlots;
import lockstep.rmgr.BackupSink;
import lockstep.rmgr.ResourceManagers;
import lockstep.send.SendingServer;
import lockstep.send.WalSenders;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Message.DegradedRange;
import lockstep.transport.api.Message.DownstreamStatus;
import lockstep.transport.api.Term;
import lockstep.wal.Wal;
import lockstep.wal.WalListener;

/**
 * The standbys of this standby: serves them base backups and WAL from its own log, with the senders that a primary has.
 *
 * <p><b>Idea.</b> Downstream, this standby stands for the primary; so all that a primary promises must hold for what it
 * sends:
 * <ol>
 *   <li>What it sends is checked and on the disk here. So a crash of this server loses nothing that downstream has, but for
 *       a last record that had come in part.
 *   <li>It passes on how far the <i>primary</i> has flushed, as far as its own log reaches: nobody in the tree applies
 *       what the primary may lose.
 *   <li>Before its own log is cut back, and when it has learned of a new epoch, it ends all sessions downstream. Who connects
 *       again is told the epochs, and cuts back what this server has cut back. A session therefore never carries bytes of
 *       two histories.
 * </ol>
 * In return, what a downstream that is connected needs is not removed by restartpoints.
 *
 * <p><b>Fairness.</b> The receiver and the WAL writer only wake senders here; each sender reads and sends on its own worker, at
 * its own pace. How far downstream is plays no part in what this standby acknowledges, unless {@code relay_ack} says so.
 *
 * <p><b>A base backup</b> begins with the last restartpoint, and has the files of the resource managers as they are on the
 * disk, which may be ahead of it, but never of what the primary has flushed. WAL brings them together, as on this server
 * when it restarts.
 */
final class Downstream implements SendingServer, WalListener {
    private static final int SERVER_ID_SHIFT = 12;

    private final ControlStore control;
    private final ResourceManagers managers;
    private final Wal wal;
    private final MissingWal missing;
    private final LongSupplier sendableLsn;
    private final LongSupplier primaryFlushedLsn;
    private final ReplicationSlots slots;
    private final long serverId;
    private final WalSenders senders;
    private volatile Optional<StandbyPolicy> acknowledging = Optional.empty();
    private volatile Runnable progressListener = () -> {};

    /**
     * Begins without sessions.
     *
     * @param sendableLsn up to where WAL is checked and on the disk
     * @param primaryFlushedLsn up to where the primary is known to have flushed
     */
    Downstream(
            StandbyConfig config,
            ControlStore control,
            ResourceManagers managers,
            Wal wal,
            MissingWal missing,
            LongSupplier sendableLsn,
            LongSupplier primaryFlushedLsn,
            ReplicationSlots slots,
            Workers workers,
            Clock clock) {
        this.control = control;
        this.managers = managers;
        this.wal = wal;
        this.missing = missing;
        this.sendableLsn = sendableLsn;
        this.primaryFlushedLsn = primaryFlushedLsn;
        this.slots = slots;
        // Two servers with the same name that started in the same microsecond would be needed to have this twice.
        serverId = clock.micros() << SERVER_ID_SHIFT ^ config.name().hashCode();
        senders = new WalSenders(wal, this, config.senders(), workers, clock);
        configure(config);
        wal.addListener(this);
    }

    /** Goes by another configuration from now on: how many are served, and who must have what this standby acknowledges. */
    void configure(StandbyConfig config) {
        senders.configure(config.senders());
        acknowledging = config.acknowledging()
                .map(names -> new StandbyPolicy(this::sendableLsn, senders::progress, names, Lsn.INVALID));
        progressListener.run();
    }

    /** Tells of each standby that has moved, come or gone. */
    void onProgress(Runnable listener) {
        progressListener = listener;
    }

    /**
     * Returns up to where the standbys that count have what a level asks for; any position if what this standby acknowledges
     * is its own affair.
     */
    long acknowledgedLsn(CommitLevel level) {
        Optional<StandbyPolicy> now = acknowledging;
        return now.isEmpty() ? Long.MAX_VALUE : now.get().releasedLsn(level);
    }

    WalSenders senders() {
        return senders;
    }

    @Override
    public ControlFile control() {
        return control.get();
    }

    @Override
    public ReplicationSlots slots() {
        return slots;
    }

    @Override
    public boolean isStandby() {
        return true;
    }

    @Override
    public long serverId() {
        return serverId;
    }

    @Override
    public long endLsn() {
        return sendableLsn();
    }

    @Override
    public long sendableLsn() {
        return sendableLsn.getAsLong();
    }

    @Override
    public long primaryFlushedLsn() {
        return Math.min(sendableLsn(), primaryFlushedLsn.getAsLong());
    }

    @Override
    public void checkpoint() {
        // A standby cannot: a backup begins with its last restartpoint.
    }

    @Override
    public void backup(BackupSink sink) throws IOException {
        // Of a PostgreSQL server's log no resource manager here has anything.
        if (!control().format().isPostgres()) {
            managers.backup(sink);
        }
    }

    @Override
    public DegradedRange degradedRange(long standbyEndLsn) {
        return missing.said();
    }

    /** The primary has told of WAL whose commits it acknowledged alone, which concerns those downstream as well. */
    void degraded(DegradedRange said) {
        senders.tell(said, standby -> true);
    }

    @Override
    public void standbyLeaving() {
        // No commit waits here.
    }

    @Override
    public void superseded(Term term, String by) {
        // It follows whom it follows; its own primary will say what there is.
    }

    @Override
    public void standbyProgressed() {
        if (acknowledging.isPresent()) {
            progressListener.run();
        }
    }

    /** There is more to send. */
    @Override
    public void flushed(long lsn) {
        senders.flushed(sendableLsn());
    }

    /** Returns whether a standby of that name is connected. */
    boolean serves(String name) {
        return senders.find(name).isPresent();
    }

    /** Returns what upstream is told of all standbys below this one. */
    DownstreamStatus status() {
        return senders.downstreamStatus();
    }

    /** The primary has flushed more, which those downstream wait for before they apply. */
    void primaryFlushed() {
        senders.primaryFlushed();
    }

    /** Ends all sessions; see above for when. */
    void endSessions(String cause) {
        senders.endSessions(cause);
    }

    /** Sends what is left and ends all sessions: nothing more is received. */
    void close() {
        senders.close();
        wal.removeListener(this);
    }
}
