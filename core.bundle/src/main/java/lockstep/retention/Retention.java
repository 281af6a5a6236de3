package lockstep.retention;

import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import lockstep.config.ServerConfiguration;
import lockstep.config.Units;
import lockstep.io.Clock;
import lockstep.retention.ReplicationSlots.Slot;
import lockstep.transport.api.Lsn;
import lockstep.wal.Wal;
import lockstep.wal.WalLayout;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides which WAL is kept, on primaries and standbys alike: the only place that removes segments because they are old.
 *
 * <p><b>Idea.</b> Everybody who needs WAL says from where; the least of these positions is where the log begins. Some of
 * them wait for nobody, and two are bounded, so that a standby that never comes back cannot fill the disk:
 * <pre>
 *   who needs WAL                       from                                        bound
 *   this server's next start            the redo position before the last one       (none)
 *   standbys that are away              wal_keep_size before the end                is one itself
 *   a replication slot                  its restart_lsn                             max_slot_wal_keep_size
 *   a connected standby without a slot  what it has flushed                         the same
 *   the archive                         the first segment that is not archived      (none: nothing is lost to it)
 * </pre>
 *
 * <p><b>Beyond the bound</b> a slot is first <i>unreserved</i>; it is invalidated, and its session ended, by the checkpoint
 * that removes what it needs, never before. Warnings are logged when half, and when four fifths, of what it may hold are
 * used up. All counts are whole segments, as in PostgreSQL.
 *
 * <p>Threads: {@link #remove} and {@link #observe} from one at a time; the rest from any.
 */
public final class Retention {
    private static final int HALF_PERCENT = 50;
    private static final int MOST_PERCENT = 80;
    private static final int ALL_PERCENT = 100;

    private static final Logger log = LoggerFactory.getLogger(Retention.class);

    /**
     * How much WAL is kept.
     *
     * @param keepBytes for standbys that are away ({@code wal_keep_size})
     * @param maxSlotKeepBytes for a slot at the most ({@code max_slot_wal_keep_size}); -1 for any amount
     * @param maxWalBytes what is usual between checkpoints ({@code max_wal_size})
     * @param maxSlots how many slots there may be ({@code max_replication_slots})
     */
    public record Config(long keepBytes, long maxSlotKeepBytes, long maxWalBytes, int maxSlots) {
        /** Reads it from the parameters. */
        public static Config of(ServerConfiguration values) {
            return new Config(
                    Units.bytes(values.walKeepSize()),
                    Units.bytes(values.maxSlotWalKeepSize()),
                    Units.bytes(values.maxWalSize()),
                    values.maxReplicationSlots());
        }
    }

    /** The connected standbys. */
    public interface Attached {
        /** Returns the first position that one of them needs; {@link Long#MAX_VALUE} if none needs any. */
        long oldestNeededLsn();

        /** Ends the sessions of those that need WAL before a position, saying so: it is about to be removed. */
        void endBefore(long lsn);
    }

    private final Wal wal;
    private final WalLayout layout;
    private final ReplicationSlots slots;
    private final Attached attached;
    private final LongSupplier redoLsn;
    private final LongSupplier unarchivedLsn;
    private final Supplier<Config> config;
    private final Clock clock;
    private final WalRate rate;
    private final Map<Slot, Integer> warnedPercent = new HashMap<>();

    /**
     * Begins to measure how fast the log grows.
     *
     * @param redoLsn where redo starts from the last checkpoint or restartpoint
     * @param unarchivedLsn the start of the first segment that is finished and not archived; {@link Long#MAX_VALUE} if
     *     there is none
     */
    public Retention(
            Wal wal,
            ReplicationSlots slots,
            Attached attached,
            LongSupplier redoLsn,
            LongSupplier unarchivedLsn,
            Supplier<Config> config,
            Clock clock) {
        this.wal = wal;
        layout = wal.config().layout();
        this.slots = slots;
        this.attached = attached;
        this.redoLsn = redoLsn;
        this.unarchivedLsn = unarchivedLsn;
        this.config = config;
        this.clock = clock;
        rate = new WalRate(wal.flushedLsn(), clock.nanos());
    }

    /**
     * Recycles or removes what nobody needs, after a checkpoint or restartpoint.
     *
     * @param priorRedoLsn where redo starts from the checkpoint before the last one
     * @return how many segments are no longer there under their old name
     */
    public int remove(long priorRedoLsn) throws IOException {
        slots.trySave();
        long endLsn = wal.flushedLsn();
        Bounds bounds = bounds(endLsn);
        long ownLsn = Math.min(Math.min(priorRedoLsn, bounds.keepLsn()), unarchivedLsn.getAsLong());
        long goneLsn = layout.segmentStart(layout.segmentOf(Math.min(ownLsn, bounds.slotLsn())));
        slots.invalidateBefore(Math.max(goneLsn, wal.files().oldestLsn(endLsn)));
        attached.endBefore(goneLsn);
        long keepLsn = Math.min(ownLsn, Math.min(slots.oldestLsn(), attached.oldestNeededLsn()));
        return wal.files().removeBefore(keepLsn, wal.filledLsn());
    }

    private Bounds bounds(long endLsn) {
        Config now = config.get();
        return Bounds.of(layout, endLsn, now);
    }

    /** Measures, and warns of slots that will be lost. Now and then, every second or so. */
    public void observe() {
        long endLsn = wal.flushedLsn();
        rate.sample(endLsn, clock.nanos());
        List<Slot> all = slots.all();
        warnedPercent.keySet().retainAll(all);
        for (Slot slot : all) {
            warn(slot, endLsn);
        }
    }

    private void warn(Slot slot, long endLsn) {
        long restartLsn = slot.restartLsn();
        long failLsn = bounds(endLsn).failLsn(restartLsn);
        if (slot.isInvalidated() || restartLsn == Lsn.INVALID || failLsn == Long.MAX_VALUE) {
            warnedPercent.remove(slot);
            return;
        }
        long percent = (endLsn - restartLsn) * ALL_PERCENT / (failLsn - restartLsn);
        int reached = percent >= MOST_PERCENT ? MOST_PERCENT : percent >= HALF_PERCENT ? HALF_PERCENT : 0;
        if (reached > warnedPercent.getOrDefault(slot, 0)) {
            log.warn(
                    "replication slot \"{}\" holds {} kB of WAL from {} on, {} % of what max_slot_wal_keep_size allows; {}."
                            + " Start its standby, or drop the slot",
                    slot.name(),
                    (endLsn - restartLsn) >> 10,
                    Lsn.text(restartLsn),
                    percent,
                    prospect(failLsn - endLsn));
        }
        warnedPercent.put(slot, reached);
    }

    private String prospect(long safeBytes) {
        long seconds = rate.secondsFor(safeBytes);
        if (safeBytes <= 0) {
            return "it is lost with the next checkpoint";
        }
        return seconds < 0
                ? "it is lost when " + (safeBytes >> 10) + " kB more are written"
                : "at the present rate it is lost in " + TimeUnit.SECONDS.toMinutes(seconds) + " minutes";
    }

    /** Returns the slots, by name. */
    public List<SlotView> slots() {
        Bounds bounds = bounds(wal.flushedLsn());
        return slots.all().stream().map(slot -> view(slot, bounds)).toList();
    }

    private SlotView view(Slot slot, Bounds bounds) {
        long restartLsn = slot.restartLsn();
        WalStatus status = slot.isInvalidated() ? WalStatus.LOST : bounds.status(restartLsn);
        long safe =
                status == WalStatus.NONE || status == WalStatus.LOST ? Long.MAX_VALUE : bounds.safeBytes(restartLsn);
        return new SlotView(
                slot.name(),
                slot.isActive(),
                restartLsn,
                status,
                safe,
                safe == Long.MAX_VALUE ? -1 : rate.secondsFor(safe),
                slot.isInvalidated() ? "wal_removed" : "",
                slot.inactiveSinceMicros());
    }

    /**
     * Makes a slot; on the disk when this returns.
     *
     * @param reserve whether it holds WAL at once, from the last checkpoint's redo position on; otherwise from the moment
     *     a standby uses it
     */
    public SlotView createSlot(String name, boolean reserve) throws SlotException, IOException {
        slots.create(name, reserve ? redoLsn.getAsLong() : Lsn.INVALID);
        return slots().stream()
                .filter(slot -> slot.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    /** Removes a slot that nobody uses. */
    public void dropSlot(String name) throws SlotException, IOException {
        slots.drop(name);
    }
}
