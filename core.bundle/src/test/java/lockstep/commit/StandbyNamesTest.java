package lockstep.commit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import lockstep.commit.StandbyNames.Method;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class StandbyNamesTest {
    @ParameterizedTest(name = "<{0}> means {1}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "`` | ``",
                "`  ` | ``",
                "* | FIRST 1 (*)",
                "s1 | FIRST 1 (s1)",
                "s1,s2 | FIRST 1 (s1, s2)",
                "` \ts1 ,\n s2 ` | FIRST 1 (s1, s2)",
                "FIRST 2 (s1, s2, s3) | FIRST 2 (s1, s2, s3)",
                "first 2(s1,s2) | FIRST 2 (s1, s2)",
                "2 (a, b) | FIRST 2 (a, b)",
                "2(a,b) | FIRST 2 (a, b)",
                "ANY 2 (a, b, c) | ANY 2 (a, b, c)",
                "aNy 1 (*) | ANY 1 (*)",
                "12 | FIRST 1 (\"12\")",
                "1, 2 | FIRST 1 (\"1\", \"2\")",
                "_a$1 | FIRST 1 (_a$1)",
                "straße | FIRST 1 (straße)",
                "\"s 1\", \"a\"\"b\" | FIRST 1 (\"s 1\", \"a\"\"b\")",
                "\"any\", \"First\" | FIRST 1 (\"any\", \"First\")",
                "3 (a) | FIRST 3 (a)",
                "a, a | FIRST 1 (a, a)"
            })
    void theGrammarIsPostgresqls(String text, String meaning) {
        assertEquals(meaning, StandbyNames.parse(text).toString());
        assertEquals(StandbyNames.parse(text), StandbyNames.parse(meaning), "its own form means the same");
    }

    @ParameterizedTest(name = "<{0}>: {1}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "FIRST | syntax error at the end: expected how many standbys",
                "FIRST s1 | syntax error at \"s1\" (character 7): expected how many standbys",
                "ANY 2 s1 | syntax error at \"s1\" (character 7): expected ( and a list of names",
                "ANY 2 | syntax error at the end: expected ( and a list of names",
                "2 () | syntax error at \")\" (character 4): expected the name of a standby",
                "2 (a | syntax error at the end: expected a comma or )",
                "2 (a b) | syntax error at \"b\" (character 6): expected a comma or )",
                "2 (a) b | syntax error at \"b\" (character 7): expected the end",
                "a b | syntax error at \"b\" (character 3): expected a comma or the end",
                "a, | syntax error at the end: expected the name of a standby",
                "a, any | syntax error at \"any\" (character 4): expected the name of a standby",
                "0 (a) | syntax error at \"0\" (character 1): expected a number of standbys greater than zero",
                "99999999999 (a) | syntax error at \"99999999999\" (character 1): expected a smaller number of standbys",
                "a.b | syntax error at \".\" (character 2): expected a name of letters, digits, _ and $, or one in double quotes",
                "a-b | syntax error at \"-\" (character 2): expected a name of letters, digits, _ and $, or one in double quotes",
                "a, \"b | syntax error at \"\"b\" (character 4): expected a quote \" that ends the name"
            })
    void aMistakeIsShownWhereItIs(String text, String error) {
        assertEquals(
                error,
                assertThrows(IllegalArgumentException.class, () -> StandbyNames.parse(text))
                        .getMessage());
    }

    @Test
    void namesAreComparedWithoutRegardToCaseAndTheFirstThatFitsCounts() {
        StandbyNames names = StandbyNames.parse("s1, \"S 2\", *");
        assertEquals(1, names.priority("S1"));
        assertEquals(2, names.priority("s 2"));
        assertEquals(3, names.priority("walreceiver"));
        assertEquals(0, StandbyNames.parse("s1").priority("s2"));
    }

    @Test
    void withoutNamesNobodyIsAsked() {
        assertTrue(StandbyNames.parse("").isEmpty());
        assertEquals(new StandbyNames(Method.FIRST, 1, List.of("a")), StandbyNames.parse("a"));
    }
}
