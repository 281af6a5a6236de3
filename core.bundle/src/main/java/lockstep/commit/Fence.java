package lockstep.commit;

import java.util.Optional;

/**
 * Between a policy and its queue: lets everything through until this server is known not to be the primary any more. From
 * then on no commit is taken and none is released, whatever the policy says; those that wait are in doubt, because the
 * other server may lack them, and their clients are told. Thread-safe.
 *
 * <p><b>It is never lowered.</b> No command lifts a fence: another primary has been there and may have acknowledged commits that this
 * log lacks, and no operator of this server can know that from here. Becoming a standby of that primary is the one step that makes
 * it harmless, and it ends the fence. Who is sure that the other one is to be given up can still begin with a standby: promoted, it
 * opens a timeline newer than both.
 *
 * <p><b>What a term is.</b> One life of one primary: its timeline, and the epoch that it opened there when it started ({@link
 * lockstep.transport.api.Term}). Whoever asks for WAL tells the newest one it has heard of, which it keeps in its control file before
 * it acknowledges a byte; so the news travels with the standbys, by whose acknowledgements alone a primary can do harm.
 *
 * <p><b>When it goes up.</b> For a newer timeline: an operator has promoted another server. And for an epoch of this server's own
 * timeline that is none of its log's: a primary knows all epochs that were ever opened in its log, because each is on its disk before
 * a byte of it is sent. One that it does not know was opened by a server that began with a copy of the log, or of an older
 * state of this very directory: a snapshot that was started elsewhere, a standby that was started as a primary without being promoted,
 * a directory restored from a backup. The standby that tells of it may have acknowledged commits there that are not here.
 *
 * <p><b>Why the greater number is not enough.</b> On one timeline nobody chooses who opens epochs. Who restarts more often has the
 * greater number, and the old primary that is started again would win over the copy that has served for a day. So an epoch is not
 * compared with the present one but looked up among all; of two such servers each is fenced by the standbys of the other, and goes
 * on only while it meets none. That numbers rise at random distances makes them names: two copies that start at one place of
 * the log differ all the same.
 *
 * <p><b>What it cannot tell.</b> Two servers whose standbys never meet the other one go on side by side; only what counts standbys
 * ({@code synchronous_standby_names}) prevents that, if it asks for a majority. And with one chance in 65536 two copies open epochs of
 * the same number: then the chain of the records tells the logs apart, which the receiver checks.
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
    public Optional<String> end() {
        return raised;
    }

    @Override
    public Optional<String> refusal(CommitLevel asked) {
        return raised.isPresent() ? raised : policy.refusal(asked);
    }
}
