package lockstep.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UnitsTest {
    @ParameterizedTest
    @CsvSource({
        "16MB, 16777216",
        "16 MB, 16777216",
        "' 1kB ', 1024",
        "7B, 7",
        "1GB, 1073741824",
        "2TB, 2199023255552",
        "1.5kB, 1536",
        "0.0001kB, 1",
        "+1kB, 1024",
        "-1kB, -1024",
        "0, 0",
        "-1, -1",
        "8388607TB, 9223370937343148032",
    })
    void aSizeIsReadAsBytes(String text, long bytes) {
        assertEquals(bytes, Units.bytes(text));
    }

    @ParameterizedTest
    @CsvSource({
        "60s, 60000, 60000000",
        "1 ms, 1, 1000",
        "1us, 1, 1",
        "1500us, 2, 1500",
        "5min, 300000, 300000000",
        "1h, 3600000, 3600000000",
        "1d, 86400000, 86400000000",
        "0.5s, 500, 500000",
        "0, 0, 0",
        "0s, 0, 0",
        "-1, -1, -1",
    })
    void aDurationIsReadInTheUnitAskedForAndALittleNeverBecomesNothing(String text, long millis, long micros) {
        assertEquals(millis, Units.millis(text));
        assertEquals(micros, Units.micros(text));
        assertEquals(text.equals("-1") ? -1 : micros * 1000, Units.nanos(text));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "16XB | unknown unit \"XB\": expected B, kB, MB, GB or TB",
                "16mb | unknown unit \"mb\": expected B, kB, MB, GB or TB",
                "16s | unknown unit \"s\": expected B, kB, MB, GB or TB",
                "16 | \"16\" has no unit: expected B, kB, MB, GB or TB",
                "-2 | \"-2\" has no unit: expected B, kB, MB, GB or TB",
                "many | \"many\" is no size: expected a number and B, kB, MB, GB or TB, such as 16MB",
                "'' | \"\" is no size: expected a number and B, kB, MB, GB or TB, such as 16MB",
                "1.MB | \"1.MB\" is no size: expected a number and B, kB, MB, GB or TB, such as 16MB",
                "1e3MB | \"1e3MB\" is no size: expected a number and B, kB, MB, GB or TB, such as 16MB",
                "8388608TB | \"8388608TB\" is too large for a size",
            })
    void whatIsNoSizeIsRefusedWithWhatWasExpected(String text, String reason) {
        assertEquals(
                reason,
                assertThrows(IllegalArgumentException.class, () -> Units.bytes(text))
                        .getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "60S | unknown unit \"S\": expected us, ms, s, min, h or d",
                "60 | \"60\" has no unit: expected us, ms, s, min, h or d",
                "soon | \"soon\" is no duration: expected a number and us, ms, s, min, h or d, such as 60s",
                "106752d | \"106752d\" is too large for a duration",
            })
    void whatIsNoDurationIsRefusedWithWhatWasExpected(String text, String reason) {
        assertEquals(
                reason,
                assertThrows(IllegalArgumentException.class, () -> Units.millis(text))
                        .getMessage());
    }
}
