package lockstep.transport.tck;

/** Checks on one subject. {@link TransportContract} puts the subjects together. */
interface Checks {
    /** Returns the two ends that are under test. */
    Ends ends();
}
