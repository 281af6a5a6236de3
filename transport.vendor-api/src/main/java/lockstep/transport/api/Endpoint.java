package lockstep.transport.api;

import java.net.URI;
import java.net.URISyntaxException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a server listens or is reached: a URI whose scheme names the transport, such as {@code tcp://127.0.0.1:5440}.
 * What else the URI may hold is up to the transport. The text form of this, unlike that of the URI, shows no password.
 */
public record Endpoint(URI uri) {
    /** A password in front of a host, or the value of an option that holds one. */
    private static final Pattern SECRET = Pattern.compile(
            "(?<=//)([^/?#:@\\s]*:)(?:[^/?#\\s]*|[^,\\s]*)(?=@)"
                    + "|\\b((?:ssl)?password\\s*=\\s*)(?:'(?:[^'\\\\]|\\\\.)*'|[^&#\\s']*)",
            Pattern.CASE_INSENSITIVE);

    /** Checks that there is a scheme. */
    public Endpoint {
        if (uri.getScheme() == null) {
            throw new IllegalArgumentException("endpoint \"" + withoutSecrets(uri.toString())
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
            // Without the cause, which repeats the text.
            throw new IllegalArgumentException("\"" + withoutSecrets(text)
                    + "\" is no endpoint: expected SCHEME://…, such as tcp://127.0.0.1:5440");
        }
    }

    /** Returns a text that may hold endpoints as it can be shown: passwords in them are replaced by asterisks. */
    public static String withoutSecrets(String text) {
        return SECRET.matcher(text)
                .replaceAll(found -> Matcher.quoteReplacement(
                        (found.group(1) == null ? found.group(2) : found.group(1)) + "********"));
    }

    /** Returns the scheme, which names the transport. */
    public String scheme() {
        return uri.getScheme();
    }

    /** Returns the text form, without a password that may be in it: it is for people and logs. */
    @Override
    public String toString() {
        return withoutSecrets(uri.toString());
    }
}
