package lockstep.transport.postgres.server;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import lockstep.transport.api.Lsn;
import lockstep.transport.postgres.protocol.Report;

/**
 * What a client asks for, read from the text of a query. Key words are upper case and not quoted, as PostgreSQL demands;
 * names that are not quoted become lower case.
 *
 * <pre>
 *   IDENTIFY_SYSTEM
 *   SHOW name
 *   TIMELINE_HISTORY tli
 *   READ_REPLICATION_SLOT slot
 *   CREATE_REPLICATION_SLOT slot [TEMPORARY] PHYSICAL [RESERVE_WAL | (RESERVE_WAL [on | off])]
 *   DROP_REPLICATION_SLOT slot [WAIT]
 *   START_REPLICATION [SLOT slot] [PHYSICAL] X/Y [TIMELINE tli]
 * </pre>
 */
sealed interface ReplicationCommand {
    record IdentifySystem() implements ReplicationCommand {}

    record Show(String name) implements ReplicationCommand {}

    record TimelineHistoryOf(int timeline) implements ReplicationCommand {}

    record ReadSlot(String name) implements ReplicationCommand {}

    record CreateSlot(String name, boolean temporary, boolean reserveWal) implements ReplicationCommand {}

    record DropSlot(String name) implements ReplicationCommand {}

    /**
     * Asks for WAL.
     *
     * @param slot empty for none
     * @param timeline 0 for the present one
     */
    record StartReplication(String slot, long startLsn, int timeline) implements ReplicationCommand {}

    /** The text is no such command; says what the client is told. */
    final class NotUnderstoodException extends Exception {
        private static final long serialVersionUID = 1;

        private final transient Report report;

        NotUnderstoodException(String sqlState, String message) {
            super(message);
            report = Report.error(sqlState, message);
        }

        Report report() {
            return report;
        }
    }

    /** Reads a command. */
    static ReplicationCommand parse(String text) throws NotUnderstoodException {
        return new Parser(text).command();
    }

    /** A walk along the words of a command. */
    final class Parser {
        private static final String SYNTAX_ERROR = "42601";
        private static final String NOT_SUPPORTED = "0A000";

        private static final Pattern TOKEN = Pattern.compile("\\s*(?:(?<lsn>[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8})"
                + "|(?<number>\\d{1,10})(?![\\w$])"
                + "|\"(?<quoted>(?:[^\"]|\"\")+)\""
                + "|'(?<string>(?:[^']|'')*)'"
                + "|(?<word>[A-Za-z_\\x80-\\uffff][\\w$.\\x80-\\uffff]*)"
                + "|(?<sign>[(),;]))");

        /** A word, and what kind it is: the name of the group above. */
        private record Token(String kind, String text) {}

        private static final Token END = new Token("end", "");

        private final String command;
        private final List<Token> tokens = new ArrayList<>();
        private int next;

        Parser(String command) {
            this.command = command.strip();
        }

        ReplicationCommand command() throws NotUnderstoodException {
            String keyWord = command.split("[^A-Z_]", 2)[0];
            boolean known = switch (keyWord) {
                case "IDENTIFY_SYSTEM",
                        "SHOW",
                        "TIMELINE_HISTORY",
                        "READ_REPLICATION_SLOT",
                        "CREATE_REPLICATION_SLOT",
                        "DROP_REPLICATION_SLOT",
                        "START_REPLICATION" -> true;
                case "BASE_BACKUP", "ALTER_REPLICATION_SLOT", "UPLOAD_MANIFEST" ->
                    throw new NotUnderstoodException(
                            NOT_SUPPORTED,
                            keyWord + " is not supported by a Lockstep server: it sends WAL to PostgreSQL"
                                    + " clients; take base backups from the PostgreSQL primary");
                default -> false;
            };
            if (!known) {
                throw new NotUnderstoodException(
                        NOT_SUPPORTED, "cannot execute SQL commands in WAL sender for physical replication");
            }
            split();
            next = 1;
            ReplicationCommand read = switch (keyWord) {
                case "IDENTIFY_SYSTEM" -> new IdentifySystem();
                case "SHOW" -> new Show(name());
                case "TIMELINE_HISTORY" -> new TimelineHistoryOf(timeline());
                case "READ_REPLICATION_SLOT" -> new ReadSlot(name());
                case "CREATE_REPLICATION_SLOT" -> createSlot();
                case "DROP_REPLICATION_SLOT" -> dropSlot();
                default -> startReplication();
            };
            takeSign(";");
            if (!peek().equals(END)) {
                throw syntaxError();
            }
            return read;
        }

