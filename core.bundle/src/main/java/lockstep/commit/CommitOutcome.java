package lockstep.commit;

/** What a commit got, which may differ from what it asked for. Immutable. */
public sealed interface CommitOutcome {
    /** It is as safe as it asked to be. */
    record Replicated(CommitLevel level) implements CommitOutcome {}

    /**
     * It was released with less than it asked for, in degraded mode or by an operator: it is on the primary's disk, and may be
     * lost with it.
     *
     * @param reason why the server is degraded and to what, or who released it, for people
     */
    record LocalOnly(String reason) implements CommitOutcome {}

    /**
     * Nobody waits for it any more. It may still be released, and become visible, later.
     *
     * @param reason who gave up and why, for people
     */
    record InDoubt(String reason) implements CommitOutcome {}
}
