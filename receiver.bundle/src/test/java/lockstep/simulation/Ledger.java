package lockstep.simulation;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.LongPredicate;
import java.util.function.Supplier;
import lockstep.commit.CommitLevel;
import lockstep.commit.CommitOutcome;
import lockstep.commit.DegradedPeriod;
import lockstep.transport.api.Lsn;
import lockstep.wal.SegmentFiles;
import lockstep.wal.WalLayout;

/**
 * What was promised to clients, and the comparison of the promises with what is on the two disks. Believes no position that a
 * server tells: it looks at the bytes.
 */
final class Ledger implements NumberStore.Witness {
    private static final int TIMELINE = 1;

    /** What is compared at a time; segments consist of whole pieces. */
    private static final int PIECE_BYTES = 32 << 10;

    /**
     * What a client was told.
     *
     * @param level what it had asked for
     * @param isRemote whether a standby must have it
     */
    private record Promise(long lsn, CommitLevel level, boolean isRemote) {}

    private final WalLayout layout;
    private final Tally tally;
    private final Map<Long, String> paths = new HashMap<>();
    private final TreeMap<Long, Promise> promises = new TreeMap<>();
    private final Map<Long, NumberStore.NumberCommit> asked = new HashMap<>();
    private final Set<Long> doubted = new HashSet<>();
    private boolean marksMayBeOld;
    private boolean standbyWasLost;
    private final TreeMap<Long, Long> redoneOnStandby = new TreeMap<>();
    private SimDisk primary;
    private SimDisk standby;
    private boolean standbyCounts;
    private boolean mayDegrade;
    private final Set<NumberStore.NumberCommit> acknowledgedByStandby = new HashSet<>();
    private final Set<NumberStore.NumberCommit> atRisk = new HashSet<>();
    private final Map<NumberStore.NumberCommit, String> mustSayLocalOnly = new LinkedHashMap<>();
    private long remotePromisedLsn;

    Ledger(WalLayout layout, Tally tally) {
        this.layout = layout;
        this.tally = tally;
    }

    /** After a crash, commits may become visible without a standby. */
    void mayDegrade() {
        mayDegrade = true;
    }

    /** Looks at these disks from now on. */
    void disks(SimDisk primaryDisk, SimDisk standbyDisk) {
        primary = primaryDisk;
        standby = standbyDisk;
    }

    /** The standby's data directory has been emptied: until it has been built again there is one copy. */
    void standbyLost() {
        standbyCounts = false;
        standbyWasLost = true;
        redoneOnStandby.clear();
    }

    /** The standby will give up its data for a new base backup; until then it acknowledges what it has. */
    void standbyRebuilds() {
        standbyWasLost = true;
    }

    /** Everything is at rest, and on the standby. */
    void standbyIsWhole() {
        standbyWasLost = false;
    }

    boolean wasStandbyLost() {
        return standbyWasLost;
    }

    /** Whether commits may have been answered LOCAL_ONLY. */
    boolean mayLackCommits() {
        return mayDegrade;
    }

    /** What the standby has acknowledged so far need not be on it: it has been built anew. */
    void standbyIncomplete() {
        standbyCounts = false;
        acknowledgedByStandby.clear();
    }

    /** The standby holds all that was promised, and is to keep it. */
    void standbyComplete() {
        standbyCounts = true;
    }

    /** Returns up to where the standby must have the log. */
    long remotePromisedLsn() {
        return standbyCounts ? remotePromisedLsn : 0;
    }

    /** A client commits. */
    void asked(NumberStore.NumberCommit commit) {
        asked.put(commit.number(), commit);
    }

    /** The primary's machine has lost its power: it may have forgotten what it had released last. */
    void primaryLostPower() {
        marksMayBeOld = true;
    }

    /** A number becomes visible on the primary by redo, after a crash: it must have been as safe as its level says by then. */
    @Override
    public void redone(long number, long lsn) {
        doubted.remove(number);
        if (promises.containsKey(number)) {
            return;
        }
        NumberStore.NumberCommit commit = asked.get(number);
        tally.count(Event.RECOVERED_UNANSWERED);
        if (commit.level().compareTo(CommitLevel.ON) >= 0 && !standbyWasLost && !mayDegrade) {
            long from = Math.max(layout.segmentStart(layout.segmentOf(lsn - 1)), lsn - commit.bytes());
            byte[] there = bytes(standby, from, lsn, true);
            check(
                    there == null || Arrays.equals(bytes(primary, from, lsn, true), there),
                    () -> describe(commit) + " is shown after a crash before it is on the standby's disk");
            if (there != null) {
                remotePromisedLsn = Math.max(remotePromisedLsn, lsn);
                standbyCounts = true;
            }
        }
        promises.put(
                number,
                new Promise(lsn, commit.level(), !mayDegrade && commit.level().compareTo(CommitLevel.ON) >= 0));
    }

