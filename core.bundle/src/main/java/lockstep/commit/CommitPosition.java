package lockstep.commit;

import lockstep.transport.api.Lsn;

/**
 * Where a commit stands, in a form that tells its log from others that went apart from it. Its text, such as {@code
 * 1/3/0/1000208}, can be kept by a client and asked about later, on any server.
 *
 * @param timeline the timeline it was written on; 0 if not known
 * @param epoch the epoch it was written in; 0 if not known
 * @param lsn the end of its commit record
 */
public record CommitPosition(int timeline, int epoch, long lsn) {
    private static final String SEPARATOR = "/";
    private static final int LSN_PARTS = 2;
    private static final int ALL_PARTS = 4;

    /**
     * Reads the form that {@link #toString} writes, or a bare LSN.
     *
     * @throws IllegalArgumentException if it is neither
     */
    public static CommitPosition parse(String text) {
        String[] parts = text.split(SEPARATOR, -1);
        if (parts.length == LSN_PARTS) {
            return new CommitPosition(0, 0, Lsn.parse(text).value());
        }
        if (parts.length == ALL_PARTS) {
            try {
                return new CommitPosition(
                        Integer.parseInt(parts[0]),
                        Integer.parseInt(parts[1]),
                        Lsn.parse(parts[2] + SEPARATOR + parts[3]).value());
            } catch (NumberFormatException e) {
                // The message below says it.
            }
        }
        throw new IllegalArgumentException(
                "\"" + text
                        + "\" is no place of a commit: expected an LSN such as 0/1000208, or TIMELINE/EPOCH/LSN such as 1/3/0/1000208");
    }

    @Override
    public String toString() {
        return timeline + SEPARATOR + epoch + SEPARATOR + Lsn.text(lsn);
    }
}
