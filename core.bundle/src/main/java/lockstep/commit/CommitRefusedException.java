package lockstep.commit;

/** A commit was not taken, and nothing of it was written. The message says why, and what would change that. */
public class CommitRefusedException extends IllegalStateException {
    private static final long serialVersionUID = 1;

    /** Takes the message. */
    public CommitRefusedException(String message) {
        super(message);
    }
}
