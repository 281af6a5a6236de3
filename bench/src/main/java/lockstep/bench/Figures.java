package lockstep.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What was measured, and how it is shown: as text while it is measured, or all at the end as JSON. */
final class Figures {
    private final boolean json;
    private final Map<String, Double> values = new LinkedHashMap<>();

    Figures(boolean json) {
        this.json = json;
    }

    /** Shows a line of text. */
    void say(String format, Object... values) {
        if (!json) {
            System.out.printf(Locale.ROOT, format + "%n", values);
        }
    }

    /** Keeps a figure for the end; its name has no spaces and ends with its unit. */
    void put(String name, double value) {
        values.put(name, value);
    }

    void megabytes(String name, long bytes, double inSeconds) {
        put(name + "_mb_per_second", bytes / 1e6 / inSeconds);
        say("  %-44s %9.0f MB/s", name.replace('_', ' '), bytes / 1e6 / inSeconds);
    }

    /** Shows what was kept. */
    void end() {
        if (json) {
            List<String> members = new ArrayList<>();
            values.forEach((name, value) -> members.add(String.format(Locale.ROOT, "\"%s\":%.1f", name, value)));
            System.out.println("{" + String.join(",", members) + "}");
        }
    }

    static double median(double... values) {
        Arrays.sort(values);
        int half = values.length / 2;
        return values.length % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    }
}
