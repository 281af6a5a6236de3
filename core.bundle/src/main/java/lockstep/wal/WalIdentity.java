package lockstep.wal;

/**
 * Which log it is: what every page of it must agree with. All who read or write one log in a server share one of these, so
 * that they go over to another timeline together.
 *
 * <p>{@link #follow} changes nothing for WAL that is there already: both histories agree on it. Thread-safe.
 */
public final class WalIdentity {
    private final long systemId;
    private final WalLayout layout;
    private final WalFormat format;
    private volatile TimelineHistory history;

    /** Names a log that Lockstep writes. */
    public WalIdentity(long systemId, TimelineHistory history, WalLayout layout) {
        this(systemId, history, layout, WalFormat.LOCKSTEP);
    }

    /**
     * Names a log.
     *
     * @param systemId the system, as in the header of each segment
     * @param history the timelines of its pages
     * @param format who writes it
     */
    public WalIdentity(long systemId, TimelineHistory history, WalLayout layout, WalFormat format) {
        this.systemId = systemId;
        this.history = history;
        this.layout = layout;
        this.format = format;
    }

    /** Returns the system. */
    public long systemId() {
        return systemId;
    }

    /** Returns where things stand in it. */
    public WalLayout layout() {
        return layout;
    }

    /** Returns who writes it. */
    public WalFormat format() {
        return format;
    }

    /** Returns which timeline wrote which stretch of it. */
    public TimelineHistory history() {
        return history;
    }

    /** Returns the newest timeline. */
    public int timeline() {
        return history.timeline();
    }

    /** Goes over to another timeline, which begins at the end of the WAL that is there, or later. */
    void follow(TimelineHistory newHistory) {
        history = newHistory;
    }

    /** Returns the timeline in the name of a segment's file: that of the segment's last byte. */
    public int fileTimeline(long segment) {
        return history.timelineAt(layout.segmentStart(segment + 1) - 1);
    }

    /** Returns the name of a segment's file. */
    public String segmentName(long segment) {
        return layout.segmentName(fileTimeline(segment), segment);
    }
}
