package lockstep.wal;

/**
 * Which log it is: what every page of it must agree with.
 *
 * @param systemId the system, as in the header of each segment
 * @param timeline the newest timeline; older pages may carry an older one
 */
public record WalIdentity(long systemId, int timeline, WalLayout layout) {}
