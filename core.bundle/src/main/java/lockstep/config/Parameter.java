package lockstep.config;

import java.util.List;

/**
 * What there is to know of a parameter.
 *
 * @param name as in the file, such as {@code wal_sender_timeout}
 * @param value what the server runs with
 * @param defaultValue what it is when the file does not say
 * @param min the least value, empty if there is none
 * @param max the greatest value, empty if there is none
 * @param options all values of an enumeration, else empty
 * @param source where the value comes from: {@code lockstep.conf:12}, or {@link #DEFAULT}
 * @param pendingRestart whether the file says otherwise, and a restart is needed for that
 */
public record Parameter(
        String name,
        String value,
        String defaultValue,
        Type type,
        String min,
        String max,
        List<String> options,
        String description,
        String source,
        boolean pendingRestart) {
    /** Ends the description of a parameter that is read only when the server starts. */
    public static final String AT_START = "Read at start.";

    /** The source of a value that stands in no file. */
    public static final String DEFAULT = "default";

    /** What kind of value a parameter has. */
    public enum Type {
        /** {@code on} or {@code off}. */
        BOOLEAN,
        /** A whole number. */
        INTEGER,
        /** A number with a unit of size, such as {@code 16MB}. */
        SIZE,
        /** A number with a unit of time, such as {@code 60s}. */
        DURATION,
        /** One of a few words. */
        ENUMERATION,
        /** Any text. */
        TEXT
    }

    /** Copies the list. */
    public Parameter {
        options = List.copyOf(options);
    }

    /** Returns whether it is read only when the server starts. */
    public boolean atStart() {
        return description.endsWith(AT_START);
    }
}
