package lockstep.shell.command;

import java.util.Locale;

/** Writes JSON (RFC 8259). */
final class Json {
    static final String NULL = "null";

    private static final char FIRST_PRINTABLE = ' ';

    private Json() {}

    /** Returns text as a JSON string, quotes included. Nothing in it breaks the line. */
    static String quote(String text) {
        StringBuilder quoted = new StringBuilder(text.length() + 2).append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> quoted.append("\\\"");
                case '\\' -> quoted.append("\\\\");
                case '\n' -> quoted.append("\\n");
                case '\r' -> quoted.append("\\r");
                case '\t' -> quoted.append("\\t");
                default -> {
                    if (mustEscape(text, i)) {
                        quoted.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
                    } else {
                        quoted.append(c);
                    }
                }
            }
        }
        return quoted.append('"').toString();
    }

    /** Control characters, what some readers take for the end of a line, and halves of a pair that stand alone. */
    private static boolean mustEscape(String text, int i) {
        char c = text.charAt(i);
        if (c < FIRST_PRINTABLE || (c >= '\u007f' && c <= '\u009f') || c == '\u2028' || c == '\u2029') {
            return true;
        }
        if (Character.isHighSurrogate(c)) {
            return i + 1 == text.length() || !Character.isLowSurrogate(text.charAt(i + 1));
        }
        return Character.isLowSurrogate(c) && (i == 0 || !Character.isHighSurrogate(text.charAt(i - 1)));
    }
}
