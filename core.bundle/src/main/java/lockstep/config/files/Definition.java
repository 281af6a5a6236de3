package lockstep.config.files;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import lockstep.commit.StandbyNames;
import lockstep.config.Endpoints;
import lockstep.config.Parameter;
import lockstep.config.StandbyConfiguration;
import lockstep.config.Units;

/**
 * A parameter as a bundle declares it.
 *
 * @param pid the PID of the configuration it is part of
 * @param id what the component calls it, such as {@code walSenderTimeout}
 * @param name what the operator calls it, such as {@code wal_sender_timeout}
 * @param standard what it is when no file says otherwise
 * @param min the least value as it was declared, empty if there is none
 * @param max the greatest value as it was declared, empty if there is none
 * @param least the least value as a number, with bytes and microseconds as units
 * @param greatest the greatest value as a number
 */
record Definition(
        String pid,
        String id,
        String name,
        Parameter.Type type,
        String standard,
        String min,
        String max,
        long least,
        long greatest,
        List<String> options,
        String description) {
    static final String SERVER_FILE = "lockstep.conf";
    static final String RECOVERY_FILE = "recovery.conf";

    /** The texts with a grammar of their own, and who reads it. */
    private static final Map<String, Consumer<String>> GRAMMARS = Map.of(
            "listen_addresses", Endpoints::listenAddresses,
            "primary_conninfo", Endpoints::primaryConninfo,
            "synchronous_standby_names", StandbyNames::parse);

    private static final Pattern SHORT_PID = Pattern.compile("lockstep\\.[^.]*");
    private static final Pattern ENDS_WITH_UNIT = Pattern.compile("[+-]?[0-9].*[A-Za-z]");

    /**
     * A value that was read.
     *
     * @param text how it is written, in one way
     * @param meaning what it stands for: a {@link Boolean}, a {@link Long} or a {@link String}; equal when the values
     *     are
     */
    record Value(String text, Object meaning) {}

    /**
     * Makes sense of a declaration.
     *
     * @param declaredType the metatype's name of the type, such as {@code Integer}
     * @throws IllegalArgumentException if it makes none
     */
    static Definition of(
            String pid,
            String id,
            String declaredType,
            String standard,
            String min,
            String max,
            List<String> options,
            String description) {
        Parameter.Type type = type(declaredType, standard, options);
        boolean isInt = declaredType.equals("Integer");
        long lowest = isInt ? Integer.MIN_VALUE : type == Parameter.Type.INTEGER ? Long.MIN_VALUE : 0;
        long highest = isInt ? Integer.MAX_VALUE : Long.MAX_VALUE;
        boolean bounded =
                type == Parameter.Type.INTEGER || type == Parameter.Type.SIZE || type == Parameter.Type.DURATION;
        Definition definition = new Definition(
                pid,
                id,
                qualifier(pid) + snakeCase(id),
                type,
                standard,
                bounded ? min : "",
                bounded ? max : "",
                !bounded || min.isEmpty() ? lowest : number(type, min),
                !bounded || max.isEmpty() ? highest : number(type, max),
                List.copyOf(options),
                description);
        definition.read(standard);
        return definition;
    }

    private static Parameter.Type type(String declaredType, String standard, List<String> options) {
        if (!options.isEmpty()) {
            return Parameter.Type.ENUMERATION;
        }
        return switch (declaredType) {
            case "Boolean" -> Parameter.Type.BOOLEAN;
            case "Integer", "Long" -> Parameter.Type.INTEGER;
            case "String", "Password" -> textType(standard);
            default ->
                throw new IllegalArgumentException(
                        "type " + declaredType + " is none of String, Boolean, Integer and Long");
        };
    }

    private static Parameter.Type textType(String standard) {
        if (ENDS_WITH_UNIT.matcher(standard).matches()) {
            for (Parameter.Type type : List.of(Parameter.Type.SIZE, Parameter.Type.DURATION)) {
                try {
                    number(type, standard);
                    return type;
                } catch (IllegalArgumentException e) {
                    // Then it is another type.
                }
            }
        }
        return Parameter.Type.TEXT;
    }

    private static String qualifier(String pid) {
        return SHORT_PID.matcher(pid).matches()
                ? ""
                : pid.substring(pid.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT) + ".";
    }

    private static String snakeCase(String id) {
        StringBuilder name = new StringBuilder();
        for (int i = 0; i < id.length(); i++) {
            char c = id.charAt(i);
            if (Character.isUpperCase(c)) {
                name.append('_');
            }
            name.append(Character.toLowerCase(c));
        }
        return name.toString();
    }

    private static long number(Parameter.Type type, String text) {
        return switch (type) {
            case SIZE -> Units.bytes(text);
            case DURATION -> Units.micros(text);
            default -> integer(text);
        };
    }

    private static long integer(String text) {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("\"" + text + "\" is no whole number", e);
        }
    }

    /** Returns the file it stands in. */
    String file() {
        return pid.equals(StandbyConfiguration.PID) ? RECOVERY_FILE : SERVER_FILE;
    }

    boolean atStart() {
        return description.endsWith(Parameter.AT_START);
    }

    /** Returns the value when no file says otherwise. */
    Value standardValue() {
        return read(standard);
    }

    /**
     * Reads a value.
     *
     * @throws IllegalArgumentException if it is none for this parameter; says what was expected
     */
    Value read(String text) {
        String stripped = text.strip();
        return switch (type) {
            case BOOLEAN -> truth(stripped);
            case ENUMERATION -> option(stripped);
            case TEXT -> checked(text);
            case INTEGER -> bounded(stripped, integer(stripped));
            case SIZE, DURATION -> bounded(stripped.replaceAll("\\s+", ""), number(type, stripped));
        };
    }

    private Value checked(String text) {
        GRAMMARS.getOrDefault(name, any -> {}).accept(text);
        return new Value(text, text);
    }

    private static Value truth(String text) {
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "on", "true", "yes", "1" -> new Value("on", true);
            case "off", "false", "no", "0" -> new Value("off", false);
            default -> throw new IllegalArgumentException("\"" + text + "\" is neither on nor off");
        };
    }

    private Value option(String text) {
        for (String option : options) {
            if (option.equalsIgnoreCase(text)) {
                return new Value(option, option);
            }
        }
        throw new IllegalArgumentException("\"" + text + "\" is none of "
                + String.join(
                        ", ",
                        options.stream()
                                .map(option -> option.isEmpty() ? "''" : option)
                                .toList()));
    }

    private Value bounded(String text, long number) {
        if (number < least || number > greatest) {
            String lowest = min.isEmpty() ? Long.toString(least) : min;
            String highest = max.isEmpty() ? Long.toString(greatest) : max;
            throw new IllegalArgumentException(text + " is out of range: expected "
                    + (greatest == Long.MAX_VALUE ? "at least " + lowest : lowest + " to " + highest));
        }
        return new Value(text, number);
    }
}
