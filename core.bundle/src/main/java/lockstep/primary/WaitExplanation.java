package lockstep.primary;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import lockstep.commit.CommitLevel;
import lockstep.commit.CommitQueue;
import lockstep.commit.DegradedMode;
import lockstep.commit.StandbyPolicy;
import lockstep.commit.SyncRole;
import lockstep.send.SenderState;
import lockstep.send.StandbyView;
import lockstep.wal.Wal;

/**
 * Why commits wait: who has what of the WAL up to a position, who of them is awaited, and what comes next.
 *
 * @param lsn the position asked about, or that of the commit that has waited longest
 * @param released whether a commit there waits for nothing more, by level
 * @param waiters how many commits wait
 * @param waitMicros for how long the oldest has; -1 if none waits
 * @param stage how far this server is with it: {@code inserted}, {@code written} or {@code flushed}
 * @param mode how things stand with the standbys, and what comes next
 */
public record WaitExplanation(
        long lsn,
        List<Released> released,
        long waiters,
        long waitMicros,
        String stage,
        List<Awaited> standbys,
        DegradedMode.Status mode) {
    /** Copies the lists. */
    public WaitExplanation {
        released = List.copyOf(released);
        standbys = List.copyOf(standbys);
    }

    /** Whether a commit of a level is released. */
    public record Released(CommitLevel level, boolean isReleased) {}

    /**
     * A standby that counts for commits, or a name of one that is not there.
     *
     * @param awaited whether a commit at the position waits for it at any level; of names that are not there, whether too few
     *     others are
     * @param stage how far it is: {@code not connected}, a state before streaming, {@code not sent}, {@code sent}, {@code
     *     written}, {@code flushed} or {@code applied}
     * @param replyMicros when it last said something, in {@link lockstep.io.Clock#micros}; 0 if never
     * @param reason why it cannot acknowledge, as it says; empty if it can
     */
    public record Awaited(String name, boolean awaited, String stage, long replyMicros, String reason) {}

    static WaitExplanation of(
            long asked,
            Wal wal,
            CommitQueue queue,
            StandbyPolicy policy,
            DegradedMode mode,
            List<StandbyView> connected) {
        List<CommitQueue.Waiting> waiting = Arrays.stream(queue.waiting())
                .filter(each -> each.waiters() > 0)
                .toList();
        long lsn = asked != 0
                ? asked
                : waiting.stream()
                        .mapToLong(CommitQueue.Waiting::oldestLsn)
                        .filter(oldest -> oldest != 0)
                        .min()
                        .orElse(wal.flushedLsn());
        List<Released> released = Arrays.stream(CommitLevel.values())
                .filter(level -> level != CommitLevel.OFF)
                .map(level -> new Released(level, policy.releasedLsn(level) >= lsn))
                .toList();
        return new WaitExplanation(
                lsn,
                released,
                waiting.stream().mapToLong(CommitQueue.Waiting::waiters).sum(),
                waiting.stream()
                        .mapToLong(CommitQueue.Waiting::oldestWaitMicros)
                        .max()
                        .orElse(-1),
                wal.flushedLsn() >= lsn ? "flushed" : wal.writtenLsn() >= lsn ? "written" : "inserted",
                standbys(lsn, policy, connected, !released.stream().allMatch(Released::isReleased)),
                mode.status());
    }

    private static List<Awaited> standbys(
            long lsn, StandbyPolicy policy, List<StandbyView> connected, boolean isWaiting) {
        List<Awaited> standbys = new ArrayList<>();
        int chosen = 0;
        for (StandbyView standby : connected) {
            if (standby.syncPriority() > 0) {
                boolean isChosen = standby.syncState().equals(SyncRole.State.SYNC.toString())
                        || standby.syncState().equals(SyncRole.State.QUORUM.toString());
                chosen += isChosen ? 1 : 0;
                standbys.add(new Awaited(
                        standby.applicationName(),
                        isWaiting && isChosen && standby.replayLsn() < lsn,
                        stage(standby, lsn),
                        standby.replyMicros(),
                        standby.reason()));
            }
        }
        boolean isShort = isWaiting && chosen < policy.asked();
        for (String name : policy.names().names()) {
            boolean isThere = connected.stream()
                    .anyMatch(standby ->
                            name.equals("*") || standby.applicationName().equalsIgnoreCase(name));
            if (!isThere) {
                standbys.add(new Awaited(name, isShort, "not connected", 0, ""));
            }
        }
        return standbys;
    }

    private static String stage(StandbyView standby, long lsn) {
        if (standby.state() != SenderState.STREAMING) {
            return standby.state().toString();
        } else if (standby.replayLsn() >= lsn) {
            return "applied";
        } else if (standby.flushLsn() >= lsn) {
            return "flushed";
        } else if (standby.writeLsn() >= lsn) {
            return "written";
        }
        return standby.sentLsn() >= lsn ? "sent" : "not sent";
    }
}
