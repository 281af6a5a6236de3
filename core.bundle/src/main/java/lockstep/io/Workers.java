package lockstep.io;

/** Starts {@link Worker}s: a thread each in a server, all in one thread in a simulation. */
public interface Workers {
    /**
     * Starts a worker. The caller owns it, and closes it.
     *
     * @param name what it does, as its thread is called, such as {@code wal-writer}
     */
    Worker start(String name, Step step);

    /**
     * Lets others work while the caller, on whatever thread it is, waits for something they do. It then looks again.
     *
     * @param nanos for how long at most
     */
    void pause(long nanos);
}