    /** A commit is about to become visible on the primary, and acknowledged: it must be as safe as its level says. */
    @Override
    public void released(NumberStore.NumberCommit commit, boolean early) {
        tally.count(early ? Event.EARLY_RELEASE : Event.COMMIT_RELEASED);
        long to = commit.lsn();
        long from = Math.max(layout.segmentStart(layout.segmentOf(to - 1)), to - commit.bytes());
        byte[] here = bytes(primary, from, to, true);
        check(
                here != null && Arrays.equals(here, bytes(primary, from, to, false)),
                () -> describe(commit) + " is released before it is on the primary's disk");
        if (commit.level().compareTo(CommitLevel.ON) >= 0) {
            if (!Arrays.equals(here, bytes(standby, from, to, true))) {
                mustSayLocalOnly.put(commit, describe(commit) + " is released before it is on the standby's disk");
                if (!standbyWasLost) {
                    atRisk.add(commit);
                }
                promises.put(commit.number(), new Promise(to, commit.level(), false));
                return;
            }
            acknowledgedByStandby.add(commit);
        }
        if (commit.level() == CommitLevel.REMOTE_APPLY) {
            Long redoneLsn = redoneOnStandby.get(commit.number());
            if (redoneLsn == null || redoneLsn != to) {
                mustSayLocalOnly.put(commit, describe(commit) + " is released before the standby has redone it");
            }
        }
        promises.put(
                commit.number(), new Promise(to, commit.level(), commit.level().compareTo(CommitLevel.ON) >= 0));
    }

    /**
     * Looks at what was answered: who got less than was asked for must have been told, and be in a recorded period if only the
     * primary has it.
     *
     * @param periods the degraded periods that the primary has recorded
     */
    void judgeOutcomes(List<DegradedPeriod> periods) {
        mustSayLocalOnly.forEach((commit, otherwise) -> {
            if (commit.isReleased()) {
                check(commit.outcome() instanceof CommitOutcome.LocalOnly, () -> otherwise);
                tally.count(Event.LOCAL_ONLY);
                check(
                        !atRisk.contains(commit)
                                || periods.stream()
                                        .anyMatch(period -> commit.lsn() > period.startLsn()
                                                && (period.isOpen() || commit.lsn() <= period.endLsn())),
                        () -> describe(commit) + " is in no degraded period of " + periods);
            }
        });
        acknowledgedByStandby.forEach(commit -> {
            if (!(commit.outcome() instanceof CommitOutcome.LocalOnly)) {
                remotePromisedLsn = Math.max(remotePromisedLsn, commit.lsn());
                standbyCounts = true;
            }
        });
        acknowledgedByStandby.clear();
        mustSayLocalOnly.clear();
        atRisk.clear();
    }

    private static String describe(NumberStore.NumberCommit commit) {
        return "commit " + commit.number() + " at " + Lsn.text(commit.lsn()) + ", level " + commit.level();
    }

    /** A number becomes visible on the standby: the primary must not be able to lose it any more. */
    void redoneOnStandby(long number, long lsn) {
        redoneOnStandby.put(number, lsn);
        long from = Math.max(layout.segmentStart(layout.segmentOf(lsn - 1)), lsn - 64);
        byte[] there = bytes(primary, from, lsn, true);
        check(
                there == null || Arrays.equals(there, bytes(standby, from, lsn, true)),
                () -> "the standby shows commit " + number + " at " + Lsn.text(lsn)
                        + ", which is not the same on the primary's disk");
    }

    /**
     * The primary has recovered: what was visible is visible. Only a loss of power may have put in doubt again what asks for a
     * standby.
     *
     * @param doubtful says of an LSN whether it is in what the primary calls in doubt
     */
    void primaryRecovered(NavigableMap<Long, Long> numbers, LongPredicate doubtful) {
        promises.forEach((number, promise) -> {
            if (marksMayBeOld
                    && promise.level.compareTo(CommitLevel.LOCAL) > 0
                    && !numbers.containsKey(number)
                    && doubtful.test(promise.lsn)) {
                tally.count(Event.DOUBTED_AGAIN);
                doubted.add(number);
            }
        });
        marksMayBeOld = false;
        recovered("the primary", numbers, false);
    }

    /** A server has recovered: all that was promised must be there. */
    void recovered(String server, NavigableMap<Long, Long> numbers, boolean remote) {
        promises.forEach((number, promise) -> {
            if (!doubted.contains(number) && (!remote || promise.isRemote)) {
                Long lsn = numbers.get(number);
                check(
                        lsn != null && lsn == promise.lsn,
                        () -> "commit " + number + " was acknowledged at " + promise.level + " at "
                                + Lsn.text(promise.lsn)
                                + "; after recovery " + server + " has it at "
                                + (lsn == null ? "no place" : Lsn.text(lsn)));
            }
        });
    }

    /** Everything is at rest: nothing may be in doubt any more. */
    void atRest() {
        check(doubted.isEmpty(), () -> "acknowledged before a loss of power and not visible yet: " + doubted);
    }

    /** Compares what both have on the disk. */
    void compare(long fromLsn, long toLsn) {
        for (long from = fromLsn; from < toLsn; ) {
            long to = Math.min(toLsn, (from / PIECE_BYTES + 1) * PIECE_BYTES);
            byte[] here = bytes(primary, from, to, true);
            byte[] there = bytes(standby, from, to, true);
            if (here != null && there != null) {
                int at = Arrays.mismatch(here, there);
                long start = from;
                check(at < 0, () -> "the standby's log differs from the primary's at " + Lsn.text(start + at));
            }
            from = to;
        }
    }

    /** Returns WAL within one segment as it is on a disk; null if the segment is not there. */
    private byte[] bytes(SimDisk disk, long from, long to, boolean flushedOnly) {
        String path = paths.computeIfAbsent(
                layout.segmentOf(from),
                segment -> SegmentFiles.DIRECTORY + '/' + layout.segmentName(TIMELINE, segment));
        return disk.content(path, layout.offsetInSegment(from), (int) (to - from), flushedOnly);
    }

    private static void check(boolean good, Supplier<String> otherwise) {
        if (!good) {
            throw new AssertionError(otherwise.get());
        }
    }
}
