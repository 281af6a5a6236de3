package lockstep.config.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ConfFileTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "a = b | b",
                "a=b | b",
                "a b | b",
                "A = B | B",
                "a = 16MB # large | 16MB",
                "a = 16MB#large | 16MB",
                "a = -1 | -1",
                "a = 1.5 | 1.5",
                "a = tcp://127.0.0.1:5440 | tcp://127.0.0.1:5440",
                "a = 'b c' | b c",
                "a 'b # c' # d | b # c",
                "a'b' | b",
                "a = 'it''s' | it's",
                "a = 'it\\'s' | it's",
                "a = 'b\\\\c' | b\\c",
                "a = '\\101\\1012' | AA2",
                "a = 'b\\qc' | bqc",
                "a = '' | \"\"",
                "a = 'ä' | ä",
            })
    void aValueIsReadAsPostgresqlReadsIt(String line, String value) {
        ConfFile file = new ConfFile("lockstep.conf", "\t" + line + "\r\n");
        assertEquals(List.of(), file.problems());
        assertEquals(1, file.entries().size());
        assertEquals("a", file.entries().get(0).name());
        assertEquals(value, file.entries().get(0).value());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "\n\n", "# a = b", "   # a = b\n", "\r\n"})
    void blankLinesAndCommentsSetNothing(String text) {
        ConfFile file = new ConfFile("lockstep.conf", text);
        assertEquals(List.of(), file.problems());
        assertEquals(List.of(), file.entries());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "a | a: the value is missing; an empty one is written ''",
                "a = | a =: the value is missing; an empty one is written ''",
                "a = # b | a = # b: the value is missing; an empty one is written ''",
                "= b | = b: expected a line such as wal_buffers = 16MB",
                "16MB | 16MB: expected a line such as wal_buffers = 16MB",
                "a = 16 MB | a = 16 MB: expected one value; one with blanks or other signs is written in single quotes",
                "a = b,c | a = b,c: expected one value; one with blanks or other signs is written in single quotes",
                "a = * | a = *: a value with other signs than letters, digits and _-+.:/ is written in single quotes",
                "a = 'b | a = 'b: the closing quote is missing",
                "a = 'b\\' | a = 'b\\': the closing quote is missing",
                "a. = b | a. = b: expected a name after the dot",
            })
    void aLineThatIsNoneIsNamedWithWhatWasExpected(String line, String problem) {
        ConfFile file = new ConfFile("lockstep.conf", "ok = 1\n" + line + "\nok = 2\n");
        assertEquals(List.of("lockstep.conf:2: " + problem), file.problems());
        assertEquals(2, file.entries().size());
    }

    @Test
    void theLastLineOfANameCountsAndCaseDoesNot() {
        ConfFile file = new ConfFile("lockstep.conf", "a = 1\nb = 2\nA = 3");
        assertEquals("3", file.last("a").orElseThrow().value());
        assertEquals("lockstep.conf:3", file.at(file.last("A").orElseThrow()));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "a = 1 # why | a = 9GB # why",
                "a'1' | a 9GB",
                "a = 1\\na = 2 | a = 1\\na = 9GB",
                "# a = 1 | # a = 1\\na = 9GB\\n",
                "b = 1\\n | b = 1\\na = 9GB\\n",
                "\"\" | a = 9GB\\n",
            })
    void anEditChangesTheValueThatCounts(String before, String after) {
        assertEquals(
                after.replace("\\n", "\n"),
                new ConfFile("lockstep.conf", before.replace("\\n", "\n"))
                        .with("a", "9GB")
                        .text());
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void anEditOfAnyFileIsReadBackAndChangesNoOtherLine(long seed) {
        Random random = new Random(seed);
        for (int round = 0; round < 2_000; round++) {
            ConfFile before = new ConfFile("lockstep.conf", anyText(random));
            String name = "abc".charAt(random.nextInt(3)) + (random.nextBoolean() ? "" : "_x");
            String value = anyString(random);
            ConfFile after = before.with(name, value);

            assertEquals(value, after.last(name).orElseThrow().value(), after.text());
            assertEquals(before.problems(), after.problems());
            if (before.last(name).isPresent()) {
                List<String> oldLines = new ArrayList<>(List.of(before.text().split("\n", -1)));
                List<String> newLines = new ArrayList<>(List.of(after.text().split("\n", -1)));
                int changed = before.last(name).orElseThrow().line() - 1;
                oldLines.remove(changed);
                newLines.remove(changed);
                assertEquals(oldLines, newLines);
            } else {
                String whole = before.text()
                        + (before.text().isEmpty() || before.text().endsWith("\n") ? "" : "\n");
                assertTrue(after.text().startsWith(whole + name + " = "), after.text());
                assertEquals(after.text().length() - 1, after.text().indexOf('\n', whole.length()));
            }
            assertTrue(before.entries().size() <= after.entries().size());
        }
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {6, 7})
    void noTextWhateverMakesTheReaderFail(long seed) {
        Random random = new Random(seed);
        for (int round = 0; round < 20_000; round++) {
            String text = anyString(random) + anyString(random);
            ConfFile file = new ConfFile("lockstep.conf", text);
            assertTrue(file.entries().size() + file.problems().size()
                    <= text.lines().count() + 1);
        }
    }

    private static String anyText(Random random) {
        StringBuilder text = new StringBuilder();
        for (int lines = random.nextInt(8); lines > 0; lines--) {
            String name = "abcd".charAt(random.nextInt(4)) + (random.nextBoolean() ? "" : "_X");
            text.append(" ".repeat(random.nextInt(2)));
            switch (random.nextInt(6)) {
                case 0 -> text.append("# ").append(name).append(" = 1");
                case 1 -> text.append(anyString(random).replace("\n", ""));
                case 2 -> text.append(name).append("'it''s \\n'");
                case 3 -> text.append(name.toUpperCase(Locale.ROOT)).append(" 16MB#why");
                default -> text.append(name).append("\t=  'b' \t # 'c'\r");
            }
            text.append(lines == 1 && random.nextBoolean() ? "" : "\n");
        }
        return text.toString();
    }

    private static String anyString(Random random) {
        String signs = "ab1_ .,:*'\\\"#=\n\r\tä€-";
        StringBuilder text = new StringBuilder();
        for (int length = random.nextInt(8); length > 0; length--) {
            text.append(signs.charAt(random.nextInt(signs.length())));
        }
        return text.toString();
    }
}
