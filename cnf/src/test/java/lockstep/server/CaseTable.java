package lockstep.server;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The tables of {@code CASES.md}: what a person reads there is what the tests play and expect. */
final class CaseTable {
    private static final Path FILE = Path.of("..", "CASES.md");

    private CaseTable() {}

    /** A row, by the titles of its columns. */
    record Case(Map<String, String> cells) {
        /** Returns a cell, as it is read. */
        String get(String column) {
            String cell = cells.get(column);
            if (cell == null) {
                throw new AssertionError("the tables of CASES.md have no column \"" + column + "\": " + cells);
            }
            return cell;
        }

        /** A report calls it by its name. */
        @Override
        public String toString() {
            return get("case");
        }
    }

    /** Reads the table below a heading. */
    static List<Case> below(String heading) {
        List<List<String>> rows = rows(heading);
        List<String> titles = rows.get(0);
        // Below the titles is a line of dashes.
        return rows.subList(2, rows.size()).stream()
                .map(cells -> row(titles, cells))
                .toList();
    }

    private static Case row(List<String> titles, List<String> cells) {
        if (cells.size() != titles.size()) {
            throw new AssertionError(
                    "of the " + titles.size() + " cells of a row there are " + cells.size() + ": " + cells);
        }
        Map<String, String> row = new LinkedHashMap<>();
        for (int i = 0; i < titles.size(); i++) {
            row.put(titles.get(i), cells.get(i));
        }
        return new Case(row);
    }

    private static List<List<String>> rows(String heading) {
        try {
            List<List<String>> rows = new ArrayList<>();
            boolean isBelow = false;
            for (String line : Files.readAllLines(FILE)) {
                if (line.startsWith("## ")) {
                    isBelow = line.equals("## " + heading);
                } else if (isBelow && line.startsWith("|")) {
                    rows.add(cells(line));
                }
            }
            return rows;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> cells(String line) {
        return Arrays.stream(line.substring(1, line.lastIndexOf('|')).split("\\|", -1))
                .map(cell -> cell.strip().replace("`", ""))
                .toList();
    }
}
