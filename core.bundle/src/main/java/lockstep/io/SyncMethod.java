package lockstep.io;

import java.io.IOException;
import java.util.Locale;

/** How written WAL is forced to the disk ({@code wal_sync_method}). */
public enum SyncMethod {
    /** Buffered writes, then {@code fdatasync}. Works everywhere. */
    FDATASYNC,
    /** Buffered writes to a file opened with {@code O_DSYNC}: the write returns when it is on the disk. */
    OPEN_DATASYNC,
    /** The same past the page cache, with {@code O_DIRECT}: the fastest where the file system can. */
    DIRECT_DATASYNC;

    /** Whether a write is on the disk when it returns, so that a sync has nothing to do. */
    public boolean syncsOnWrite() {
        return this != FDATASYNC;
    }

    /** What configuration says for: the fastest that the file system can. */
    private static final String DEFAULT = "default";

    /**
     * Reads the form used in configuration: a name, or {@code default} for the fastest that the disk can.
     *
     * @throws IOException if the disk cannot do what is asked for
     * @throws IllegalArgumentException if there is no such method
     */
    public static SyncMethod configured(String value, Disk disk) throws IOException {
        if (value.equals(DEFAULT)) {
            return disk.supports(DIRECT_DATASYNC) ? DIRECT_DATASYNC : FDATASYNC;
        }
        SyncMethod method = parse(value);
        if (!disk.supports(method)) {
            throw new IOException("wal_sync_method = " + value
                    + ": the file system of the data directory cannot do that. Use fdatasync or default");
        }
        return method;
    }

    /**
     * Reads the name used in configuration.
     *
     * @throws IllegalArgumentException if there is no such method
     */
    public static SyncMethod parse(String text) {
        return valueOf(text.toUpperCase(Locale.ROOT));
    }

    /** Returns the name used in configuration, such as {@code fdatasync}. */
    public String parameterValue() {
        return name().toLowerCase(Locale.ROOT);
    }
}
