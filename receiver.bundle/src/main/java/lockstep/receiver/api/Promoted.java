package lockstep.receiver.api;

/**
 * What a promotion has made.
 *
 * @param timeline the new timeline
 * @param startLsn where it begins: the end of the WAL this server had
 */
public record Promoted(int timeline, long startLsn) {}
