package lockstep.shell.command;

import java.util.Locale;

/** Words for people. */
final class Text {
    private Text() {}

    /** Returns a constant as a word. */
    static String lower(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    /** Returns a number with its noun: {@code 1 commit}, {@code 2 commits}. */
    static String count(long number, String noun) {
        return String.format(Locale.ROOT, "%,d %s%s", number, noun, number == 1 ? "" : "s");
    }
}
