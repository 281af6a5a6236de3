package lockstep.commit;

import java.util.Collection;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Releases commits when one streaming standby and the local disk have them ({@code synchronous_standby_names = '*'}), or
 * the local disk alone ({@code ''}).
 *
 * <p>Every level asks for the local flush, also those that ask a standby: a standby may have WAL that the primary then
 * loses in a crash, and no commit that rests on such WAL may ever have been acknowledged.
 */
public final class StandbyPolicy implements CommitPolicy {
    private final LongSupplier localFlushedLsn;
    private final Supplier<? extends Collection<? extends StandbyProgress>> standbys;
    private volatile boolean synchronous;

    /**
     * Decides by these positions.
     *
     * @param synchronous whether a standby is asked at all
     */
    public StandbyPolicy(
            LongSupplier localFlushedLsn,
            Supplier<? extends Collection<? extends StandbyProgress>> standbys,
            boolean synchronous) {
        this.localFlushedLsn = localFlushedLsn;
        this.standbys = standbys;
        this.synchronous = synchronous;
    }

    /** Changes whether a standby is asked. */
    public void setSynchronous(boolean asked) {
        synchronous = asked;
    }

    @Override
    public long releasedLsn(CommitLevel level) {
        long local = localFlushedLsn.getAsLong();
        if (!synchronous || level.compareTo(CommitLevel.LOCAL) <= 0) {
            return local;
        }
        long remote = 0;
        for (StandbyProgress standby : standbys.get()) {
            if (standby.isStreaming()) {
                remote = Math.max(
                        remote,
                        switch (level) {
                            case REMOTE_WRITE -> standby.writtenLsn();
                            case REMOTE_APPLY -> standby.appliedLsn();
                            default -> standby.flushedLsn();
                        });
            }
        }
        return Math.min(local, remote);
    }
}
