package lockstep.config.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import lockstep.config.Parameter;
import org.junit.jupiter.api.Test;

class SettingsTest {
    private static final Definition BUFFERS =
            definition("lockstep.server", "walBuffers", "String", "16MB", "The buffers. " + Parameter.AT_START);
    private static final Definition SENDERS =
            definition("lockstep.server", "maxWalSenders", "Integer", "10", "How many.");
    private static final Definition STANDBY_MODE =
            definition("lockstep.standby", "standbyMode", "Boolean", "true", "Whether.");
    private static final Definition ACME =
            definition("lockstep.transport.acme", "connectTimeout", "String", "10s", "How long.");
    private static final Definitions OWN = Definitions.of(List.of(BUFFERS, SENDERS, STANDBY_MODE));
    private static final Definitions WITH_ACME = Definitions.of(List.of(BUFFERS, SENDERS, STANDBY_MODE, ACME));

    @Test
    void allProblemsAreNamedAtOnceWithFileLineAndReason() {
        Settings settings = Settings.atStart(
                WITH_ACME,
                server(
                        "wal_buffers = 16XB",
                        "max_wal_sender = 1",
                        "max_wal_senders = many",
                        "nonsense = 1",
                        "standby_mode = on",
                        "acme.connect_timeouts = 1s",
                        "max_wal_senders ="),
                Optional.of(new ConfFile("recovery.conf", "wal_buffers = 16MB\nstandby_mode = 2")));
        assertEquals(
                List.of(
                        "lockstep.conf:7: max_wal_senders =: the value is missing; an empty one is written ''",
                        "lockstep.conf:1: wal_buffers = 16XB: unknown unit \"XB\": expected B, kB, MB, GB or TB",
                        "lockstep.conf:2: max_wal_sender = 1: unknown parameter; did you mean max_wal_senders?",
                        "lockstep.conf:3: max_wal_senders = many: \"many\" is no whole number",
                        "lockstep.conf:4: nonsense = 1: unknown parameter",
                        "lockstep.conf:5: standby_mode = on: belongs in recovery.conf",
                        "lockstep.conf:6: acme.connect_timeouts = 1s: unknown parameter;"
                                + " did you mean acme.connect_timeout?",
                        "recovery.conf:1: wal_buffers = 16MB: belongs in lockstep.conf",
                        "recovery.conf:2: standby_mode = 2: \"2\" is neither on nor off"),
                settings.problems());
    }

    @Test
    void aBadValueThatALaterLineReplacesDoesNoHarm() {
        assertEquals(
                List.of(),
                primary(OWN, "max_wal_senders = many", "MAX_WAL_SENDERS = 3").problems());
    }

    @Test
    void aPrimaryHasTheOnePidAndAStandbyTheOtherAndOnlyWhatTheFilesSayIsHandedOver() {
        assertEquals(
                Map.of(
                        "lockstep.server",
                        Map.of("walBuffers", "1MB", "maxWalSenders", 3L),
                        "lockstep.primary",
                        Map.of()),
                primary(OWN, "wal_buffers = '1 MB'", "max_wal_senders = 3").properties());
        assertEquals(
                Map.of("lockstep.server", Map.of(), "lockstep.standby", Map.of("standbyMode", false)),
                standby("standby_mode = off").properties());
        assertEquals(
                List.of("lockstep.server", "lockstep.standby"),
                List.copyOf(standby("").properties().keySet()));
    }

    @Test
    void aParameterTellsWhereItsValueComesFrom() {
        Settings settings = primary(OWN, "", "max_wal_senders = 3");
        assertEquals("lockstep.conf:2", parameter(settings, SENDERS).source());
        assertEquals("3", parameter(settings, SENDERS).value());
        assertEquals("10", parameter(settings, SENDERS).defaultValue());
        assertEquals(Parameter.DEFAULT, parameter(settings, BUFFERS).source());
        assertEquals("16MB", parameter(settings, BUFFERS).value());
        assertEquals("on", parameter(settings, STANDBY_MODE).value());
    }

