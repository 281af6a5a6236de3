package lockstep.commit;

import java.util.Locale;
import java.util.concurrent.TimeUnit;

/**
 * Which standbys commits wait for, and what happens without them.
 *
 * @param names who counts ({@code synchronous_standby_names})
 * @param unavailable what happens when too few are there ({@code standby_unavailable})
 * @param timeoutNanos after which time without them, or without progress, they count as unavailable ({@code
 *     standby_timeout})
 * @param degradeTo what commits still wait for in degraded mode ({@code degrade_to})
 * @param minCopies how many copies on a disk, the primary's own among them, a commit has even then ({@code min_copies})
 * @param maxNanos the longest time in degraded mode ({@code degraded_max_time}); 0 for no limit
 * @param maxWalBytes the most WAL in degraded mode ({@code degraded_max_wal}); 0 for no limit
 * @param exhausted what happens to new commits past either ({@code degraded_exhausted})
 * @param returnNanos how long the required standbys must have been back before degraded mode is left ({@code
 *     degraded_return_delay})
 */
public record SynchronousConfig(
        StandbyNames names,
        Unavailable unavailable,
        long timeoutNanos,
        DegradeTo degradeTo,
        int minCopies,
        long maxNanos,
        long maxWalBytes,
        Exhausted exhausted,
        long returnNanos) {
    /** What happens when too few standbys are there. */
    public enum Unavailable {
        /** Commits wait for ever. */
        HANG,
        /** Commits wait for a time, then the server degrades. */
        WAIT,
        /** The server degrades at once. */
        DEGRADE
    }

    /** What commits that ask a standby wait for in degraded mode. */
    public enum DegradeTo {
        /** The primary's flush. */
        LOCAL,
        /** That as many standbys as usual have written it, flushed or not. */
        REMOTE_WRITE,
        /** As many standbys as are left. */
        FEWER
    }

    /** What happens to new commits past a limit of degraded mode. */
    public enum Exhausted {
        /** They wait for their standbys. */
        HANG,
        /** They are refused. */
        FAIL
    }

    /** Returns what PostgreSQL does: to wait for those standbys for ever. */
    public static SynchronousConfig hang(String names) {
        return new SynchronousConfig(
                StandbyNames.parse(names),
                Unavailable.HANG,
                TimeUnit.SECONDS.toNanos(10),
                DegradeTo.LOCAL,
                1,
                0,
                0,
                Exhausted.HANG,
                TimeUnit.SECONDS.toNanos(1));
    }

    /** Reads the form of an enumeration used in configuration, such as {@code remote_write}. */
    public static <E extends Enum<E>> E parse(Class<E> type, String text) {
        return Enum.valueOf(type, text.strip().toUpperCase(Locale.ROOT));
    }

    /** Returns the form of an enumeration used in configuration. */
    static String text(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
