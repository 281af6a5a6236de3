package lockstep.archive;

/**
 * How WAL is archived.
 *
 * @param on whether it is ({@code archive_mode}); counts at the start
 * @param command what archives a file ({@code archive_command}); while it is empty, WAL is kept
 * @param timeoutMs after how long a segment with something in it is finished early ({@code archive_timeout}); 0 for never
 */
public record ArchiveConfig(boolean on, String command, long timeoutMs) {}
