package lockstep.config.files;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** All parameters that are declared, by name. */
record Definitions(SortedMap<String, Definition> byName) {
    /** A name is taken for a slip of another when no more than one letter in this many is wrong. */
    private static final int LETTERS_PER_SLIP = 3;

    private static final int MAX_NAME_CHARS = 63;

    /** Of several declarations of one name the first counts. */
    static Definitions of(List<Definition> declared) {
        SortedMap<String, Definition> byName = new TreeMap<>();
        declared.forEach(definition -> byName.putIfAbsent(definition.name(), definition));
        return new Definitions(byName);
    }

    Collection<Definition> all() {
        return byName.values();
    }

    Optional<Definition> get(String name) {
        return Optional.ofNullable(byName.get(name.toLowerCase(Locale.ROOT)));
    }

    /** Returns whether a qualified name belongs to somebody who is not here, and so may be right. */
    boolean isForeign(String name) {
        String qualifier = name.substring(0, name.indexOf('.') + 1);
        return !qualifier.isEmpty() && byName.keySet().stream().noneMatch(known -> known.startsWith(qualifier));
    }

    /** Returns what to say of a name that nobody declares. */
    String unknown(String name) {
        return "unknown parameter"
                + nearest(name).map(known -> "; did you mean " + known + "?").orElse("");
    }

    private Optional<String> nearest(String name) {
        if (name.length() > MAX_NAME_CHARS) {
            return Optional.empty();
        }
        return byName.keySet().stream()
                .map(known -> Map.entry(distance(name, known), known))
                .filter(candidate -> candidate.getKey() * LETTERS_PER_SLIP <= name.length())
                .min(Comparator.comparing(Map.Entry::getKey))
                .map(Map.Entry::getValue);
    }

    /** Counts the letters to insert, remove or replace to make one word of the other (Levenshtein). */
    private static int distance(String from, String to) {
        int[] previous = new int[to.length() + 1];
        for (int j = 0; j <= to.length(); j++) {
            previous[j] = j;
        }
        for (int i = 1; i <= from.length(); i++) {
            int[] row = new int[to.length() + 1];
            row[0] = i;
            for (int j = 1; j <= to.length(); j++) {
                int replaced = previous[j - 1] + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
                row[j] = Math.min(replaced, Math.min(previous[j], row[j - 1]) + 1);
            }
            previous = row;
        }
        return previous[to.length()];
    }
}
