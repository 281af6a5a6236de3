package lockstep.transport.api;

/**
 * A log sequence number: a byte position in the WAL stream, 64 bits without sign. Inside, positions are plain {@code
 * long}s named {@code …Lsn}; this is how they are written and read at the edges, {@code 16/B374D848}: the upper and the
 * lower 32 bits in hexadecimal without leading zeros, as PostgreSQL writes them.
 */
public record Lsn(long value) implements Comparable<Lsn> {
    /** The position before all WAL; also stands for "unknown", as in PostgreSQL. */
    public static final long INVALID = 0;

    private static final int MAX_DIGITS = 8;

    /**
     * Reads the text form.
     *
     * @throws IllegalArgumentException if it is no LSN; says what was expected
     */
    public static Lsn parse(String text) {
        int slash = text.indexOf('/');
        if (slash < 1 || slash > MAX_DIGITS || text.length() - slash < 2 || text.length() - slash > MAX_DIGITS + 1) {
            throw notAnLsn(text);
        }
        return new Lsn(half(text, 0, slash) << 32 | half(text, slash + 1, text.length()));
    }

    /** Returns the text form of a position. */
    public static String text(long lsn) {
        return Long.toHexString(lsn >>> 32).toUpperCase(java.util.Locale.ROOT)
                + '/'
                + Long.toHexString(lsn & 0xFFFF_FFFFL).toUpperCase(java.util.Locale.ROOT);
    }

    private static long half(String text, int from, int to) {
        long value = 0;
        for (int i = from; i < to; i++) {
            int digit = Character.digit(text.charAt(i), 16);
            if (digit < 0) {
                throw notAnLsn(text);
            }
            value = value << 4 | digit;
        }
        return value;
    }

    private static IllegalArgumentException notAnLsn(String text) {
        return new IllegalArgumentException(
                "\"" + text + "\" is no LSN: expected hexadecimal X/Y, such as 16/B374D848");
    }

    @Override
    public int compareTo(Lsn other) {
        return Long.compareUnsigned(value, other.value);
    }

    @Override
    public String toString() {
        return text(value);
    }
}
