package lockstep.primary;

/**
 * To whom a primary is to hand over, and how patiently.
 *
 * @param standby the name of the standby
 * @param endpoints where it will be reached as a primary, separated by commas; empty for where it says that it listens
 * @param timeoutMs after what time it is given up, as long as that is possible; also the longest pause that commits may see before
 *     the standby has been told to take over
 * @param maxLagBytes how far behind the standby may be for it to be begun
 */
public record SwitchoverPlan(String standby, String endpoints, long timeoutMs, long maxLagBytes) {}
