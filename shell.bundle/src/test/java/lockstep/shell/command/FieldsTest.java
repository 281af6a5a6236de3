package lockstep.shell.command;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class FieldsTest {
    @Test
    void eachValueHasItsFormInJson() {
        String json = new Fields()
                .text("text", "a \"b\"")
                .lsn("lsn", 0x16_B374_D848L)
                .lsn("unknown_lsn", 0)
                .count("count", -1)
                .decimal("decimal", 12.34, "us")
                .size("size", 16 << 20)
                .micros("micros", 1234)
                .micros("unknown_micros", -1)
                .interval("interval", 3_723_000_042L)
                .interval("unknown_interval", -1)
                .time("time", 1_000_001)
                .time("never", 0)
                .flag("flag", true)
                .json();
        assertEquals(
                "{\"text\":\"a \\\"b\\\"\",\"lsn\":\"16/B374D848\",\"unknown_lsn\":null,\"count\":-1,\"decimal\":12.3,"
                        + "\"size\":16777216,\"micros\":1234,\"unknown_micros\":null,\"interval\":\"01:02:03.000042\","
                        + "\"unknown_interval\":null,\"time\":\"2000-01-01T00:00:01.000001Z\",\"never\":null,\"flag\":true}",
                json);
    }

    @Test
    void namesStandInAColumnAndEmptyValuesAreLeftOut() {
        Fields row = new Fields().text("endpoint", "tcp://h:1").text("state", "listening");
        String lines = new Fields()
                .text("role", "primary")
                .text("reason", "")
                .size("wal", 16 << 20)
                .rows("listeners", List.of(row, row))
                .lines();
        assertEquals("""
                role       primary
                wal        16 MB
                listeners  tcp://h:1  listening
                           tcp://h:1  listening""", lines);
    }

    @Test
    void tablesAlignTextToTheLeftAndNumbersToTheRight() {
        List<Fields> rows = List.of(
                new Fields().text("name", "s1").count("sessions", 5).interval("lag", 1500),
                new Fields().text("name", "standby2").count("sessions", 123).interval("lag", -1));
        assertEquals("""
                name      sessions      lag
                s1               5  1.50 ms
                standby2       123""", Fields.present(rows, "standbys", "none", false));
        assertEquals(
                "{\"standbys\":[{\"name\":\"s1\",\"sessions\":5,\"lag\":\"00:00:00.001500\"},"
                        + "{\"name\":\"standby2\",\"sessions\":123,\"lag\":null}]}",
                Fields.present(rows, "standbys", "none", true));
    }

    @Test
    void noRowsAreASentenceForPeopleAndAnEmptyArrayForPrograms() {
        assertEquals("none", Fields.present(List.of(), "standbys", "none", false));
        assertEquals("{\"standbys\":[]}", Fields.present(List.of(), "standbys", "none", true));
    }

    @Test
    void bytesThatAreNoTextAreShownInHexadecimal() {
        Fields fields = new Fields().bytes("key", new byte[] {'k'}).bytes("value", new byte[] {(byte) 0xFF, 0});
        assertEquals("{\"key\":\"k\",\"value_hex\":\"ff00\"}", fields.json());
        assertEquals("k\t\\xff00", fields.line());
    }

    @Test
    void noValuePaintsOverTheTerminal() {
        assertEquals(
                "a\\n\\u001b[2J\\\\",
                new Fields().bytes("value", "a\n\u001b[2J\\".getBytes(UTF_8)).line());
    }

    @Test
    void timesAndSizesCarryTheUnitThatFits() {
        assertEquals("999 us", Fields.shownMicros(999));
        assertEquals("1.00 ms", Fields.shownMicros(1000));
        assertEquals("250 ms", Fields.shownMicros(250_000));
        assertEquals("12.3 s", Fields.shownMicros(12_340_000));
        assertEquals("2 min 5 s", Fields.shownMicros(125_000_000));
        assertEquals("25 h 1 min", Fields.shownMicros(90_060_000_000L));
        assertEquals("100 bytes", Fields.shownSize(100));
        assertEquals("1.5 kB", Fields.shownSize(1536));
        assertEquals("3 GB", Fields.shownSize(3L << 30));
    }
}
