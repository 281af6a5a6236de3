package lockstep.wal;

import java.util.Arrays;
import java.util.Locale;

/**
 * Who writes a log, as far as its bytes tell: Lockstep itself, in the form of PostgreSQL 15, or a PostgreSQL server of one of
 * the versions that Lockstep can receive from. These differ in the mark of their pages, and in whether extensions may have
 * resource managers; what else their records mean only PostgreSQL knows.
 */
public enum WalFormat {
    /** Lockstep's own log. */
    LOCKSTEP(0, 0xD110),
    /** The log of a PostgreSQL server. */
    POSTGRESQL_13(13, 0xD106),
    /** The log of a PostgreSQL server. */
    POSTGRESQL_14(14, 0xD10D),
    /** The log of a PostgreSQL server. */
    POSTGRESQL_15(15, 0xD110),
    /** The log of a PostgreSQL server. */
    POSTGRESQL_16(16, 0xD113),
    /** The log of a PostgreSQL server. */
    POSTGRESQL_17(17, 0xD116),
    /** The log of a PostgreSQL server. */
    POSTGRESQL_18(18, 0xD118);

    private static final int FIRST_WITH_CUSTOM_RMGRS = 15;
    private static final int FIRST_WITH_COMPRESSION_METHODS = 15;
    private static final int COMPRESSED = 0x2;
    private static final int COMPRESSED_BY_ANY_METHOD = 0x1C;

    private final int postgresVersion;
    private final int magic;

    WalFormat(int postgresVersion, int magic) {
        this.postgresVersion = postgresVersion;
        this.magic = magic;
    }

    /**
     * Returns that of a PostgreSQL server, or of Lockstep for 0.
     *
     * @param major the server's major version
     * @throws IllegalArgumentException if Lockstep does not know it; says which ones it does
     */
    public static WalFormat of(int major) {
        return Arrays.stream(values())
                .filter(format -> format.postgresVersion == major)
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("the log is PostgreSQL " + major
                        + "'s; Lockstep knows those of PostgreSQL " + values()[1].postgresVersion + " to "
                        + values()[values().length - 1].postgresVersion));
    }

    /**
     * Reads the form that {@link #toString} writes.
     *
     * @throws IllegalArgumentException if it is none
     */
    public static WalFormat parse(String text) {
        return Arrays.stream(values())
                .filter(format -> format.toString().equals(text))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("\"" + text
                        + "\" writes no log that is known: expected lockstep, or postgresql and a version"));
    }

    /** Returns whether the log is a PostgreSQL server's: to be kept and passed on, and redone by PostgreSQL alone. */
    public boolean isPostgres() {
        return postgresVersion != 0;
    }

    /** Returns the major version of the PostgreSQL server that writes it; 0 for Lockstep. */
    public int postgresVersion() {
        return postgresVersion;
    }

    /** Returns the mark at the beginning of each page, as an unsigned number of two bytes. */
    public int magic() {
        return magic;
    }

    /** Returns the bits of a page image's info one of which says that it is compressed. */
    int compressedImage() {
        return isPostgres() && postgresVersion < FIRST_WITH_COMPRESSION_METHODS ? COMPRESSED : COMPRESSED_BY_ANY_METHOD;
    }

    /** Returns whether records may belong to resource managers that are no part of PostgreSQL. */
    boolean hasCustomRmgrs() {
        return !isPostgres() || postgresVersion >= FIRST_WITH_CUSTOM_RMGRS;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
}
