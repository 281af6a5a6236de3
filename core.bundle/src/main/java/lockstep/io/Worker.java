package lockstep.io;

/** Runs a {@link Step} again and again, sleeping while there is nothing to do. */
public interface Worker extends AutoCloseable {
    /** Has the step run soon. May be called from any thread, and is cheap when the worker is busy. */
    void wake();

    /**
     * Ends the worker, and returns when its step has returned. The step is not interrupted: a thread that is interrupted
     * while it writes to a file would close the file under it.
     */
    @Override
    void close();
}
