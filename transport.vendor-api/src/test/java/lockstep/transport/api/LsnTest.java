package lockstep.transport.api;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LsnTest {
    @ParameterizedTest
    @CsvSource({
        "0/0, 0",
        "0/80000000, 2147483648",
        "1/80000000, 6442450944",
        "16/B374D848, 97500059720",
        "7FFFFFFF/FFFFFFFF, 9223372036854775807",
        "FFFFFFFF/FFFFFFFF, -1"
    })
    void textAndPositionAreTheSameThing(String text, long position) {
        assertEquals(position, Lsn.parse(text).value());
        assertEquals(text, Lsn.text(position));
        assertEquals(text, new Lsn(position).toString());
    }

    @Test
    void lowerCaseAndLeadingZerosAreReadAndNotWritten() {
        assertEquals("A/B", Lsn.parse("0000000a/0000000b").toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "/",
                "0",
                "0/",
                "/0",
                "0/0/0",
                "G/0",
                "0/G",
                "-1/0",
                "0/-1",
                "+1/0",
                " 0/0",
                "0/0 ",
                "0x1/0",
                "100000000/0",
                "0/100000000",
                "1.0/0"
            })
    void whatIsNoLsnIsRefusedByName(String text) {
        var e = assertThrows(IllegalArgumentException.class, () -> Lsn.parse(text));
        assertTrue(e.getMessage().startsWith("\"" + text + "\" is no LSN"), e.getMessage());
    }

    @Test
    void positionsCompareWithoutSign() {
        assertTrue(Lsn.parse("FFFFFFFF/FFFFFFFF").compareTo(Lsn.parse("0/1")) > 0);
        assertTrue(Lsn.parse("0/80000000").compareTo(Lsn.parse("1/0")) < 0);
    }
}
