package lockstep.commit;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Which standbys count for commits, and how many of them: {@code synchronous_standby_names}, with PostgreSQL's grammar and
 * meaning.
 *
 * <pre>
 *   names   = ""  |  list  |  [FIRST] number "(" list ")"  |  ANY number "(" list ")"
 *   list    = name { "," name }
 *   name    = identifier  |  digits  |  "*"  |  '"' characters, '""' for a quote '"'
 * </pre>
 *
 * <p>A list alone means {@code FIRST 1}. The words {@code FIRST} and {@code ANY} are no names unless quoted, in whatever case.
 * Names are compared without regard to case, quoted or not; {@code *} is every name.
 *
 * @param method how the standbys are chosen from those there are
 * @param count how many acknowledge a commit; 0 if none need to
 * @param names in order of priority
 */
public record StandbyNames(Method method, int count, List<String> names) {
    /** No standby is asked. */
    public static final StandbyNames NONE = new StandbyNames(Method.FIRST, 0, List.of());

    /** Every standby. */
    private static final String ANYBODY = "*";

    /** How the standbys are chosen that a commit waits for. */
    public enum Method {
        /** Those that come first in the list. */
        FIRST,
        /** Those that are first to acknowledge. */
        ANY
    }

    /** Copies the list. */
    public StandbyNames {
        names = List.copyOf(names);
    }

    /**
     * Reads the form used in configuration.
     *
     * @throws IllegalArgumentException if it is not of that form; says where, and what was expected
     */
    public static StandbyNames parse(String text) {
        return text.isBlank() ? NONE : new Parser(text).names();
    }

    /** Returns whether no standby is asked. */
    public boolean isEmpty() {
        return count == 0;
    }

    /** Returns the place of a standby in the list, from 1; 0 if it is not in it. */
    public int priority(String standby) {
        for (int i = 0; i < names.size(); i++) {
            String name = names.get(i);
            if (name.equals(ANYBODY) || name.equalsIgnoreCase(standby)) {
                return i + 1;
            }
        }
        return 0;
    }

    /** Returns the form used in configuration, in full. */
    @Override
    public String toString() {
        if (isEmpty()) {
            return "";
        }
        List<String> quoted = names.stream().map(StandbyNames::quoted).toList();
        return method + " " + count + " (" + String.join(", ", quoted) + ')';
    }

    private static String quoted(String name) {
        boolean plain = name.equals(ANYBODY) || isWord(name);
        return plain ? name : '"' + name.replace("\"", "\"\"") + '"';
    }

    private static boolean isWord(String name) {
        return !name.isEmpty()
                && Parser.isStart(name.charAt(0))
                && name.chars().allMatch(Parser::isPart)
                && !name.equalsIgnoreCase(Method.FIRST.name())
                && !name.equalsIgnoreCase(Method.ANY.name());
    }

    /** Reads a text from left to right, a token at a time. */
    private static final class Parser {
        private static final String SPACE = " \t\n\r\f\u000B";
        private static final int FIRST_OTHER_CHAR = 0x80;

        private enum Kind {
            NAME,
            NUMBER,
            FIRST,
            ANY,
            OPEN,
            CLOSE,
            COMMA,
            END
        }

        private final String text;
        private int position;

        // The token that comes next.
        private Kind kind;
        private String value;
        private int start;

        Parser(String text) {
            this.text = text;
            advance();
        }

        StandbyNames names() {
            Method method = kind == Kind.ANY ? Method.ANY : Method.FIRST;
            if (kind == Kind.FIRST || kind == Kind.ANY) {
                advance();
                return counted(method, number());
            }
            if (kind != Kind.NUMBER) {
                return new StandbyNames(method, 1, list(Kind.END, "a comma or the end"));
            }
            // A number is a count if a parenthesis follows, or else a name.
            int mark = start;
            String digits = value;
            advance();
            if (kind == Kind.OPEN) {
                return counted(method, count(digits, mark));
            }
            position = mark;
            advance();
            return new StandbyNames(method, 1, list(Kind.END, "a comma or the end"));
        }

