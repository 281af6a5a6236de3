package lockstep.config;

import java.util.regex.Pattern;
import lockstep.transport.api.Endpoint;

/** Keeps what must not be seen out of what is shown and logged of parameters. */
public final class Secrets {
    /** What is shown in place of a secret. */
    public static final String HIDDEN = "********";

    private static final Pattern NAME = Pattern.compile("(.*[._])?password");

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
        return Endpoint.withoutSecrets(value);
    }
}
