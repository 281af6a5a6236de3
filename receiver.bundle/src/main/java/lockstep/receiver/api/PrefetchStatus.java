package lockstep.receiver.api;

/**
 * The prefetcher, which runs ahead of redo while that reads from files.
 *
 * @param records how many records it has announced to resource managers
 * @param bytes how much WAL it has read for that
 * @param prefetchedLsn how far it came
 */
public record PrefetchStatus(long records, long bytes, long prefetchedLsn) {}
