package lockstep.transport.postgres.client;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import lockstep.transport.api.Endpoint;

/**
 * How a PostgreSQL server is reached, as libpq's connection URIs say it: {@code
 * postgresql://[USER[:PASSWORD]@][HOST[:PORT][,…]][/DATABASE][?NAME=VALUE[&…]]}. What is not said there is in libpq's environment
 * variables; what has no use in replication is passed over, and what would change what a connection is worth and is not done
 * here is refused.
 *
 * <p>The text form of this tells no password.
 */
final class Conninfo {
    static final int DEFAULT_PORT = 5432;

    private static final String PLAIN_DATABASE = "replication";
    private static final Map<String, String> ENVIRONMENT = Map.ofEntries(
            Map.entry("host", "PGHOST"),
            Map.entry("port", "PGPORT"),
            Map.entry("dbname", "PGDATABASE"),
            Map.entry("user", "PGUSER"),
            Map.entry("application_name", "PGAPPNAME"),
            Map.entry("connect_timeout", "PGCONNECT_TIMEOUT"),
            Map.entry("sslmode", "PGSSLMODE"),
            Map.entry("sslrootcert", "PGSSLROOTCERT"),
            Map.entry("sslcert", "PGSSLCERT"),
            Map.entry("sslkey", "PGSSLKEY"),
            Map.entry("sslcrl", "PGSSLCRL"),
            Map.entry("channel_binding", "PGCHANNELBINDING"),
            Map.entry("options", "PGOPTIONS"),
            Map.entry("target_session_attrs", "PGTARGETSESSIONATTRS"));
    private static final Set<String> WITHOUT_ENVIRONMENT =
            Set.of("hostaddr", "password", "passfile", "fallback_application_name");

    /** They tune libpq's own sockets, or ask for what is so here anyway. */
    private static final Set<String> WITHOUT_USE = Set.of(
            "replication",
            "client_encoding",
            "keepalives",
            "keepalives_idle",
            "keepalives_interval",
            "keepalives_count",
            "tcp_user_timeout",
            "sslsni",
            "sslcompression",
            "krbsrvname",
            "gsslib");

    private static final Set<String> TLS = Set.of("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl");

    /** A server to try. */
    record Host(String name, int port) {
        @Override
        public String toString() {
            return (name.indexOf(':') >= 0 ? "[" + name + "]" : name) + ":" + port;
        }
    }

    /** Whether a password is proved over this very connection of TLS, so that nobody can stand in between. */
    enum ChannelBinding {
        DISABLE,
        PREFER,
        REQUIRE
    }

    /** Which of several servers will do. */
    enum Target {
        ANY,
        PRIMARY,
        STANDBY
    }

    private final Map<String, String> options;
    private final List<Host> hosts;
    private final ChannelBinding channelBinding;
    private final Target target;
    private final long timeoutMs;

    private Conninfo(Map<String, String> options) {
        this.options = options;
        hosts = hosts(
                get("host").orElse("localhost"),
                get("hostaddr").orElse(""),
                get("port").orElse(""));
        channelBinding = switch (get("channel_binding").orElse("prefer")) {
            case "disable" -> ChannelBinding.DISABLE;
            case "prefer" -> ChannelBinding.PREFER;
            case "require" -> ChannelBinding.REQUIRE;
            default -> throw bad("channel_binding", "disable, prefer or require");
        };
        target = switch (get("target_session_attrs").orElse("any")) {
            case "any" -> Target.ANY;
            case "primary", "read-write" -> Target.PRIMARY;
            case "standby", "read-only" -> Target.STANDBY;
            default -> throw bad("target_session_attrs", "any, primary, read-write, standby or read-only");
        };
        timeoutMs = TimeUnit.SECONDS.toMillis(
                number("connect_timeout", get("connect_timeout").orElse("0")));
    }

    /**
     * Reads an endpoint.
     *
     * @throws IllegalArgumentException if it is none of libpq's form; names the option and what was expected
     */
    static Conninfo of(Endpoint endpoint, Map<String, String> environment) {
        String text = endpoint.uri().toString();
        String rest = text.substring(text.indexOf(':') + 1);
        if (!rest.startsWith("//")) {
            throw new IllegalArgumentException("expected postgresql://[USER@]HOST[:PORT]/[?NAME=VALUE&…]");
        }
        Map<String, String> options = new LinkedHashMap<>();
        int query = rest.indexOf('?');
        String path = rest.substring(2, query < 0 ? rest.length() : query);
        int slash = path.indexOf('/');
        authority(slash < 0 ? path : path.substring(0, slash), options);
        if (slash >= 0) {
            put(options, "dbname", path.substring(slash + 1));
        }
        if (query >= 0) {
            for (String pair : rest.substring(query + 1).split("&", -1)) {
                int equals = pair.indexOf('=');
                if (equals <= 0) {
                    throw new IllegalArgumentException("expected NAME=VALUE after the question mark, divided by &");
                }
                put(options, pair.substring(0, equals), pair.substring(equals + 1));
            }
        }
        options.keySet().forEach(name -> check(name, options.get(name)));
        ENVIRONMENT.forEach((name, variable) -> {
            String value = environment.getOrDefault(variable, "");
            if (!value.isEmpty()) {
                options.putIfAbsent(name, value);
            }
        });
        return new Conninfo(options);
    }

