package lockstep.security;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Who may connect to this server as which standby, and how it must prove that: what {@code access.conf} says, in the manner
 * of PostgreSQL's {@code pg_hba.conf}.
 *
 * <pre>
 *   # TRANSPORT   STANDBY   ADDRESS        METHOD          [OPTION]
 *   tcp           s1        10.0.0.0/8     scram-sha-256
 *   tcp           s2,s3     10.0.0.0/8     cert
 *   tcp           s4        10.9.0.1       cert            identity=db4.example.org
 *   ssh           all       all            peer
 *   all           all       local          trust
 * </pre>
 *
 * <p>The first line that matches decides. When its method fails no other is tried, and whom no line matches is refused: a
 * list of what is allowed can be read by a person, one with fallbacks cannot.
 *
 * <p>A name is claimed by whoever connects, and the rule binds it: by {@code scram-sha-256} and {@code cert} a peer is let
 * in only as the standby of the same name as the user of its password or the common name of its certificate, or of the
 * {@code identity} that the line names. Immutable.
 */
public final class AccessRules {
    /** The name of the file, in the data directory. */
    public static final String FILE = "access.conf";

    private static final String ALL = "all";
    private static final String IDENTITY = "identity=";
    private static final int COLUMNS = 4;
    private static final Pattern WORD = Pattern.compile("\\G\\s*(?:([^\\s\"#=]+=)?\"([^\"]*)\"|([^\\s\"#]+))");

    /** What counts without a file: this machine, and what transports prove by themselves. */
    private static final String STANDARD = """
            all  all  127.0.0.0/8  trust
            all  all  ::1/128      trust
            all  all  local        trust
            ssh  all  all          peer
            """;

    private final List<AccessRule> rules;
    private final String source;

    private AccessRules(String source, List<AccessRule> rules) {
        this.source = source;
        this.rules = List.copyOf(rules);
    }

    /** Returns what counts when there is no file. */
    public static AccessRules standard() {
        return parse("the standard rules", STANDARD);
    }

    /** Returns rules that let nobody in. */
    static AccessRules nobody(String why) {
        return new AccessRules(why, List.of());
    }

    /**
     * Reads rules.
     *
     * @param source what they are read from, for people
     * @throws IllegalArgumentException if a line makes no sense; names it, what was found and what was expected
     */
    public static AccessRules parse(String source, String text) {
        List<AccessRule> rules = new ArrayList<>();
        String[] lines = text.split("\n", -1);
        for (int i = 0; i < lines.length; i++) {
            String place = source + ":" + (i + 1);
            try {
                List<String> words = words(lines[i]);
                if (!words.isEmpty()) {
                    rules.add(rule(place, words));
                }
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException(place + ": " + e.getMessage(), e);
            }
        }
        return new AccessRules(source, rules);
    }

    private static List<String> words(String line) {
        List<String> words = new ArrayList<>();
        Matcher matcher = WORD.matcher(line);
        int end = 0;
        while (matcher.find()) {
            end = matcher.end();
            words.add(
                    matcher.group(2) == null
                            ? matcher.group(3)
                            : (matcher.group(1) == null ? "" : matcher.group(1)) + matcher.group(2));
        }
        String rest = line.substring(end).strip();
        if (!rest.isEmpty() && !rest.startsWith("#")) {
            throw new IllegalArgumentException("expected words, found " + rest);
        }
        return words;
    }

    private static AccessRule rule(String place, List<String> words) {
        if (words.size() < COLUMNS) {
            throw new IllegalArgumentException("expected TRANSPORT STANDBY ADDRESS METHOD, found " + words.size()
                    + (words.size() == 1 ? " word" : " words"));
        }
        String word = words.get(COLUMNS - 1);
        AccessMethod method = AccessMethod.of(word)
                .orElseThrow(() -> new IllegalArgumentException(
                        "\"" + word + "\" is no method: expected one of " + AccessMethod.words()));
        String identity = "";
        for (String option : words.subList(COLUMNS, words.size())) {
            if (!option.startsWith(IDENTITY) || option.length() == IDENTITY.length()) {
                throw new IllegalArgumentException("\"" + option + "\" is no option: expected identity=NAME");
            } else if (method == AccessMethod.TRUST || method == AccessMethod.REJECT) {
                throw new IllegalArgumentException("method " + method + " establishes no identity to compare with");
            }
            identity = option.substring(IDENTITY.length());
        }
        return new AccessRule(
                place,
                names(words.get(0).toLowerCase(Locale.ROOT)),
                names(words.get(1)),
                Network.parse(words.get(2)),
                method,
                identity);
    }

    private static Set<String> names(String list) {
        Set<String> names = Set.copyOf(List.of(list.split(",", -1)));
        if (names.contains("")) {
            throw new IllegalArgumentException("\"" + list + "\" has an empty name in it");
        }
        return names.contains(ALL) ? Set.of() : names;
    }

    /**
     * Finds the rule for a peer that asks to come in.
     *
     * @param transport the scheme it comes by, such as {@code tcp}
     * @param standby the name it claims
     * @param address where it comes from; null if the transport has no addresses
     * @return the rule, which may be to reject it
     * @throws AccessException if there is none, or it rejects the peer
     */
    public AccessRule find(String transport, String standby, InetAddress address) throws AccessException {
        String who = "standby \"" + standby + "\"" + (address == null ? "" : " from " + address.getHostAddress())
                + " over " + transport;
        for (AccessRule rule : rules) {
            if (rule.matches(transport, standby, address)) {
                if (rule.method() == AccessMethod.REJECT) {
                    throw new AccessException(who + " is refused by " + rule.place());
                }
                return rule;
            }
        }
        throw new AccessException("no line of " + source + " lets " + who
                + " in; on the primary, add one such as:  " + transport + "  " + standby + "  "
                + (address == null ? "local" : address.getHostAddress()) + "  " + AccessMethod.SCRAM_SHA_256);
    }

    /** Returns the rules, in their order. */
    public List<AccessRule> rules() {
        return rules;
    }

    @Override
    public String toString() {
        return source + ", " + rules.size() + " lines";
    }
}
