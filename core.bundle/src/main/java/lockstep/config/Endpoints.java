package lockstep.config;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import lockstep.transport.api.Endpoint;

/** Reads the parameters that are lists of endpoints. Whether a transport can do anything with one is for the transport to say. */
public final class Endpoints {
    private static final String POSTGRES = "postgresql:";
    private static final String SHORT_POSTGRES = "postgres:";

    /** A comma within an endpoint divides hosts. */
    private static final Pattern BETWEEN = Pattern.compile("[,\\s]+(?=[A-Za-z][A-Za-z0-9+.-]*:/)|[,\\s]+$");

    private static final Pattern PAIRS = Pattern.compile("\\s*[a-z_]+\\s*=.*", Pattern.DOTALL);
    private static final Pattern PAIR =
            Pattern.compile("\\G\\s*([a-z_]+)\\s*=\\s*(?:'((?:[^'\\\\]|\\\\.)*)'|((?:[^\\s'\\\\]|\\\\.)*))(?=\\s|$)");

    private Endpoints() {}

    /**
     * Reads {@code listen_addresses}: endpoints, divided by commas or blanks.
     *
     * @return the endpoints, in their order
     * @throws IllegalArgumentException if one is none; shows no password
     */
    public static List<Endpoint> listenAddresses(String text) {
        return Arrays.stream(text.split("[,\\s]+", -1))
                .filter(endpoint -> !endpoint.isEmpty())
                .map(Endpoint::parse)
                .toList();
    }

    /**
     * Reads {@code primary_conninfo}: endpoints, divided by commas or blanks; or what stands there for a PostgreSQL standby,
     * {@code NAME=VALUE} pairs divided by blanks, which is the endpoint {@code postgresql:///?NAME=VALUE&…}.
     *
     * @return the endpoints, in their order
     * @throws IllegalArgumentException if one is none; shows no password
     */
    public static List<Endpoint> primaryConninfo(String text) {
        if (PAIRS.matcher(text).matches()) {
            return List.of(Endpoint.parse(uri(text)));
        }
        return Arrays.stream(BETWEEN.split(text.strip(), -1))
                .filter(endpoint -> !endpoint.isEmpty())
                .map(endpoint -> endpoint.startsWith(SHORT_POSTGRES)
                        ? POSTGRES + endpoint.substring(SHORT_POSTGRES.length())
                        : endpoint)
                .map(Endpoint::parse)
                .toList();
    }

    private static String uri(String pairs) {
        Matcher pair = PAIR.matcher(pairs);
        int end = 0;
        StringBuilder query = new StringBuilder();
        while (pair.find()) {
            String value = pair.group(2) != null ? pair.group(2) : pair.group(3);
            query.append(query.isEmpty() ? "" : "&")
                    .append(pair.group(1))
                    .append('=')
                    .append(encoded(value.replaceAll("\\\\(.)", "$1")));
            end = pair.end();
        }
        if (!pairs.substring(end).isBlank()) {
            throw new IllegalArgumentException(
                    "primary_conninfo: expected NAME=VALUE pairs divided by blanks, found after " + "the first " + end
                            + " characters: " + Endpoint.withoutSecrets(pairs.substring(end)));
        }
        return POSTGRES + "///?" + query;
    }

    private static String encoded(String value) {
        return Arrays.stream(value.split(" ", -1))
                .map(part -> URLEncoder.encode(part, StandardCharsets.UTF_8))
                .collect(Collectors.joining("%20"));
    }
}
