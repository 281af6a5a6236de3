package lockstep.transport.postgres.protocol;

import io.netty.buffer.ByteBuf;
import lockstep.transport.api.MalformedMessageException;

/**
 * What an error or a notice says.
 *
 * @param severity {@code ERROR}, {@code FATAL}, {@code WARNING} and so on; after {@code FATAL} the server closes
 * @param sqlState the five characters that say which error it is, the same in all languages
 * @param message for people
 * @param detail more for people; empty if there is no more
 * @param hint what to do; empty if nothing is said
 */
public record Report(String severity, String sqlState, String message, String detail, String hint) {
    /** An error after which the session goes on. */
    public static Report error(String sqlState, String message) {
        return new Report("ERROR", sqlState, message, "", "");
    }

    /** An error that ends the session. */
    public static Report fatal(String sqlState, String message) {
        return new Report("FATAL", sqlState, message, "", "");
    }

    /** The same as an end of the session. */
    public Report asFatal() {
        return new Report("FATAL", sqlState, message, detail, hint);
    }

    /** The same with more to say. */
    public Report withDetail(String more) {
        return new Report(severity, sqlState, message, more, hint);
    }

    /** The same with advice. */
    public Report withHint(String advice) {
        return new Report(severity, sqlState, message, detail, advice);
    }

    void encode(ByteBuf out) {
        field(out, 'S', severity);
        field(out, 'V', severity);
        field(out, 'C', sqlState);
        field(out, 'M', message);
        field(out, 'D', detail);
        field(out, 'H', hint);
        out.writeByte(0);
    }

    private static void field(ByteBuf out, char code, String value) {
        if (!value.isEmpty()) {
            out.writeByte(code);
            Wire.text(out, value);
        }
    }

    static Report decode(ByteBuf in) throws MalformedMessageException {
        String severity = "";
        String untranslated = "";
        String sqlState = "";
        String message = "";
        String detail = "";
        String hint = "";
        for (byte code = code(in); code != 0; code = code(in)) {
            String value = Wire.text(in);
            switch (code) {
                case 'S' -> severity = value;
                case 'V' -> untranslated = value;
                case 'C' -> sqlState = value;
                case 'M' -> message = value;
                case 'D' -> detail = value;
                case 'H' -> hint = value;
                default -> {} // where in the server's code it arose, and the like
            }
        }
        return new Report(untranslated.isEmpty() ? severity : untranslated, sqlState, message, detail, hint);
    }

    private static byte code(ByteBuf in) throws MalformedMessageException {
        return Wire.need(in, Byte.BYTES, "the report of an error").readByte();
    }

    @Override
    public String toString() {
        return severity + " " + sqlState + ": " + message + (detail.isEmpty() ? "" : ". " + detail)
                + (hint.isEmpty() ? "" : ". " + hint);
    }
}