        private void split() throws NotUnderstoodException {
            Matcher matcher = TOKEN.matcher(command);
            int at = 0;
            while (at < command.length()) {
                if (!matcher.find(at) || matcher.start() != at) {
                    throw new NotUnderstoodException(
                            SYNTAX_ERROR, "syntax error at or near \"" + command.substring(at) + '"');
                }
                for (String kind : List.of("lsn", "number", "quoted", "string", "word", "sign")) {
                    if (matcher.group(kind) != null) {
                        tokens.add(new Token(kind, matcher.group(kind)));
                    }
                }
                at = matcher.end();
            }
        }

        private CreateSlot createSlot() throws NotUnderstoodException {
            String name = name();
            boolean temporary = takeWord("TEMPORARY");
            if (takeWord("LOGICAL")) {
                throw new NotUnderstoodException(
                        NOT_SUPPORTED, "logical replication slots are not supported by a Lockstep server");
            }
            if (!takeWord("PHYSICAL")) {
                throw syntaxError();
            }
            boolean reserve = takeWord("RESERVE_WAL");
            if (takeSign("(")) {
                reserve = options();
            }
            return new CreateSlot(name, temporary, reserve);
        }

        private boolean options() throws NotUnderstoodException {
            boolean reserve = false;
            do {
                String option = name().toLowerCase(Locale.ROOT);
                boolean value = peek().kind().equals("sign") || isTrue(take().text());
                if (!option.equals("reserve_wal")) {
                    throw new NotUnderstoodException(SYNTAX_ERROR, "unrecognized option: " + option);
                }
                reserve = value;
            } while (takeSign(","));
            if (!takeSign(")")) {
                throw syntaxError();
            }
            return reserve;
        }

        private DropSlot dropSlot() throws NotUnderstoodException {
            String name = name();
            takeWord("WAIT");
            return new DropSlot(name);
        }

        private StartReplication startReplication() throws NotUnderstoodException {
            String slot = takeWord("SLOT") ? name() : "";
            if (takeWord("LOGICAL")) {
                throw new NotUnderstoodException(
                        NOT_SUPPORTED, "logical replication is not supported by a Lockstep server");
            }
            takeWord("PHYSICAL");
            Token lsn = take();
            if (!lsn.kind().equals("lsn")) {
                throw syntaxError();
            }
            return new StartReplication(slot, Lsn.parse(lsn.text()).value(), takeWord("TIMELINE") ? timeline() : 0);
        }

        private int timeline() throws NotUnderstoodException {
            Token token = take();
            if (!token.kind().equals("number") || Long.parseLong(token.text()) > Integer.MAX_VALUE) {
                throw syntaxError();
            }
            int timeline = Integer.parseInt(token.text());
            if (timeline == 0) {
                throw new NotUnderstoodException(SYNTAX_ERROR, "invalid timeline 0");
            }
            return timeline;
        }

        private String name() throws NotUnderstoodException {
            Token token = take();
            return switch (token.kind()) {
                case "word" -> token.text().toLowerCase(Locale.ROOT);
                case "quoted" -> token.text().replace("\"\"", "\"");
                default -> throw syntaxError();
            };
        }

        private Token peek() {
            return next < tokens.size() ? tokens.get(next) : END;
        }

        private Token take() {
            Token token = peek();
            next++;
            return token;
        }

        private boolean takeWord(String word) {
            return takeIf(new Token("word", word));
        }

        private boolean takeSign(String sign) {
            return takeIf(new Token("sign", sign));
        }

        private boolean takeIf(Token wanted) {
            boolean found = peek().equals(wanted);
            next += found ? 1 : 0;
            return found;
        }

        private NotUnderstoodException syntaxError() {
            return new NotUnderstoodException(SYNTAX_ERROR, "syntax error in \"" + command + '"');
        }
    }

    /** Returns whether a text says yes, as PostgreSQL reads it. */
    static boolean isTrue(String text) {
        String lower = text.toLowerCase(Locale.ROOT);
        return lower.equals("1")
                || lower.equals("on")
                || (!lower.isEmpty() && ("true".startsWith(lower) || "yes".startsWith(lower)));
    }
}
