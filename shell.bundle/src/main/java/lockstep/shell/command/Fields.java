package lockstep.shell.command;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import lockstep.io.Clock;
import lockstep.transport.api.Lsn;

/**
 * Named values in order: a result, or one row of it. Each value is taken in together with both of its forms, the one that
 * people read and the one that programs do, so that the two can never tell different things.
 *
 * <pre>
 *   method      for people                 in JSON
 *   text        the text                   a string
 *   bytes       escaped text               a string; if it is not UTF-8, {@code NAME_hex} in hexadecimal
 *   lsn         16/B374D848                the same as a string; 0, which is unknown, is null
 *   count       1234                       a number
 *   none                                   null
 *   decimal     12.3 unit                  a number
 *   size        16 MB                      a number of bytes; null below 0, which is unknown
 *   micros      1.234 ms                   a number of microseconds; null below 0, which is unknown
 *   interval    1.234 ms                   {@code 00:00:00.001234}, as PostgreSQL shows a lag; null below 0
 *   time        2026-11-23 20:05:08.123Z   ISO 8601 in UTC, to the microsecond; null for 0, which is never
 *   flag        yes, no                    true, false
 *   object      NAME=VALUE …               an object
 *   rows        a line each                an array of objects
 * </pre>
 */
final class Fields {
    private static final String GAP = "  ";
    private static final long KILO = 1024;
    private static final double THOUSAND = 1000;
    private static final long MICROS_PER_SECOND = 1_000_000;
    private static final long SECONDS_PER_MINUTE = 60;
    private static final long SECONDS_PER_HOUR = 3600;

    private record Field(String name, String json, String shown, boolean isNumber) {}

    private final List<Field> fields = new ArrayList<>();

    private Fields add(String name, String json, String shown, boolean isNumber) {
        fields.add(new Field(name, json, shown, isNumber));
        return this;
    }

    Fields text(String name, String value) {
        return add(name, Json.quote(value), value, false);
    }

