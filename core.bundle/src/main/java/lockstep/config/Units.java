package lockstep.config;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads sizes and durations, which are written with PostgreSQL's units: {@code 16MB}, {@code 1.5 GB}, {@code 60s}. Case
 * counts. Only 0 and -1, which mean the same in every unit, stand alone. A fraction is rounded up, so that a little
 * never becomes nothing.
 */
public final class Units {
    private static final Pattern NUMBER_AND_UNIT = Pattern.compile("([+-]?\\d{1,19}(?:\\.\\d{1,19})?)\\s*([A-Za-z]*)");

    private static final Map<String, Long> SIZES = new LinkedHashMap<>();
    private static final Map<String, Long> DURATIONS = new LinkedHashMap<>();

    static {
        SIZES.put("B", 1L);
        SIZES.put("kB", 1L << 10);
        SIZES.put("MB", 1L << 20);
        SIZES.put("GB", 1L << 30);
        SIZES.put("TB", 1L << 40);
        DURATIONS.put("us", 1_000L);
        DURATIONS.put("ms", 1_000_000L);
        DURATIONS.put("s", 1_000_000_000L);
        DURATIONS.put("min", 60_000_000_000L);
        DURATIONS.put("h", 3_600_000_000_000L);
        DURATIONS.put("d", 86_400_000_000_000L);
    }

    private Units() {}

    /**
     * Reads a size.
     *
     * @return bytes
     * @throws IllegalArgumentException if it is none; says what was expected
     */
    public static long bytes(String text) {
        return read(text, SIZES, 1, "size", "16MB");
    }

    /**
     * Reads a duration.
     *
     * @return milliseconds
     * @throws IllegalArgumentException if it is none; says what was expected
     */
    public static long millis(String text) {
        return read(text, DURATIONS, 1_000_000, "duration", "60s");
    }

    /**
     * Reads a duration.
     *
     * @return microseconds
     * @throws IllegalArgumentException if it is none; says what was expected
     */
    public static long micros(String text) {
        return read(text, DURATIONS, 1_000, "duration", "60s");
    }

    /**
     * Reads a duration.
     *
     * @return nanoseconds
     * @throws IllegalArgumentException if it is none; says what was expected
     */
    public static long nanos(String text) {
        return read(text, DURATIONS, 1, "duration", "60s");
    }

    private static long read(String text, Map<String, Long> units, long base, String what, String example) {
        Matcher matcher = NUMBER_AND_UNIT.matcher(text.strip());
        if (!matcher.matches()) {
            throw new IllegalArgumentException("\"" + text + "\" is no " + what + ": expected a number and "
                    + names(units) + ", such as " + example);
        }
        BigDecimal number = new BigDecimal(matcher.group(1));
        String unit = matcher.group(2);
        if (unit.isEmpty()) {
            if (number.signum() == 0 || number.compareTo(BigDecimal.ONE.negate()) == 0) {
                return number.longValue();
            }
            throw new IllegalArgumentException("\"" + text + "\" has no unit: expected " + names(units));
        }
        Long scale = units.get(unit);
        if (scale == null) {
            throw new IllegalArgumentException("unknown unit \"" + unit + "\": expected " + names(units));
        }
        // The smallest unit decides whether it fits, so that one text is never good in one unit and bad in another.
        BigDecimal smallest = number.multiply(BigDecimal.valueOf(scale));
        if (smallest.abs().compareTo(BigDecimal.valueOf(Long.MAX_VALUE)) > 0) {
            throw new IllegalArgumentException("\"" + text + "\" is too large for a " + what);
        }
        return smallest.divide(BigDecimal.valueOf(base), 0, RoundingMode.CEILING)
                .longValueExact();
    }

    private static String names(Map<String, Long> units) {
        List<String> names = new ArrayList<>(units.keySet());
        String last = names.remove(names.size() - 1);
        return String.join(", ", names) + " or " + last;
    }
}
