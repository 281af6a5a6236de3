package lockstep.commit;

import java.util.Locale;

/**
 * What a standby is to commits: {@code sync_state} and {@code sync_priority} of {@code pg_stat_replication}.
 *
 * @param priority its place in {@code synchronous_standby_names}, 1 for all with {@code ANY}; 0 if it is not in it
 */
public record SyncRole(State state, int priority) {
    /** The role of a standby that no commit waits for. */
    public static final SyncRole ASYNC = new SyncRole(State.ASYNC, 0);

    /** The states, by PostgreSQL's names. */
    public enum State {
        /** No commit waits for it. */
        ASYNC,
        /** It is listed, and takes the place of one that fails. */
        POTENTIAL,
        /** Commits wait for it. */
        SYNC,
        /** Commits wait for some of those that are this. */
        QUORUM;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }
}
