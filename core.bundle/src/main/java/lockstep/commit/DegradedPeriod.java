package lockstep.commit;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import lockstep.transport.api.Lsn;

/**
 * A time in which commits were acknowledged with fewer copies than they had asked for. Its text is what stands in the log.
 *
 * @param timeline the timeline of its WAL
 * @param startLsn where the WAL begins that may have had too few copies
 * @param endLsn where it ends; 0 while the period goes on
 * @param startMicros when it began, in {@link lockstep.io.Clock#micros}
 * @param endMicros when it ended; 0 while it goes on
 * @param degradedTo what commits waited for, as in {@code degrade_to}
 * @param operator who decided: a person, or the parameter by which the server did
 * @param reason why, for people
 */
public record DegradedPeriod(
        int timeline,
        long startLsn,
        long endLsn,
        long startMicros,
        long endMicros,
        String degradedTo,
        String operator,
        String reason) {
    /** The kind of note in the log that tells of a period, once when it begins and once when it has ended. */
    public static final String NOTE = "degraded";

    private static final String WORD = "(\\S+)";
    private static final Pattern TEXT = Pattern.compile("tli=(\\d{1,10}) from=" + WORD + " to=" + WORD
            + " since=(\\d{1,18}) until=(\\d{1,18}) degraded_to=" + WORD + " by=\"([^\"]*)\" reason=\"([^\"]*)\"");
    private static final int END_LSN = 3;
    private static final int START_MICROS = 4;
    private static final int END_MICROS = 5;
    private static final int DEGRADED_TO = 6;
    private static final int OPERATOR = 7;
    private static final int REASON = 8;

    /** Keeps the texts on one line, and out of each other's way. */
    public DegradedPeriod {
        operator = plain(operator);
        reason = plain(reason);
    }

    private static String plain(String text) {
        return text.replace('"', '\'').replaceAll("\\s+", " ");
    }

    /** Returns whether it has not ended. */
    public boolean isOpen() {
        return endMicros == 0;
    }

    /** Returns whether both tell of the same period. */
    boolean isSame(DegradedPeriod other) {
        return timeline == other.timeline && startLsn == other.startLsn && startMicros == other.startMicros;
    }

    /** Returns it with its end. */
    public DegradedPeriod ended(long lsn, long micros) {
        return new DegradedPeriod(timeline, startLsn, lsn, startMicros, micros, degradedTo, operator, reason);
    }

    /** Reads what {@link #toString} writes; empty if it is not that. */
    public static Optional<DegradedPeriod> parse(String text) {
        Matcher matcher = TEXT.matcher(text);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        try {
            return Optional.of(new DegradedPeriod(
                    Integer.parseInt(matcher.group(1)),
                    Lsn.parse(matcher.group(2)).value(),
                    Lsn.parse(matcher.group(END_LSN)).value(),
                    Long.parseLong(matcher.group(START_MICROS)),
                    Long.parseLong(matcher.group(END_MICROS)),
                    matcher.group(DEGRADED_TO),
                    matcher.group(OPERATOR),
                    matcher.group(REASON)));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    @Override
    public String toString() {
        return "tli=" + timeline + " from=" + Lsn.text(startLsn) + " to=" + Lsn.text(endLsn) + " since=" + startMicros
                + " until=" + endMicros + " degraded_to=" + degradedTo + " by=\"" + operator + "\" reason=\"" + reason
                + '"';
    }
}
