package lockstep.retention;

import java.util.Locale;

/** How safe the WAL is that a slot holds; PostgreSQL's names. */
public enum WalStatus {
    /** The slot holds nothing yet. */
    NONE,
    /** All of it is within {@code max_wal_size}. */
    RESERVED,
    /** It is more than {@code max_wal_size}, and kept. */
    EXTENDED,
    /** It is more than may be kept, and goes with the next checkpoint. */
    UNRESERVED,
    /** Some of it has been removed; the slot is of no use any more. */
    LOST;

    @Override
    public String toString() {
        return this == NONE ? "" : name().toLowerCase(Locale.ROOT);
    }
}