    private static void authority(String authority, Map<String, String> options) {
        int at = authority.lastIndexOf('@');
        if (at >= 0) {
            String user = authority.substring(0, at);
            int colon = user.indexOf(':');
            put(options, "user", colon < 0 ? user : user.substring(0, colon));
            put(options, "password", colon < 0 ? "" : user.substring(colon + 1));
        }
        List<String> names = new ArrayList<>();
        List<String> ports = new ArrayList<>();
        for (String server : authority.substring(at + 1).split(",", -1)) {
            int colon = server.indexOf(':', server.lastIndexOf(']') + 1);
            String name = colon < 0 ? server : server.substring(0, colon);
            names.add(name.startsWith("[") && name.endsWith("]") ? name.substring(1, name.length() - 1) : name);
            ports.add(colon < 0 ? "" : server.substring(colon + 1));
        }
        put(options, "host", String.join(",", names));
        if (ports.stream().anyMatch(port -> !port.isEmpty())) {
            put(options, "port", String.join(",", ports));
        }
    }

    private static void put(Map<String, String> options, String name, String value) {
        String plain;
        try {
            // A plus sign is one here, unlike in a form of a web page.
            plain = URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    name + " has a percent sign that is not followed by two hexadecimal digits");
        }
        if (plain.indexOf(0) >= 0) {
            throw new IllegalArgumentException(name + " has a zero byte");
        }
        if (!plain.isEmpty()) {
            options.put(name, plain);
        }
    }

    private static void check(String name, String value) {
        boolean harmless = (name.equals("gssencmode") && !value.equals("require"))
                || (name.equals("load_balance_hosts") && value.equals("disable"));
        if (!harmless
                && !ENVIRONMENT.containsKey(name)
                && !WITHOUT_ENVIRONMENT.contains(name)
                && !WITHOUT_USE.contains(name)) {
            throw new IllegalArgumentException("connection option \"" + name + "\" is not known here");
        }
    }

    private List<Host> hosts(String names, String addresses, String ports) {
        String[] name = (addresses.isEmpty() ? names : addresses).split(",", -1);
        String[] port = ports.split(",", -1);
        if (port.length != 1 && port.length != name.length) {
            throw new IllegalArgumentException("there are " + name.length + " hosts and " + port.length
                    + " ports: expected one port for all, or one" + " for each");
        }
        List<Host> found = new ArrayList<>();
        for (int i = 0; i < name.length; i++) {
            if (name[i].startsWith("/") || name[i].startsWith("@")) {
                throw new IllegalArgumentException("host " + name[i]
                        + " is a Unix-domain socket: expected the name or the address of a host, such as localhost");
            }
            String number = port[port.length == 1 ? 0 : i];
            int parsed = number.isEmpty() ? DEFAULT_PORT : number("port", number);
            if (parsed < 1 || parsed > 0xFFFF) {
                throw new IllegalArgumentException("port " + number + " is none: expected 1 to 65535");
            }
            found.add(new Host(name[i].isEmpty() ? "localhost" : name[i], parsed));
        }
        return List.copyOf(found);
    }

    private static int number(String name, String text) {
        try {
            return Integer.parseInt(text.strip());
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(name + " " + text + " is no number", e);
        }
    }

    private IllegalArgumentException bad(String name, String expected) {
        return new IllegalArgumentException(name + " is " + options.get(name) + ": expected " + expected);
    }

    private Optional<String> get(String name) {
        return Optional.ofNullable(options.get(name));
    }

    /** Returns the servers, in the order they are tried. */
    List<Host> hosts() {
        return hosts;
    }

    String user() {
        return get("user").orElseGet(() -> System.getProperty("user.name"));
    }

    String database() {
        return get("dbname").orElse(PLAIN_DATABASE);
    }

    /** Returns the password that stands in the endpoint itself. */
    Optional<String> password() {
        return get("password");
    }

    /** Returns what is said of where passwords are. */
    Map<String, String> passwords() {
        return get("passfile").map(file -> Map.of("passfile", file)).orElse(Map.of());
    }

    /**
     * Returns what the server calls this standby.
     *
     * @param standard if nothing is said here
     */
    String applicationName(String standard) {
        return get("application_name").orElse(get("fallback_application_name").orElse(standard));
    }

    /** Returns the command-line options for the server's process. */
    Optional<String> serverOptions() {
        return get("options");
    }

    /** Returns what is said of TLS. */
    Map<String, String> tls() {
        Map<String, String> said = new LinkedHashMap<>(options);
        said.keySet().retainAll(TLS);
        return said;
    }

    ChannelBinding channelBinding() {
        return channelBinding;
    }

    Target target() {
        return target;
    }

    /** Returns how long one server may take to answer; {@code standardMs} if nothing shorter is said. */
    long timeoutMs(long standardMs) {
        return timeoutMs > 0 ? Math.min(timeoutMs, standardMs) : standardMs;
    }

    @Override
    public String toString() {
        return "user " + user() + " at " + hosts;
    }
}
