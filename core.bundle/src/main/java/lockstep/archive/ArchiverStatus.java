package lockstep.archive;

/**
 * The archiver: the columns of {@code pg_stat_archiver}, since the server started, and what waits. Times are in {@link
 * lockstep.io.Clock#micros}, 0 for never.
 *
 * @param archivedCount how many files have been archived
 * @param lastArchivedWal the last of them; empty if none
 * @param failedCount how often that failed
 * @param lastFailedWal the file with which it did last; empty if it never did
 * @param waiting how many files wait to be archived
 * @param failure why it does not go on; empty if it does
 */
public record ArchiverStatus(
        long archivedCount,
        String lastArchivedWal,
        long lastArchivedMicros,
        long failedCount,
        String lastFailedWal,
        long lastFailedMicros,
        long waiting,
        String failure) {
    static final ArchiverStatus NONE = new ArchiverStatus(0, "", 0, 0, "", 0, 0, "");
}
