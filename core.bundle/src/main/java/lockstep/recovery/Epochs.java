package lockstep.recovery;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import lockstep.transport.api.Epoch;
import lockstep.transport.api.Lsn;

/**
 * The epochs of a log, oldest first: which life of the primary wrote which stretch of it. Each start of a primary opens one.
 *
 * <p>A primary may have sent WAL that it then lost in a crash, and written other WAL at the same positions since. A
 * standby therefore says in which epoch its last byte was written; {@link #endOf} says where that epoch ended, and what
 * the standby holds past it was never part of this log. It was never applied either: a standby applies only what the
 * primary has flushed.
 *
 * <p>Numbers rise at random distances, so that a number names one life of one primary: a copy of the log that is started
 * elsewhere opens an epoch of another number, and each is told from the other by it. See {@link lockstep.transport.api.Term}.
 */
public record Epochs(List<Epoch> list) {
    /** An odd number with no pattern in its bits. */
    private static final long SCATTER = 0x9E3779B97F4A7C15L;

    /** The numbers last for as many epochs as a message can hold. */
    private static final int STEP_BITS = 16;

    /** Checks that numbers and positions rise. */
    public Epochs {
        list = List.copyOf(list);
        if (list.isEmpty()) {
            throw new IllegalArgumentException("a log has at least one epoch");
        }
        for (int i = 1; i < list.size(); i++) {
            Epoch before = list.get(i - 1);
            Epoch next = list.get(i);
            if (next.number() <= before.number() || next.startLsn() < before.startLsn()) {
                throw new IllegalArgumentException("epoch " + next + " does not follow " + before);
            }
        }
    }

    /** Returns the epochs of a new log. */
    public static Epochs first(long startLsn) {
        return new Epochs(List.of(new Epoch(1, startLsn)));
    }

    /**
     * Reads the form that {@link #toString} writes.
     *
     * @throws IllegalArgumentException if it is not that
     */
    public static Epochs parse(String text) {
        List<Epoch> epochs = new ArrayList<>();
        for (String part : text.split(",", -1)) {
            int at = part.indexOf('@');
            if (at < 0) {
                throw new IllegalArgumentException("\"" + part.strip() + "\" is no epoch: expected NUMBER@LSN");
            }
            epochs.add(new Epoch(
                    Integer.parseInt(part.substring(0, at).strip()),
                    Lsn.parse(part.substring(at + 1).strip()).value()));
        }
        return new Epochs(epochs);
    }

    /** Returns the present epoch. */
    public Epoch last() {
        return list.get(list.size() - 1);
    }

    /**
     * Returns these and one more, which begins at {@code startLsn}.
     *
     * @param micros the time, from which its number is drawn
     */
    public Epochs next(long startLsn, long micros) {
        List<Epoch> more = new ArrayList<>(list);
        more.add(new Epoch(unusedNumber(micros), startLsn));
        return new Epochs(more);
    }

    /** Two that begin with the same epochs, because one has been copied from the other, do not both open this one. */
    private int unusedNumber(long micros) {
        return Math.addExact(last().number(), 1 + (int) ((micros * SCATTER) >>> (Long.SIZE - STEP_BITS)));
    }

    /**
     * Returns those that the log has got to, which ends at {@code startLsn}, and one more, which begins there. A standby may know
     * of epochs that its primary has begun further on, in WAL that never came; their numbers are not given out again.
     *
     * @param micros as for {@link #next}
     */
    public Epochs fork(long startLsn, long micros) {
        List<Epoch> kept = new ArrayList<>(
                list.stream().filter(epoch -> epoch.startLsn() <= startLsn).toList());
        kept.add(new Epoch(unusedNumber(micros), startLsn));
        return new Epochs(kept);
    }

    /**
     * Returns up to where this and another log are of the same epochs; {@link Long#MAX_VALUE} if they are all the same.
     * WAL that one of the two holds past it is not part of the other.
     */
    public long sharedLsn(Epochs other) {
        int most = Math.max(list.size(), other.list.size());
        for (int i = 0; i < most; i++) {
            long start = i < list.size() ? list.get(i).startLsn() : Long.MAX_VALUE;
            long otherStart = i < other.list.size() ? other.list.get(i).startLsn() : Long.MAX_VALUE;
            if (i >= list.size() || i >= other.list.size() || !list.get(i).equals(other.list.get(i))) {
                return Math.min(start, otherStart);
            }
        }
        return Long.MAX_VALUE;
    }

    /** Returns those that began before a position, where the log has been cut off; the first at least. */
    public Epochs before(long lsn) {
        return new Epochs(list.stream()
                .filter(epoch -> epoch.startLsn() < lsn || epoch.equals(list.get(0)))
                .toList());
    }

    /** Returns whether these are the earlier ones and perhaps more: a log's epochs only ever grow. */
    public boolean continues(Epochs earlier) {
        return list.size() >= earlier.list.size()
                && list.subList(0, earlier.list.size()).equals(earlier.list);
    }

    /** Returns whether there is such an epoch. */
    public boolean contains(int number) {
        return list.stream().anyMatch(epoch -> epoch.number() == number);
    }

    /**
     * Returns where an epoch ended.
     *
     * @param endLsn where the log ends now, for the present epoch
     */
    public long endOf(int number, long endLsn) {
        for (Epoch epoch : list) {
            if (epoch.number() > number) {
                return epoch.startLsn();
            }
        }
        return endLsn;
    }

    /** Returns where an epoch began, which there is. */
    public long startOf(int number) {
        return list.stream()
                .filter(epoch -> epoch.number() == number)
                .findFirst()
                .orElseThrow()
                .startLsn();
    }

    /** Returns where an epoch ended, {@link Long#MAX_VALUE} for the present one; 0 if there is no such epoch. */
    public long endIfThere(int number) {
        return contains(number) ? endOf(number, Long.MAX_VALUE) : 0;
    }

    @Override
    public String toString() {
        return list.stream()
                .map(epoch -> epoch.number() + "@" + Lsn.text(epoch.startLsn()))
                .collect(Collectors.joining(", "));
    }
}
