package lockstep.shell.command;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import lockstep.commit.CommitLevel;
import lockstep.transport.api.Lsn;

/**
 * What a command was given besides its options, checked: Gogo itself would tell of a wrong number of words only that it
 * "cannot coerce" them. Everything here throws {@link IllegalArgumentException} with what was expected.
 */
final class Words {
    /** The absent value of options. */
    static final String NONE = "";

    private static final String OPTION = "--";

    private final List<String> words;

    /**
     * Checks how many words there are.
     *
     * @param usage the whole command as it is to be typed
     */
    Words(String usage, int least, int most, String... words) {
        // Gogo makes null of the word "null".
        this.words = Arrays.stream(words).map(String::valueOf).toList();
        check(usage, least, most, this.words);
    }

    /** Checks that there are none. */
    static void none(String usage, String... words) {
        check(usage, 0, 0, Arrays.stream(words).map(String::valueOf).toList());
    }

    private static void check(String usage, int least, int most, List<String> words) {
        for (String word : words) {
            if (word.startsWith(OPTION)) {
                throw new IllegalArgumentException("there is no option " + word + " here; usage: " + usage);
            }
        }
        if (words.size() < least || words.size() > most) {
            throw new IllegalArgumentException("usage: " + usage);
        }
    }

    String get(int index) {
        return words.get(index);
    }

    List<String> all() {
        return words;
    }

    Optional<String> find(int index) {
        return index < words.size() ? Optional.of(words.get(index)) : Optional.empty();
    }

    /** Returns the first word, which must be one of these. */
    String oneOf(String usage, String... known) {
        String word = words.get(0);
        if (!Arrays.asList(known).contains(word)) {
            throw new IllegalArgumentException("there is no \"" + word + "\" here; usage: " + usage);
        }
        return word;
    }

    /** Reads the value of an option that may be absent. */
    static Optional<CommitLevel> level(String text) {
        return text.equals(NONE) ? Optional.empty() : Optional.of(CommitLevel.parse(text));
    }

    /** Reads the value of an option that may be absent. */
    static Optional<Long> lsn(String text) {
        return text.equals(NONE)
                ? Optional.empty()
                : Optional.of(Lsn.parse(text).value());
    }

    /** Reads the value of an option, from {@code least} to {@code most}. */
    static int number(String option, String text, int least, int most) {
        try {
            int number = Integer.parseInt(text);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // The message below says it.
        }
        throw new IllegalArgumentException(
                option + ' ' + text + ": expected a whole number from " + least + " to " + most);
    }
}
