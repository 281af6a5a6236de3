package lockstep.primary;

/**
 * The commits of before a crash that are still in doubt: flushed, not released, and not visible.
 *
 * @param fromLsn where the first of them begins
 * @param toLsn where the last one ends
 * @param commits how many there are, with those between them that are visible already because they asked for less
 */
public record InDoubtRange(long fromLsn, long toLsn, int commits) {}
