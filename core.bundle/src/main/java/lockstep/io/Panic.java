package lockstep.io;

/**
 * Stops the server at once after a failure past which nothing may be acknowledged, such as a failed flush of WAL. What
 * is on the disk is as after a crash, and the next start recovers from it.
 */
@FunctionalInterface
public interface Panic {
    /**
     * Says why and stops. Does not return in a server; a caller does nothing more after it.
     *
     * @param message names the file and the position, and says what to do
     */
    void panic(String message, Throwable cause);
}
