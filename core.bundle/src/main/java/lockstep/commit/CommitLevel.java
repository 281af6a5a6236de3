package lockstep.commit;

import java.util.Locale;

/**
 * How safe a commit shall be when it returns ({@code synchronous_commit}), from the least to the most. Each level also
 * gives what the ones before it give.
 */
public enum CommitLevel {
    /** Returns at once; a crash of the primary may lose it. */
    OFF(1),
    /** Returns when the primary has flushed it. */
    LOCAL(2),
    /** Returns when, besides, the standby has written it: it survives a crash of the primary, or of the standby. */
    REMOTE_WRITE(3),
    /** Returns when, besides, the standby has flushed it: it survives the loss of either machine. */
    ON(4),
    /** Returns when, besides, the standby has applied it: it can be read there. */
    REMOTE_APPLY(5);

    private final int code;

    CommitLevel(int code) {
        this.code = code;
    }

    /**
     * Reads the form used in configuration, such as {@code remote_write}.
     *
     * @throws IllegalArgumentException if there is no such level; names those there are
     */
    public static CommitLevel parse(String text) {
        for (CommitLevel level : values()) {
            if (level.parameterValue().equalsIgnoreCase(text.strip())) {
                return level;
            }
        }
        throw new IllegalArgumentException(
                "\"" + text + "\" is no commit level: expected off, local, remote_write, on or remote_apply");
    }

    /** Returns the number that stands for it in commit records. */
    int code() {
        return code;
    }

    /** Returns the level of a commit record; {@link #ON} if it names none that is known, so that nothing is shown too early. */
    public static CommitLevel ofCode(int code) {
        for (CommitLevel level : values()) {
            if (level.code == code) {
                return level;
            }
        }
        return ON;
    }

    /** Returns the form used in configuration. */
    public String parameterValue() {
        return name().toLowerCase(Locale.ROOT);
    }
}
