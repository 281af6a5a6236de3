package lockstep.retention;

import lockstep.transport.api.Lsn;
import lockstep.wal.WalLayout;

/**
 * How far back WAL is kept at one moment, in whole segments.
 *
 * <pre>
 *   ... | lost | unreserved |  extended  |   reserved   | end
 *              ^            ^            ^
 *      first file there   slot bound   max_wal_size and one more
 * </pre>
 *
 * @param endLsn where the log ends
 * @param keepSegments segments kept for standbys that are away
 * @param slotSegments segments that a slot may hold besides the present one; -1 for any number
 * @param usualSegments segments that are usual between checkpoints
 */
record Bounds(WalLayout layout, long endLsn, long keepSegments, long slotSegments, long usualSegments) {
    static Bounds of(WalLayout layout, long endLsn, Retention.Config config) {
        long segment = layout.segmentBytes();
        return new Bounds(
                layout,
                endLsn,
                config.keepBytes() / segment + (config.keepBytes() % segment == 0 ? 0 : 1),
                config.maxSlotKeepBytes() < 0 ? -1 : config.maxSlotKeepBytes() / segment,
                config.maxWalBytes() / segment + 1);
    }

    private long back(long segments) {
        return layout.segmentStart(Math.max(0, layout.segmentOf(endLsn) - segments));
    }

    /** Returns from where WAL is kept for standbys that are away. */
    long keepLsn() {
        return back(keepSegments);
    }

    /** Returns from where a slot may hold WAL; 0 if from anywhere. */
    long slotLsn() {
        return slotSegments < 0 ? 0 : back(slotSegments);
    }

    /** Returns at which end of the log a slot is lost; {@link Long#MAX_VALUE} if at none. */
    long failLsn(long restartLsn) {
        long segments = Math.max(slotSegments, keepSegments) + 1;
        return slotSegments < 0 || segments > (Long.MAX_VALUE - restartLsn) / layout.segmentBytes()
                ? Long.MAX_VALUE
                : layout.segmentStart(layout.segmentOf(restartLsn) + segments);
    }

    /** Returns how much more may be written before it is; 0 or less if nothing. */
    long safeBytes(long restartLsn) {
        long failLsn = failLsn(restartLsn);
        return failLsn == Long.MAX_VALUE ? Long.MAX_VALUE : failLsn - endLsn;
    }

    /** Returns how the WAL from a position on is kept, as long as it is there. */
    WalStatus status(long restartLsn) {
        if (restartLsn == Lsn.INVALID) {
            return WalStatus.NONE;
        }
        if (endLsn >= failLsn(restartLsn)) {
            return WalStatus.UNRESERVED;
        }
        return restartLsn >= back(usualSegments) ? WalStatus.RESERVED : WalStatus.EXTENDED;
    }
}
