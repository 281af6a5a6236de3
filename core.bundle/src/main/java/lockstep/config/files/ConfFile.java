package lockstep.config.files;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import lockstep.config.Secrets;

/**
 * The text of a configuration file in PostgreSQL's syntax ({@code guc-file.l}): a line is a name, perhaps {@code =}, and
 * a value, plain or in single quotes; {@code #} begins a comment. Of several lines with one name the last counts.
 *
 * <p>The text itself is kept and each entry knows where in it its value stands, so that an edit changes that value and
 * no other character.
 */
final class ConfFile {
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z_][A-Za-z0-9_.:/-]*|[+-]?[0-9]+[A-Za-z]*");
    private static final int SHOWN_CHARS = 80;

    /**
     * A line that sets a parameter.
     *
     * @param name in lower case
     * @param shown how it stands in the file, for messages
     * @param start where the value begins in the text, its quote included
     * @param end where the value ends in the text
     */
    record Entry(String name, String value, String shown, int line, int start, int end) {}

    private final String name;
    private final String text;
    private final List<Entry> entries = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();

    /**
     * Reads a text.
     *
     * @param name what the file is called in messages
     */
    ConfFile(String name, String text) {
        this.name = name;
        this.text = text;
        int line = 1;
        for (int start = 0; start < text.length(); line++) {
            int newline = text.indexOf('\n', start);
            int end = newline < 0 ? text.length() : newline;
            new Line(line, start, end).read();
            start = end + 1;
        }
    }

    String name() {
        return name;
    }

    String text() {
        return text;
    }

    /** Returns the lines that set something, in order. */
    List<Entry> entries() {
        return entries;
    }

    /** Returns what is wrong with the syntax, a line for each. */
    List<String> problems() {
        return problems;
    }

    /** Returns the entry that counts for a name. */
    Optional<Entry> last(String parameter) {
        String wanted = parameter.toLowerCase(Locale.ROOT);
        return entries.stream().filter(entry -> entry.name().equals(wanted)).reduce((earlier, later) -> later);
    }

    /** Returns where an entry stands, as messages begin. */
    String at(Entry entry) {
        return name + ":" + entry.line();
    }

    /** Returns the file with a value changed, or with one more line at the end if the name is new. */
    ConfFile with(String parameter, String value) {
        String written = PLAIN.matcher(value).matches() ? value : quoted(value);
        String edited = last(parameter)
                .map(entry -> text.substring(0, entry.start())
                        + (isNameChar(text.charAt(entry.start() - 1)) ? " " : "")
                        + written
                        + text.substring(entry.end()))
                .orElseGet(() -> text + (text.isEmpty() || text.endsWith("\n") ? "" : "\n") + parameter + " = "
                        + written + "\n");
        return new ConfFile(name, edited);
    }

    private static String quoted(String value) {
        StringBuilder out = new StringBuilder("'");
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '\'' -> out.append("''");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                default -> out.append(c);
            }
        }
        return out.append('\'').toString();
    }

    private static boolean isNameStart(char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80;
    }

    private static boolean isNameChar(char c) {
        return isNameStart(c) || (c >= '0' && c <= '9');
    }

    private static boolean isPlainChar(char c) {
        return isNameChar(c) || "-+.:/".indexOf(c) >= 0;
    }

    private static boolean isBlank(char c) {
        return c == ' ' || c == '\t' || c == '\r';
    }

    /** Reads one line, from left to right. */
    private final class Line {
        private final int line;
        private final int start;
        private final int end;
        private int at;

        Line(int line, int start, int end) {
            this.line = line;
            this.start = start;
            this.end = end;
            at = start;
        }

        void read() {
            skipBlanks();
            if (atEnd()) {
                return;
            }
            int nameStart = at;
            skipName();
            if (at > nameStart && at < end && text.charAt(at) == '.') {
                at++;
                skipName();
                if (text.charAt(at - 1) == '.') {
                    problem("expected a name after the dot");
                    return;
                }
            }
            int nameEnd = at;
            if (nameEnd == nameStart) {
                problem("expected a line such as wal_buffers = 16MB");
                return;
            }
            skipBlanks();
            if (at < end && text.charAt(at) == '=') {
                at++;
                skipBlanks();
            }
            if (atEnd()) {
                problem("the value is missing; an empty one is written ''");
                return;
            }
            int valueStart = at;
            String value = text.charAt(at) == '\'' ? quotedValue() : plainValue();
            if (value == null) {
                return;
            }
            int valueEnd = at;
            skipBlanks();
            if (!atEnd()) {
                problem("expected one value; one with blanks or other signs is written in single quotes");
                return;
            }
            String shown = text.substring(nameStart, nameEnd) + " = "
                    + Secrets.hide(text.substring(nameStart, nameEnd), text.substring(valueStart, valueEnd));
            entries.add(new Entry(
                    text.substring(nameStart, nameEnd).toLowerCase(Locale.ROOT),
                    value,
                    bounded(shown),
                    line,
                    valueStart,
                    valueEnd));
        }

        private void skipBlanks() {
            while (at < end && isBlank(text.charAt(at))) {
                at++;
            }
        }

        private void skipName() {
            if (at < end && isNameStart(text.charAt(at))) {
                while (at < end && isNameChar(text.charAt(at))) {
                    at++;
                }
            }
        }

        private boolean atEnd() {
            return at == end || text.charAt(at) == '#';
        }

        private String plainValue() {
            int valueStart = at;
            while (at < end && isPlainChar(text.charAt(at))) {
                at++;
            }
            if (at == valueStart) {
                problem("a value with other signs than letters, digits and _-+.:/ is written in single quotes");
                return null;
            }
            return text.substring(valueStart, at);
        }

        private String quotedValue() {
            StringBuilder value = new StringBuilder();
            for (at++; at < end; at++) {
                char c = text.charAt(at);
                if (c == '\\' && at + 1 < end) {
                    at++;
                    value.append(escaped());
                } else if (c != '\'') {
                    value.append(c);
                } else if (at + 1 < end && text.charAt(at + 1) == '\'') {
                    at++;
                    value.append('\'');
                } else {
                    at++;
                    return value.toString();
                }
            }
            problem("the closing quote is missing");
            return null;
        }

        /** Reads what follows a backslash, as PostgreSQL does: a letter, up to three octal digits, or the sign itself. */
        private char escaped() {
            char c = text.charAt(at);
            if (isOctal(c)) {
                int code = 0;
                int digits = 0;
                for (; digits < 3 && at + digits < end && isOctal(text.charAt(at + digits)); digits++) {
                    code = code * 8 + text.charAt(at + digits) - '0';
                }
                at += digits - 1;
                return (char) (code & 0xFF);
            }
            return switch (c) {
                case 'b' -> '\b';
                case 'f' -> '\f';
                case 'n' -> '\n';
                case 'r' -> '\r';
                case 't' -> '\t';
                default -> c;
            };
        }

        private static boolean isOctal(char c) {
            return c >= '0' && c <= '7';
        }

        private void problem(String reason) {
            problems.add(name + ":" + line + ": "
                    + bounded(text.substring(start, end).strip()) + ": " + reason);
        }

        private static String bounded(String shown) {
            return shown.length() <= SHOWN_CHARS ? shown : shown.substring(0, SHOWN_CHARS) + "…";
        }
    }
}
