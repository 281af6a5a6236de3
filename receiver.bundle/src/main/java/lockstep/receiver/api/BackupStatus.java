package lockstep.receiver.api;

/**
 * The base backup that an empty standby builds itself from.
 *
 * @param active whether one is being taken
 * @param files how many files have come
 * @param bytes how many bytes of them
 */
public record BackupStatus(boolean active, long files, long bytes) {}