    Fields bytes(String name, byte[] value) {
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(value))
                    .toString();
            return add(name, Json.quote(text), escape(text), false);
        } catch (CharacterCodingException e) {
            String hex = HexFormat.of().formatHex(value);
            return add(name + "_hex", Json.quote(hex), "\\x" + hex, false);
        }
    }

    Fields lsn(String name, long lsn) {
        return lsn == Lsn.INVALID
                ? add(name, Json.NULL, "", false)
                : add(name, Json.quote(Lsn.text(lsn)), Lsn.text(lsn), false);
    }

    Fields count(String name, long value) {
        return add(name, Long.toString(value), Long.toString(value), true);
    }

    /** Takes a number that is not known, or does not exist. */
    Fields none(String name) {
        return add(name, Json.NULL, "", true);
    }

    Fields decimal(String name, double value, String unit) {
        String number = String.format(Locale.ROOT, "%.1f", value);
        return add(name, number, unit.isEmpty() ? number : number + ' ' + unit, true);
    }

    Fields size(String name, long bytes) {
        return bytes < 0 ? add(name, Json.NULL, "", true) : add(name, Long.toString(bytes), shownSize(bytes), true);
    }

    Fields micros(String name, long micros) {
        return micros < 0
                ? add(name, Json.NULL, "", true)
                : add(name, Long.toString(micros), shownMicros(micros), true);
    }

    Fields interval(String name, long micros) {
        return micros < 0
                ? add(name, Json.NULL, "", true)
                : add(name, Json.quote(interval(micros)), shownMicros(micros), true);
    }

    /** Takes microseconds of PostgreSQL's time, as {@link Clock#micros}. */
    Fields time(String name, long micros) {
        if (micros == 0) {
            return add(name, Json.NULL, "", false);
        }
        Instant time = Clock.EPOCH.plus(micros, ChronoUnit.MICROS);
        return add(
                name,
                Json.quote(time.toString()),
                time.truncatedTo(ChronoUnit.MILLIS).toString().replace('T', ' '),
                false);
    }

    Fields flag(String name, boolean value) {
        return add(name, Boolean.toString(value), value ? "yes" : "no", false);
    }

    Fields rows(String name, List<Fields> rows) {
        String shown = rows.stream()
                .map(row -> row.fields.stream().map(Field::shown).collect(Collectors.joining(GAP)))
                .collect(Collectors.joining("\n"));
        return add(name, jsonArray(rows), shown, false);
    }

    /** Takes values of their own names, which for people are only words in a column. */
    Fields object(String name, Fields values) {
        String shown = values.fields.stream()
                .map(field -> field.name() + "=" + field.shown())
                .collect(Collectors.joining(" "));
        return add(name, values.json(), shown, false);
    }

    /** Returns an object, on one line. */
    String json() {
        return fields.stream()
                .map(field -> Json.quote(field.name()) + ':' + field.json())
                .collect(Collectors.joining(",", "{", "}"));
    }

    private static String jsonArray(List<Fields> rows) {
        return rows.stream().map(Fields::json).collect(Collectors.joining(",", "[", "]"));
    }

    /** Returns the values as people read them, with tabs between. */
    String line() {
        return fields.stream().map(Field::shown).collect(Collectors.joining("\t"));
    }

    /** Returns a line for each value, names to the left. Values that are empty are left out. */
    String lines() {
        int width =
                fields.stream().mapToInt(field -> field.name().length()).max().orElse(0);
        return fields.stream()
                .filter(field -> !field.shown().isEmpty())
                .map(field -> pad(field.name(), width, false)
                        + GAP
                        + field.shown().replace("\n", "\n" + " ".repeat(width) + GAP))
                .collect(Collectors.joining("\n"));
    }

    /** Returns the values, in the form that was asked for. */
    String present(boolean json) {
        return json ? json() : lines();
    }

    /**
     * Returns rows that all have the same names as a table, or as an object with one array.
     *
     * @param whenEmpty what people read if there are none
     */
    static String present(List<Fields> rows, String arrayName, String whenEmpty, boolean json) {
        if (json) {
            return new Fields().rows(arrayName, rows).json();
        }
        return rows.isEmpty() ? whenEmpty : table(rows);
    }

    private static String table(List<Fields> rows) {
        List<Field> first = rows.get(0).fields;
        int[] widths = new int[first.size()];
        for (int i = 0; i < widths.length; i++) {
            int column = i;
            widths[i] = Math.max(
                    first.get(i).name().length(),
                    rows.stream()
                            .mapToInt(row -> row.fields.get(column).shown().length())
                            .max()
                            .orElse(0));
        }
        StringBuilder table = new StringBuilder();
        appendRow(table, first.stream().map(Field::name).toList(), first, widths);
        for (Fields row : rows) {
            appendRow(table.append('\n'), row.fields.stream().map(Field::shown).toList(), first, widths);
        }
        return table.toString();
    }

    private static void appendRow(StringBuilder table, List<String> cells, List<Field> columns, int[] widths) {
        StringBuilder row = new StringBuilder();
        for (int i = 0; i < widths.length; i++) {
            row.append(i == 0 ? "" : GAP)
                    .append(pad(cells.get(i), widths[i], columns.get(i).isNumber()));
        }
        table.append(row.toString().stripTrailing());
    }

    private static String pad(String text, int width, boolean toTheRight) {
        String spaces = " ".repeat(Math.max(0, width - text.length()));
        return toTheRight ? spaces + text : text + spaces;
    }

    /** Shows what would move the cursor, so that no value can paint over a terminal. */
    private static String escape(String text) {
        StringBuilder escaped = new StringBuilder(text.length());
        text.chars().forEach(c -> {
            switch (c) {
                case '\\' -> escaped.append("\\\\");
                case '\n' -> escaped.append("\\n");
                case '\r' -> escaped.append("\\r");
                case '\t' -> escaped.append("\\t");
                default -> {
                    if (Character.isISOControl(c)) {
                        escaped.append(String.format(Locale.ROOT, "\\u%04x", c));
                    } else {
                        escaped.append((char) c);
                    }
                }
            }
        });
        return escaped.toString();
    }

    static String shownSize(long bytes) {
        String[] units = {"bytes", "kB", "MB", "GB", "TB"};
        double value = bytes;
        int unit = 0;
        while (value >= KILO && unit < units.length - 1) {
            value /= KILO;
            unit++;
        }
        return (value == Math.rint(value)
                        ? String.format(Locale.ROOT, "%.0f", value)
                        : String.format(Locale.ROOT, "%.1f", value))
                + ' '
                + units[unit];
    }

    static String shownMicros(long micros) {
        if (micros < THOUSAND) {
            return micros + " us";
        }
        if (micros < MICROS_PER_SECOND) {
            return String.format(Locale.ROOT, micros < 100_000 ? "%.2f ms" : "%.0f ms", micros / THOUSAND);
        }
        long seconds = micros / MICROS_PER_SECOND;
        if (seconds < SECONDS_PER_MINUTE) {
            return String.format(Locale.ROOT, "%.1f s", (double) micros / MICROS_PER_SECOND);
        }
        long hours = seconds / SECONDS_PER_HOUR;
        long minutes = seconds % SECONDS_PER_HOUR / SECONDS_PER_MINUTE;
        return hours == 0
                ? String.format(Locale.ROOT, "%d min %d s", minutes, seconds % SECONDS_PER_MINUTE)
                : String.format(Locale.ROOT, "%d h %d min", hours, minutes);
    }

    private static String interval(long micros) {
        long seconds = micros / MICROS_PER_SECOND;
        return String.format(
                Locale.ROOT,
                "%02d:%02d:%02d.%06d",
                seconds / SECONDS_PER_HOUR,
                seconds % SECONDS_PER_HOUR / SECONDS_PER_MINUTE,
                seconds % SECONDS_PER_MINUTE,
                micros % MICROS_PER_SECOND);
    }
}
