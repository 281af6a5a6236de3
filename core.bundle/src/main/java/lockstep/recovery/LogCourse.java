package lockstep.recovery;

import lockstep.commit.CommitPosition;
import lockstep.commit.CommitStatus;
import lockstep.transport.api.Epoch;
import lockstep.wal.TimelineHistory;

/**
 * The course a log has taken: its timelines and its epochs. Tells what has become of a commit.
 *
 * <pre>
 *   the commit's timeline or epoch                                this log                               answer
 *   is one of this log's                                          went on there to behind the commit     COMMITTED, if it is released
 *                                                                                                        here; else IN_DOUBT
 *   is one of this log's                                          left it before the commit              LOST
 *   timeline is newer than this log's                             may be what was left behind            IN_DOUBT
 *   epoch is newer than this log's                                does not reach the commit yet          IN_DOUBT
 *   epoch is newer than this log's, timeline is not               has another epoch there                LOST
 *   is none of this log's                                         any                                    LOST
 * </pre>
 *
 * <p>A bare position, without timeline and epoch, is taken for one of this log.
 */
public record LogCourse(TimelineHistory history, Epochs epochs) {
    /** Returns where a commit of the present timeline stands. */
    public CommitPosition position(long lsn) {
        int number = epochs.list().get(0).number();
        for (Epoch epoch : epochs.list()) {
            if (epoch.startLsn() < lsn) {
                number = epoch.number();
            }
        }
        return new CommitPosition(history.timelineBefore(lsn), number, lsn);
    }

    /**
     * Returns what has become of a commit.
     *
     * @param isReleased whether what ends there in this log is released or, on a standby, applied
     */
    public CommitStatus status(CommitPosition asked, boolean isReleased) {
        CommitStatus here = isReleased ? CommitStatus.COMMITTED : CommitStatus.IN_DOUBT;
        int timeline = asked.timeline();
        if (timeline != 0) {
            if (!history.contains(timeline)) {
                return timeline > history.timeline() ? CommitStatus.IN_DOUBT : CommitStatus.LOST;
            }
            if (asked.lsn() > history.endOf(timeline)) {
                return CommitStatus.LOST;
            }
        }
        int epoch = asked.epoch();
        if (epoch != 0) {
            if (!epochs.contains(epoch)) {
                boolean mayCome = epoch > epochs.last().number() && (timeline == 0 || !isReleased);
                return mayCome ? CommitStatus.IN_DOUBT : CommitStatus.LOST;
            }
            if (asked.lsn() > epochs.endOf(epoch, Long.MAX_VALUE) || asked.lsn() <= epochs.startOf(epoch)) {
                return CommitStatus.LOST;
            }
        }
        return here;
    }
}
