package lockstep.commit;

import java.util.EnumMap;
import java.util.Map;

/** What commits of each level get. Immutable, with objects of its own, so that two that say the same can be told apart. */
final class Promises {
    /** For policies that never give less than was asked for. */
    static final Promises KEPT = new Promises();

    private final Map<CommitLevel, CommitOutcome> outcomes = new EnumMap<>(CommitLevel.class);

    /** Each commit gets what it asks for. */
    Promises() {
        for (CommitLevel level : CommitLevel.values()) {
            outcomes.put(level, new CommitOutcome.Replicated(level));
        }
    }

    /** Commits that ask a standby may get less, for a reason. */
    Promises(String reason) {
        this();
        CommitOutcome less = new CommitOutcome.LocalOnly(reason);
        for (CommitLevel level : CommitLevel.values()) {
            if (level.compareTo(CommitLevel.LOCAL) > 0) {
                outcomes.put(level, less);
            }
        }
    }

    CommitOutcome outcome(CommitLevel asked) {
        return outcomes.get(asked);
    }
}
