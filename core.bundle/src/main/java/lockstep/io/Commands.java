package lockstep.io;

import java.io.IOException;

/**
 * Runs the commands that an operator has configured, such as {@code restore_command}: in the data directory, by {@code /bin/sh}.
 * What they print goes where the server's own standard outputs go. For one thread; {@link #stop} comes from another.
 */
public interface Commands {
    /** An exit status above this says that the command did not run, or was ended by a signal. */
    int LAST_OWN_STATUS = 125;

    /**
     * Runs a command and waits for its end.
     *
     * @return its exit status; 128 and the number of a signal that ended it
     * @throws IOException if it cannot be started
     */
    int run(String command) throws IOException;

    /** Ends the command that runs, and lets no other begin: {@link #run} returns at once. */
    void stop();
}
