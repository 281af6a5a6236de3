package lockstep.transport.api;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.regex.Pattern;

/**
 * Where a server listens or is reached: a URI whose scheme names the transport, such as {@code tcp://127.0.0.1:5440}.
 * What else the URI may hold is up to the transport.
 */
public record Endpoint(URI uri) {
    /** After the user's name, or in the query. */
    private static final Pattern PASSWORD = Pattern.compile("(//[^/@\\s:?]*:).*(?=@)|([?&]password=)[^&\\s]*");

    /** Checks that there is a scheme. */
    public Endpoint {
        if (uri.getScheme() == null) {
            throw new IllegalArgumentException("endpoint \"" + withoutPassword(uri.toString())
                    + "\" has no transport: expected SCHEME://…, such as tcp://127.0.0.1:5440");
        }
    }

    /**
     * Reads the text form.
     *
     * @throws IllegalArgumentException if it is no URI with a scheme; says what was expected
     */
    public static Endpoint parse(String text) {
        try {
            return new Endpoint(new URI(text.strip()));
        } catch (URISyntaxException e) {
            // Without the cause, which shows the text as it is.
            throw new IllegalArgumentException("\"" + withoutPassword(text)
                    + "\" is no endpoint: expected SCHEME://…, such as tcp://127.0.0.1:5440");
        }
    }

    /** Returns the scheme, which names the transport. */
    public String scheme() {
        return uri.getScheme();
    }

    /** Returns the text form, without a password that may be in it: it is for people and logs. */
    @Override
    public String toString() {
        return withoutPassword(uri.toString());
    }

    private static String withoutPassword(String text) {
        return PASSWORD.matcher(text)
                .replaceAll(found -> (found.group(1) == null ? found.group(2) : found.group(1)) + "***");
    }
}
