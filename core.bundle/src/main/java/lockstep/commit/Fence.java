package lockstep.commit;

import java.util.Optional;

/**
 * Between a policy and its queue: lets everything through until this server is known not to be the primary any more. From
 * then on no commit is taken and none is released, whatever the policy says; those that wait stay in doubt, because the
 * other server may lack them. Thread-safe.
 *
 * <p><b>It is never lowered.</b> No command lifts a fence: another primary has been there and may have acknowledged commits that this
 * log lacks, and no operator of this server can know that from here. Becoming a standby of that primary is the one step that makes
 * it harmless, and it ends the fence. Who is sure that the other one is to be given up can still begin with a standby: promoted, it
 * opens a timeline newer than both.
 *
 * <p><b>Why an epoch is no term.</b> A fence goes up for a newer timeline only. Epochs number the starts of one data directory after
 * crashes. Two primaries of one timeline can only come of a copied directory, and each counts epochs of its own: the higher number
 * would tell who crashed more often, not who was chosen. What epochs do tell, by their numbers and where they began, is that a
 * standby's log is not this one; then it is refused, and a copy gains no acknowledgements from the standbys of the other. Two copies
 * that were stopped in good order go on in the same epoch: no number tells them apart, only the chain of the records does, which the
 * receiver checks.
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
    public long keptLsn(CommitLevel level) {
        return policy.keptLsn(level);
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
