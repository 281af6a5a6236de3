package lockstep.primary;

/**
 * That roles have been exchanged.
 *
 * @param standby the standby that is the primary now
 * @param endpoints where it is reached, separated by commas
 * @param timeline its timeline
 * @param startLsn where that begins
 * @param pausedNanos when the last commit was released here, in {@link lockstep.io.Clock#nanos}
 */
public record SwitchedOver(String standby, String endpoints, int timeline, long startLsn, long pausedNanos) {}
