package lockstep.io;

/** A piece of work that is done over and over by a {@link Worker}. Neither sleeps nor starts threads. */
@FunctionalInterface
public interface Step {
    /** Nothing more to do until the worker is woken. */
    long UNTIL_WOKEN = Long.MAX_VALUE;

    /** There is more to do: run again at once. */
    long AGAIN = 0;

    /**
     * Does what can be done now.
     *
     * @return after how many nanoseconds it wants to run again if nobody wakes it before
     * @throws Exception a defect or a failure it cannot handle; ends the worker
     */
    long run() throws Exception;
}
