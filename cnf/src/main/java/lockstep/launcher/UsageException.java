package lockstep.launcher;

/** The command line makes no sense: the user reads why, and how it goes. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1;

    UsageException(String message) {
        super(message);
    }
}
