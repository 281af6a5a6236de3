package lockstep.shell.command;

import java.util.Locale;
import lockstep.commit.CommitOutcome;

/** Words for people. */
final class Text {
    private Text() {}

    /** Returns a constant as a word. */
    static String lower(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    /** Returns what a commit got, such as {@code REPLICATED(on)}. */
    static String outcome(CommitOutcome outcome) {
        return kind(outcome) + '(' + detail(outcome) + ')';
    }

    /** Returns {@code REPLICATED}, {@code LOCAL_ONLY} or {@code IN_DOUBT}. */
    static String kind(CommitOutcome outcome) {
        if (outcome instanceof CommitOutcome.Replicated) {
            return "REPLICATED";
        }
        return outcome instanceof CommitOutcome.LocalOnly ? "LOCAL_ONLY" : "IN_DOUBT";
    }

    /** Returns the level reached, or the reason why none is. */
    static String detail(CommitOutcome outcome) {
        if (outcome instanceof CommitOutcome.Replicated replicated) {
            return replicated.level().parameterValue();
        }
        return outcome instanceof CommitOutcome.LocalOnly local
                ? local.reason()
                : ((CommitOutcome.InDoubt) outcome).reason();
    }

    /** Returns a number with its noun: {@code 1 commit}, {@code 2 commits}. */
    static String count(long number, String noun) {
        return String.format(Locale.ROOT, "%,d %s%s", number, noun, number == 1 ? "" : "s");
    }
}
