package lockstep.kv.store;

import java.util.List;
import lockstep.commit.PendingCommit;
import lockstep.commit.Visibility;

/** A commit with the changes it makes visible. */
final class ChangeCommit extends PendingCommit {
    private final List<Change> changes;

    ChangeCommit(Visibility visibility, List<Change> changes) {
        super(visibility);
        this.changes = changes;
    }

    List<Change> changes() {
        return changes;
    }
}
