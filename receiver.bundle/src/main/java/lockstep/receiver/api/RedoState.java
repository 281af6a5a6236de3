package lockstep.receiver.api;

import java.util.Locale;

/** What continuous redo does. */
public enum RedoState {
    /** There is WAL to redo, and it does. */
    RUNNING,
    /** All WAL that may be redone has been. */
    WAITING,
    /** An operator has paused it. */
    PAUSED,
    /** The next record belongs to a resource manager that is not here; redo goes on when its bundle arrives. */
    BLOCKED,
    /** It cannot go on: the WAL or a resource manager fails. It tries again now and then. */
    FAILED;

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
