package lockstep.commit;

/**
 * A commit was not taken, and nothing of it was written, because this server is not the primary, or is not any more. Who commits
 * the same again on the primary commits it once.
 */
public final class NotPrimaryException extends CommitRefusedException {
    private static final long serialVersionUID = 1;

    private final String primary;

    /**
     * Takes the message.
     *
     * @param primary the endpoints of the primary as far as is known, separated by commas; empty if it is not
     */
    public NotPrimaryException(String message, String primary) {
        super(message);
        this.primary = primary;
    }

    /** Returns the endpoints of the primary as far as is known, separated by commas; empty if it is not. */
    public String primary() {
        return primary;
    }
}
