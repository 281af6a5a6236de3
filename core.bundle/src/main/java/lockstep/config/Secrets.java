package lockstep.config;

import java.util.regex.Pattern;

/** Keeps what must not be seen out of what is shown and logged of parameters. */
public final class Secrets {
    /** What is shown in place of a secret. */
    public static final String HIDDEN = "***";

    private static final Pattern NAME = Pattern.compile("(.*[._])?password");
    /** {@code //user:PASSWORD@}, {@code password=PASSWORD}; the second may be quoted. */
    private static final Pattern WITHIN =
            Pattern.compile("(//[^/@\\s:?]*:)[^\\s,]*(?=@)|(\\bpassword\\s*=\\s*)('(?:[^'\\\\]|\\\\.)*'|[^&\\s]*)");

    private Secrets() {}

    /**
     * Returns a value as it may be shown.
     *
     * @param name the parameter's; what ends with {@code password} is hidden as a whole, of others only a password within
     *     them, as in {@code postgresql://user:password@host}
     */
    public static String hide(String name, String value) {
        if (NAME.matcher(name).matches()) {
            return value.isEmpty() ? value : HIDDEN;
        }
        return WITHIN.matcher(value).replaceAll(found -> (found.group(1) == null ? found.group(2) : found.group(1)) + HIDDEN);
    }
}
