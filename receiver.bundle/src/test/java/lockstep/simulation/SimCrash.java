package lockstep.simulation;

/**
 * The machine is gone, and with it everything that ran on it. Unwinds the step that was at work; an error, so that nothing
 * which deals with failures takes it for one.
 */
final class SimCrash extends Error {
    private static final long serialVersionUID = 1;

    SimCrash(String machine) {
        super(machine + " is gone", null, false, false);
    }
}
