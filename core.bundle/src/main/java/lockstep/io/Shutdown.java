package lockstep.io;

/**
 * Ends the server in good order. An OSGi service, there from the start. For what is wrong with the world of this server,
 * such as its configuration, and for a server that has done what it was started for; after a failure of its own disk it is {@link Panic} that helps.
 */
@FunctionalInterface
public interface Shutdown {
    /** The exit status that says: all is well. */
    int GOOD = 0;

    /** The exit status that says: the configuration is bad, and starting again will not help ({@code EX_CONFIG}). */
    int BAD_CONFIGURATION = 78;

    /** The exit status that says: what is on the disk does not let the server start ({@code EX_IOERR}). */
    int CANNOT_START = 74;

    /**
     * Begins to stop the server and returns at once. Only the first call counts.
     *
     * @param status what the process shall exit with
     * @param reason what the operator reads on the standard error output: the file, the line, what was expected
     */
    void shutdown(int status, String reason);
}
