package lockstep.transport.api;

/**
 * One life of a primary. Positions alone cannot tell bytes that a primary lost in a crash from those it wrote at the
 * same place afterwards; each start therefore opens a new epoch, and a standby cuts back to where the
 * epoch of its last byte ended (the idea of Kafka's leader epochs, KIP-101).
 *
 * @param number 1 for the first, then rising, with gaps: see {@link Term}
 * @param startLsn the first position written in it
 */
public record Epoch(int number, long startLsn) {}
