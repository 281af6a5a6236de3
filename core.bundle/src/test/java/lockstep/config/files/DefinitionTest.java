package lockstep.config.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import lockstep.config.Parameter;
import lockstep.config.ServerConfiguration;
import lockstep.config.StandbyConfiguration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DefinitionTest {
    @ParameterizedTest
    @CsvSource({
        "lockstep.server, walSenderTimeout, wal_sender_timeout",
        "lockstep.kv, size, size",
        "lockstep.transport.acme, connectTimeout, acme.connect_timeout",
        "lockstep.transport.Acme, x, acme.x",
    })
    void theNameFollowsFromTheMethodAndTheLastPartOfALongPid(String pid, String id, String name) {
        assertEquals(
                name,
                Definition.of(pid, id, "String", "", "", "", List.of(), "").name());
    }

    @ParameterizedTest
    @CsvSource({
        "Boolean, true, BOOLEAN",
        "Integer, 10, INTEGER",
        "Long, 10, INTEGER",
        "String, 16MB, SIZE",
        "String, 0B, SIZE",
        "String, 60s, DURATION",
        "String, 1min, DURATION",
        "String, '', TEXT",
        "String, 0, TEXT",
        "String, 16XB, TEXT",
        "String, walreceiver, TEXT",
    })
    void theTypeFollowsFromTheDeclarationAndItsDefault(String declared, String standard, Parameter.Type type) {
        assertEquals(type, definition(declared, standard, "", "").type());
    }

    @ParameterizedTest
    @CsvSource({
        "Boolean, true, '', '', YES, on",
        "Boolean, true, '', '', 0, off",
        "Integer, 10, 0, 20, 20, 20",
        "Integer, 10, '', '', -2147483648, -2147483648",
        "Long, 10, '', '', 9223372036854775807, 9223372036854775807",
        "String, 16MB, 256kB, '', 256 kB, 256kB",
        "String, 16MB, '', '', 0, 0",
        "String, 16MB, -1, '', -1, -1",
        "String, 60s, 0, 1d, 24h, 24h",
        "String, text, '', '', ' any # thing ', ' any # thing '",
    })
    void aGoodValueIsWrittenInOneWay(
            String declared, String standard, String min, String max, String text, String written) {
        assertEquals(
                written, definition(declared, standard, min, max).read(text).text());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "Boolean | true | '' | '' | maybe | \"maybe\" is neither on nor off",
                "Integer | 10 | 0 | 20 | 21 | 21 is out of range: expected 0 to 20",
                "Integer | 10 | 0 | '' | 2147483648 | 2147483648 is out of range: expected 0 to 2147483647",
                "Integer | 10 | 0 | 20 | ten | \"ten\" is no whole number",
                "Integer | 10 | 0 | 20 | 1.5 | \"1.5\" is no whole number",
                "Long | 10 | '' | '' | 9223372036854775808 | \"9223372036854775808\" is no whole number",
                "String | 16MB | 256kB | '' | 1kB | 1kB is out of range: expected at least 256kB",
                "String | 16MB | 256kB | 1GB | 2 GB | 2GB is out of range: expected 256kB to 1GB",
                "String | 16MB | '' | '' | -1 | -1 is out of range: expected at least 0",
                "String | 60s | 1ms | '' | 999us | 999us is out of range: expected at least 1ms",
                "String | 60s | 1ms | '' | 60 | \"60\" has no unit: expected us, ms, s, min, h or d",
            })
    void aBadValueIsRefusedWithWhatWasExpected(
            String declared, String standard, String min, String max, String text, String reason) {
        Definition definition = definition(declared, standard, min, max);
        assertEquals(
                reason,
                assertThrows(IllegalArgumentException.class, () -> definition.read(text))
                        .getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "listenAddresses | 5440 | \"5440\" has no transport",
                "listenAddresses | tcp://a:1, b | \"b\" has no transport",
                "primaryConninfo | '\"tcp://u:geheim@a:1\"' | is no endpoint",
                "primaryConninfo | host=a password=geheim port | expected NAME=VALUE pairs",
                "synchronousStandbyNames | FIRST (a | syntax error",
            })
    void aTextWithAGrammarOfItsOwnIsReadToTheEnd(String id, String text, String reason) {
        Definition definition = Definition.of("lockstep.server", id, "String", "", "", "", List.of(), "");
        String message = assertThrows(IllegalArgumentException.class, () -> definition.read(text))
                .getMessage();
        assertTrue(message.contains(reason), message);
        assertFalse(message.contains("geheim"), message);
    }

    @Test
    void anEnumerationTakesItsOptionsInAnyCase() {
        Definition definition =
                Definition.of("lockstep.server", "a", "String", "*", "", "", List.of("", "*", "one"), "");
        assertEquals(new Definition.Value("one", "one"), definition.read("ONE"));
        assertEquals(new Definition.Value("", ""), definition.read(""));
        assertEquals(
                "\"two\" is none of '', *, one",
                assertThrows(IllegalArgumentException.class, () -> definition.read("two"))
                        .getMessage());
    }

    @Test
    void valuesThatMeanTheSameAreEqualInMeaning() {
        Definition size = definition("String", "16MB", "", "");
        assertEquals(size.read("16MB").meaning(), size.read("16384kB").meaning());
        Definition duration = definition("String", "60s", "", "");
        assertEquals(duration.read("1min").meaning(), duration.read("60000 ms").meaning());
    }

    @Test
    void aDefaultThatIsItselfOutOfRangeIsADefectOfTheDeclaration() {
        assertThrows(IllegalArgumentException.class, () -> definition("Integer", "10", "11", ""));
        assertThrows(IllegalArgumentException.class, () -> definition("Integer", "", "", ""));
        assertThrows(IllegalArgumentException.class, () -> definition("Float", "1.0", "", ""));
    }

    @Test
    void theServersOwnParametersAreReadFromWhatTheBundleCarries() throws IOException {
        Map<String, Definition> declared = new HashMap<>();
        for (String name : List.of("ServerConfiguration", "StandbyConfiguration")) {
            try (InputStream in =
                    DefinitionTest.class.getResourceAsStream("/OSGI-INF/metatype/lockstep.config." + name + ".xml")) {
                Metatype.read(in).forEach(definition -> declared.put(definition.name(), definition));
            }
        }
        assertEquals(
                ServerConfiguration.class.getDeclaredMethods().length
                        + StandbyConfiguration.class.getDeclaredMethods().length,
                declared.size());
        assertEquals(Parameter.Type.SIZE, declared.get("wal_buffers").type());
        assertEquals(256 << 10, declared.get("wal_buffers").least());
        assertEquals(Parameter.Type.DURATION, declared.get("wal_sender_timeout").type());
        assertEquals(Parameter.Type.INTEGER, declared.get("max_wal_senders").type());
        assertEquals(
                Parameter.Type.ENUMERATION, declared.get("synchronous_commit").type());
        assertEquals("*", declared.get("synchronous_standby_names").standard());
        assertEquals("", declared.get("synchronous_standby_names").read("").text());
        assertEquals(Parameter.Type.TEXT, declared.get("listen_addresses").type());
        assertEquals("lockstep.conf", declared.get("listen_addresses").file());
        assertEquals(Parameter.Type.BOOLEAN, declared.get("standby_mode").type());
        assertEquals("recovery.conf", declared.get("primary_conninfo").file());
        assertEquals(
                List.of(
                        "archive_mode",
                        "keep_wal",
                        "recovery_target_action",
                        "recovery_target_inclusive",
                        "recovery_target_lsn",
                        "recovery_target_name",
                        "recovery_target_time",
                        "recovery_target_timeline",
                        "recovery_target_xid",
                        "restore_command",
                        "standby_mode",
                        "trigger_file",
                        "wal_buffers",
                        "wal_segment_size",
                        "wal_sync_method"),
                declared.values().stream()
                        .filter(Definition::atStart)
                        .map(Definition::name)
                        .sorted()
                        .toList());
    }

    @Test
    void whatOthersInTheFrameworkDescribeIsLeftAlone() throws IOException {
        assertEquals(List.of(), Metatype.read(document("org.apache.felix.something", "Float")));
    }

    @Test
    void aDocumentThatIsNoneIsRefusedAndSoIsADeclarationThatMakesNoSense() {
        assertThrows(IOException.class, () -> Metatype.read(stream("<Meta")));
        assertThrows(IOException.class, () -> Metatype.read(stream("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>")));
        assertEquals(
                "x of lockstep.kv: type Float is none of String, Boolean, Integer and Long",
                assertThrows(IOException.class, () -> Metatype.read(document("lockstep.kv", "Float")))
                        .getMessage());
    }

    private static InputStream document(String pid, String type) {
        return stream("<m:MetaData xmlns:m='http://www.osgi.org/xmlns/metatype/v1.2.0'><OCD id='o'><AD id='x' type='"
                + type + "' default='1'/></OCD><Designate pid='" + pid
                + "'><Object ocdref='o'/></Designate></m:MetaData>");
    }

    private static InputStream stream(String text) {
        return new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8));
    }

    private static Definition definition(String declared, String standard, String min, String max) {
        return Definition.of("lockstep.server", "a", declared, standard, min, max, List.of(), "");
    }
}