    @Test
    void aParameterReadAtStartKeepsItsValueUntilTheFileAgreesAgain() {
        Settings before = primary(OWN, "wal_buffers = 16MB");
        Settings changed = before.with(BUFFERS, BUFFERS.read("32MB"));
        assertTrue(parameter(changed, BUFFERS).pendingRestart());
        assertEquals("16MB", parameter(changed, BUFFERS).value());
        assertEquals(before.properties(), changed.properties());
        Settings agreed = changed.with(server("wal_buffers = 16384kB"), Optional.empty());
        assertFalse(parameter(agreed, BUFFERS).pendingRestart());
        assertFalse(
                parameter(agreed.with(server(""), Optional.empty()), BUFFERS).pendingRestart());
        assertEquals(
                "32MB", parameter(primary(OWN, "wal_buffers = 32MB"), BUFFERS).value());
    }

    @Test
    void anotherParameterChangesAtOnce() {
        Settings changed = primary(OWN, "").with(SENDERS, SENDERS.read("3"));
        assertFalse(parameter(changed, SENDERS).pendingRestart());
        assertEquals(Map.of("maxWalSenders", 3L), changed.properties().get("lockstep.server"));
        Settings standby = standby("").with(STANDBY_MODE, STANDBY_MODE.read("off"));
        assertEquals(Map.of("standbyMode", false), standby.properties().get("lockstep.standby"));
    }

    @Test
    void aQualifiedNameWaitsForItsBundle() {
        Settings settings = primary(OWN, "acme.connect_timeout = 3s");
        assertEquals(List.of(), settings.problems());
        assertEquals(
                List.of(
                        "lockstep.conf:1: acme.connect_timeout = 3s: no bundle declares it; it waits for one that does"),
                settings.warnings());
        Settings later = settings.with(WITH_ACME);
        assertEquals(List.of(), later.warnings());
        assertEquals(Map.of("connectTimeout", "3s"), later.properties().get("lockstep.transport.acme"));
        assertFalse(later.with(OWN).properties().containsKey("lockstep.transport.acme"));
    }

    @Test
    void aBundleWhoseValueIsBadIsWithheldUntilItIsGood() {
        Settings settings = primary(OWN, "acme.connect_timeout = 3").with(WITH_ACME);
        assertEquals(1, settings.problems().size());
        assertFalse(settings.properties().containsKey("lockstep.transport.acme"));
        assertTrue(settings.properties().containsKey("lockstep.server"));
        Settings cured = settings.with(ACME, ACME.read("3s"));
        assertEquals(List.of(), cured.problems());
        assertEquals(Map.of("connectTimeout", "3s"), cured.properties().get("lockstep.transport.acme"));
    }

    @Test
    void aBundleThatComesBackWithAnotherDeclarationStartsAnew() {
        Definition other = definition("lockstep.server", "walBuffers", "Integer", "16", "Pages. " + Parameter.AT_START);
        Settings settings = primary(OWN, "").with(Definitions.of(List.of(other)));
        assertEquals("16", settings.parameter(other).value());
        assertEquals(Map.of(), settings.properties().get("lockstep.server"));
    }

    @Test
    void parametersAreListedByName() {
        assertEquals(
                Stream.of("acme.connect_timeout", "max_wal_senders", "standby_mode", "wal_buffers")
                        .toList(),
                primary(WITH_ACME, "").parameters().stream()
                        .map(Parameter::name)
                        .toList());
    }

    private static Definition definition(String pid, String id, String type, String standard, String description) {
        return Definition.of(pid, id, type, standard, "", "", List.of(), description);
    }

    private static Parameter parameter(Settings settings, Definition definition) {
        return settings.parameter(definition);
    }

    private static ConfFile server(String... lines) {
        return new ConfFile("lockstep.conf", String.join("\n", lines));
    }

    private static Settings primary(Definitions definitions, String... lines) {
        return Settings.atStart(definitions, server(lines), Optional.empty());
    }

    private static Settings standby(String text) {
        return Settings.atStart(OWN, server(""), Optional.of(new ConfFile("recovery.conf", text)));
    }
}
