package lockstep.launcher;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The arguments of a command, taken apart: {@code DIR --flag --option value --option=value}. */
final class Arguments {
    private final List<String> positional = new ArrayList<>();
    private final Map<String, List<String>> options = new HashMap<>();

    /**
     * Takes them apart.
     *
     * @param flags the options that stand alone
     * @param valued the options that take a value
     * @throws UsageException if there is another option, or a value is missing
     */
    Arguments(List<String> arguments, Set<String> flags, Set<String> valued) {
        for (int i = 0; i < arguments.size(); i++) {
            String argument = arguments.get(i);
            int equals = argument.indexOf('=');
            String name = equals < 0 ? argument : argument.substring(0, equals);
            if (!argument.startsWith("--")) {
                positional.add(argument);
            } else if (flags.contains(argument)) {
                options.put(argument, List.of());
            } else if (!valued.contains(name)) {
                throw new UsageException("there is no option " + name);
            } else if (equals < 0 && i + 1 == arguments.size()) {
                throw new UsageException(name + " needs a value");
            } else {
                String value = equals < 0 ? arguments.get(++i) : argument.substring(equals + 1);
                options.computeIfAbsent(name, key -> new ArrayList<>()).add(value);
            }
        }
    }

    /** Returns the only argument that is no option. */
    String only(String what) {
        return all(what).get(0);
    }

    /** Returns the arguments that are no options, which are as many as these. */
    List<String> all(String... what) {
        if (positional.size() < what.length) {
            throw new UsageException(what[positional.size()] + " is missing");
        }
        if (positional.size() > what.length) {
            throw new UsageException("\"" + positional.get(what.length) + "\" is one too many");
        }
        return positional;
    }

    /** Returns the arguments that are no options, of which there must be so many. */
    List<String> all(int count, String what) {
        if (positional.size() != count) {
            throw new UsageException("expected " + what);
        }
        return List.copyOf(positional);
    }

    /** Refuses arguments that are no options. */
    void none() {
        if (!positional.isEmpty()) {
            throw new UsageException("\"" + positional.get(0) + "\" is one too many");
        }
    }

    boolean has(String flag) {
        return options.containsKey(flag);
    }

    List<String> values(String option) {
        return options.getOrDefault(option, List.of());
    }

    Optional<String> value(String option) {
        List<String> values = values(option);
        if (values.size() > 1) {
            throw new UsageException(option + " is given twice");
        }
        return values.stream().findFirst();
    }
}
