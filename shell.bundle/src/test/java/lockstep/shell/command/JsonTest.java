package lockstep.shell.command;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class JsonTest {
    @Test
    void quotesAndBackslashesAreEscaped() {
        assertEquals("\"a\\\"b\\\\c\"", Json.quote("a\"b\\c"));
    }

    @Test
    void nothingBreaksTheLine() {
        assertEquals(
                "\"\\n\\r\\t\\u0000\\u001b\\u0085\\u2028\\u2029\"", Json.quote("\n\r\t\0\u001b\u0085\u2028\u2029"));
    }

    @Test
    void pairsStayAndLonelyHalvesAreEscaped() {
        assertEquals("\"\ud83d\ude00 é\"", Json.quote("\ud83d\ude00 é"));
        assertEquals("\"\\ud83dx\\ude00\"", Json.quote("\ud83dx\ude00"));
    }
}
