package lockstep.recovery;

import java.io.IOException;
import lockstep.commit.CommitPosition;
import lockstep.commit.CommitStatus;
import lockstep.io.Disk;
import lockstep.transport.api.Epoch;
import lockstep.transport.api.Lsn;
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
    /** Returns that of the log in a data directory, which has a control file. */
    public static LogCourse of(Disk disk) throws IOException {
        ControlFile control = ControlFile.read(disk);
        return new LogCourse(control.identity(disk).history(), control.epochs());
    }

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
        return answer(asked, isReleased).status();
    }

    /**
     * What has become of a commit.
     *
     * @param reason where this log and that of the commit differ, for people; empty if they do not
     */
    public record Answer(CommitStatus status, String reason) {}

    /** Returns what has become of a commit, and why; {@code isReleased} as above. */
    public Answer answer(CommitPosition asked, boolean isReleased) {
        int timeline = asked.timeline();
        if (timeline != 0) {
            if (!history.contains(timeline)) {
                return timeline > history.timeline()
                        ? new Answer(
                                CommitStatus.IN_DOUBT,
                                "this log has no timeline " + timeline + ", its newest is " + history.timeline()
                                        + ": a server that has it can tell")
                        : new Answer(CommitStatus.LOST, "this log never was on timeline " + timeline);
            }
            if (asked.lsn() > history.endOf(timeline)) {
                return new Answer(
                        CommitStatus.LOST,
                        "this log left timeline " + timeline + " at " + Lsn.text(history.endOf(timeline)));
            }
        }
        int epoch = asked.epoch();
        if (epoch != 0) {
            if (!epochs.contains(epoch)) {
                boolean mayCome = epoch > epochs.last().number() && (timeline == 0 || !isReleased);
                return mayCome
                        ? new Answer(
                                CommitStatus.IN_DOUBT,
                                "this log has no epoch " + epoch + ", its newest is "
                                        + epochs.last().number() + ": a server that has it can tell")
                        : new Answer(CommitStatus.LOST, "this log has another epoch there");
            }
            long endLsn = epochs.endOf(epoch, Long.MAX_VALUE);
            if (asked.lsn() > endLsn || asked.lsn() <= epochs.startOf(epoch)) {
                return new Answer(
                        CommitStatus.LOST,
                        "epoch " + epoch + " of this log begins at " + Lsn.text(epochs.startOf(epoch))
                                + (endLsn == Long.MAX_VALUE ? "" : " and ends at " + Lsn.text(endLsn)));
            }
        }
        return new Answer(isReleased ? CommitStatus.COMMITTED : CommitStatus.IN_DOUBT, "");
    }
}
