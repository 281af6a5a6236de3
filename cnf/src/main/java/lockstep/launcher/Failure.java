package lockstep.launcher;

/** What was asked for cannot be done. */
final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final int status;

    /** Takes the exit status of the process, and the words for the user. */
    Failure(int status, String message) {
        super(message);
        this.status = status;
    }

    int status() {
        return status;
    }
}