        private StandbyNames counted(Method method, int count) {
            if (kind != Kind.OPEN) {
                throw error("( and a list of names");
            }
            advance();
            List<String> list = list(Kind.CLOSE, "a comma or )");
            advance();
            if (kind != Kind.END) {
                throw error("the end");
            }
            return new StandbyNames(method, count, list);
        }

        private int number() {
            if (kind != Kind.NUMBER) {
                throw error("how many standbys");
            }
            int count = count(value, start);
            advance();
            return count;
        }

        private int count(String digits, int at) {
            int count;
            try {
                count = Integer.parseInt(digits);
            } catch (NumberFormatException e) {
                throw error(digits, at, "a smaller number of standbys");
            }
            if (count == 0) {
                throw error(digits, at, "a number of standbys greater than zero");
            }
            return count;
        }

        private List<String> list(Kind end, String afterName) {
            List<String> list = new ArrayList<>();
            while (true) {
                if (kind != Kind.NAME && kind != Kind.NUMBER) {
                    throw error("the name of a standby");
                }
                list.add(value);
                advance();
                if (kind == end) {
                    return list;
                }
                if (kind != Kind.COMMA) {
                    throw error(afterName);
                }
                advance();
            }
        }

        private void advance() {
            while (position < text.length() && SPACE.indexOf(text.charAt(position)) >= 0) {
                position++;
            }
            start = position;
            if (position == text.length()) {
                token(Kind.END, "");
                return;
            }
            char c = text.charAt(position++);
            switch (c) {
                case '(' -> token(Kind.OPEN, "(");
                case ')' -> token(Kind.CLOSE, ")");
                case ',' -> token(Kind.COMMA, ",");
                case '*' -> token(Kind.NAME, ANYBODY);
                case '"' -> token(Kind.NAME, untilQuote());
                default -> word(c);
            }
        }

        private void token(Kind nextKind, String nextValue) {
            kind = nextKind;
            value = nextValue;
        }

        private String untilQuote() {
            StringBuilder name = new StringBuilder();
            while (true) {
                int quote = text.indexOf('"', position);
                if (quote < 0) {
                    throw error(text.substring(start), start, "a quote \" that ends the name");
                }
                name.append(text, position, quote);
                position = quote + 1;
                if (position == text.length() || text.charAt(position) != '"') {
                    return name.toString();
                }
                name.append('"');
                position++;
            }
        }

        private void word(char first) {
            if (isDigit(first)) {
                while (position < text.length() && isDigit(text.charAt(position))) {
                    position++;
                }
                token(Kind.NUMBER, text.substring(start, position));
            } else if (isStart(first)) {
                while (position < text.length() && isPart(text.charAt(position))) {
                    position++;
                }
                String word = text.substring(start, position);
                switch (word.toUpperCase(Locale.ROOT)) {
                    case "FIRST" -> token(Kind.FIRST, word);
                    case "ANY" -> token(Kind.ANY, word);
                    default -> token(Kind.NAME, word);
                }
            } else {
                throw error(
                        String.valueOf(first), start, "a name of letters, digits, _ and $, or one in double quotes");
            }
        }

        private static boolean isDigit(int c) {
            return c >= '0' && c <= '9';
        }

        private static boolean isStart(int c) {
            return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= FIRST_OTHER_CHAR;
        }

        private static boolean isPart(int c) {
            return isStart(c) || isDigit(c) || c == '$';
        }

        private IllegalArgumentException error(String expected) {
            return error(kind == Kind.END ? "" : text.substring(start, position), start, expected);
        }

        private IllegalArgumentException error(String found, int at, String expected) {
            String where = found.isEmpty() ? "at the end" : "at \"" + found + "\" (character " + (at + 1) + ')';
            return new IllegalArgumentException("syntax error " + where + ": expected " + expected);
        }
    }
}
