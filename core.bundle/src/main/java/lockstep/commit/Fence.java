package lockstep.commit;

import java.util.Optional;

/**
 * Between a policy and its queue: lets everything through until this server is known not to be the primary any more. From
 * then on no commit is taken and none is released, whatever the policy says; those that wait stay in doubt, because the
 * other server may lack them. It is never lowered. Thread-safe.
 */
public final class Fence implements CommitPolicy {
    private final CommitPolicy policy;
    private volatile Optional<String> raised = Optional.empty();

    /** Lets a policy through. */
    public Fence(CommitPolicy policy) {
        this.policy = policy;
    }

    /** Ends it; {@code why} is what clients are told. */
    public void raise(String why) {
        raised = Optional.of(why);
    }

    @Override
    public long releasedLsn(CommitLevel level) {
        return raised.isPresent() ? 0 : policy.releasedLsn(level);
    }

    @Override
    public CommitOutcome outcome(CommitLevel asked) {
        return policy.outcome(asked);
    }

    @Override
    public Optional<String> refusal(CommitLevel asked) {
        return raised.isPresent() ? raised : policy.refusal(asked);
    }
}
