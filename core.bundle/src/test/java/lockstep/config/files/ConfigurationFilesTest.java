package lockstep.config.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Dictionary;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import lockstep.config.Parameter;
import lockstep.config.ParameterException;
import org.apache.felix.cm.PersistenceManager;
import org.apache.felix.framework.FrameworkFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceEvent;
import org.osgi.framework.launch.Framework;
import org.osgi.service.cm.Configuration;
import org.osgi.service.cm.ConfigurationAdmin;
import org.osgi.service.cm.ManagedService;

/** The files, a real framework, and a real ConfigAdmin; bundles that hold nothing but what they declare. */
class ConfigurationFilesTest {
    private static final long PATIENCE_S = 30;
    private static final String ACME = "lockstep.transport.acme";

    @TempDir
    Path directory;

    private Framework framework;
    private BundleContext context;
    private ConfigurationFiles files;
    private final BlockingQueue<String> refusals = new LinkedBlockingQueue<>();

    @BeforeEach
    void startFramework() throws Exception {
        framework = new FrameworkFactory()
                .newFramework(Map.of(
                        Constants.FRAMEWORK_STORAGE,
                        directory.resolve("cache").toString(),
                        Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA,
                        "org.osgi.service.cm;version=1.6",
                        "felix.cm.pm",
                        "memory"));
        framework.init();
        context = framework.getBundleContext();
        context.installBundle(PersistenceManager.class
                        .getProtectionDomain()
                        .getCodeSource()
                        .getLocation()
                        .toString())
                .start();
        install("server", "lockstep.server", "walBuffers", "16MB", Parameter.AT_START, "walKeepSize", "1GB", "");
        install("standby", "lockstep.standby", "primaryConninfo", "", "");
    }

    @AfterEach
    void stopFramework() throws Exception {
        if (files != null) {
            files.close();
        }
        framework.stop();
        framework.waitForStop(0);
    }

    @Test
    void nothingIsHandedOutBeforeTheFrameworkHasStarted() throws Exception {
        write("lockstep.conf", "wal_keep_size = 2GB\n");
        BlockingQueue<List<String>> pidsBefore = new LinkedBlockingQueue<>();
        // The service comes while the framework goes through its start levels, as it does in a server.
        context.addServiceListener(
                event -> {
                    if (event.getType() != ServiceEvent.REGISTERED) {
                        return;
                    }
                    try {
                        admin().getConfiguration("lockstep.standby", "?")
                                .update(FrameworkUtil.asDictionary(Map.of("stale", true)));
                        open();
                        assertThrows(IllegalStateException.class, () -> files.all());
                        pidsBefore.add(pids());
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                },
                "(objectClass=" + ConfigurationAdmin.class.getName() + ")");
        framework.start();
        assertEquals(List.of(), pidsBefore.poll(PATIENCE_S, TimeUnit.SECONDS));
        new Watch("lockstep.primary").next();
        assertEquals(List.of("lockstep.primary", "lockstep.server"), pids());
        assertEquals("2GB", properties("lockstep.server").get("walKeepSize"));
        assertEquals("lockstep.conf:1", files.get("WAL_KEEP_SIZE").orElseThrow().source());
    }

    @Test
    void recoveryConfMakesAStandby() throws Exception {
        write("recovery.conf", "primary_conninfo = tcp://127.0.0.1:5440\n");
        start();
        assertEquals(
                "tcp://127.0.0.1:5440", new Watch("lockstep.standby").next().get("primaryConninfo"));
        assertEquals(List.of("lockstep.server", "lockstep.standby"), pids());
        assertFalse(files.set("primary_conninfo", "tcp://127.0.0.1:5441, tcp://127.0.0.1:5442"));
        assertEquals("primary_conninfo = 'tcp://127.0.0.1:5441, tcp://127.0.0.1:5442'\n", read("recovery.conf"));
        assertThrows(ParameterException.class, () -> files.set("primary_conninfo", "127.0.0.1:5443"));
        assertEquals("primary_conninfo = 'tcp://127.0.0.1:5441, tcp://127.0.0.1:5442'\n", read("recovery.conf"));
        Files.delete(directory.resolve("recovery.conf"));
        assertThrows(ParameterException.class, () -> files.reload());
        assertThrows(ParameterException.class, () -> files.set("primary_conninfo", ""));
        assertFalse(Files.exists(directory.resolve("recovery.conf")));
    }

    @Test
    void aPrimaryThatHandsOverBecomesAStandbyAndTriesTheNewPrimaryFirst() throws Exception {
        install("more", "lockstep.standby", "standbyMode", "true", "", "applicationName", "walreceiver", "");
        write("recovery.done", "application_name = s9\nprimary_conninfo = 'tcp://h:1, tcp://h:2'\n");
        start();
        new Watch("lockstep.primary").next();
        assertEquals("s9", files.standbyName());

        files.prepareToFollow("tcp://h:2,tcp://h:3");
        String made = read("recovery.conf");
        assertEquals("rw-------", mode("recovery.conf"), "it may hold a password");
        assertTrue(made.contains("\nprimary_conninfo = 'tcp://h:2,tcp://h:3,tcp://h:1'\n"), made);
        assertTrue(made.contains("\napplication_name = s9\n"), made);
        assertEquals(List.of("lockstep.primary", "lockstep.server"), pids(), "nothing has changed yet");
        files.stayPrimary();
        assertFalse(Files.exists(directory.resolve("recovery.conf")));

        write(
                "recovery.done",
                "primary_conninfo = 'tcp://h:3?compression=zstd, postgresql://h:4, ssh://lockstep@h:5'\n");
        files.prepareToFollow("ssh://h:5,tcp://h:3,tcp://h:6");
        made = read("recovery.conf");
        assertTrue(
                made.contains("\nprimary_conninfo = 'ssh://lockstep@h:5,tcp://h:3?compression=zstd,tcp://h:6'\n"),
                made);
        files.stayPrimary();

        write("recovery.done", "application_name = s9\nprimary_conninfo = 'tcp://h:1, tcp://h:2'\n");
        files.prepareToFollow("tcp://h:3");
        files.follow();
        assertEquals(
                "tcp://h:3,tcp://h:1,tcp://h:2",
                new Watch("lockstep.standby").next().get("primaryConninfo"));
        assertEquals(List.of("lockstep.server", "lockstep.standby"), pids());
        files.stayPrimary();
        assertTrue(Files.exists(directory.resolve("recovery.conf")), "it is a standby by now");
        assertFalse(files.set("primary_conninfo", "tcp://h:4"));
    }

    @Test
    void filesWithProblemsEndTheServerAndNothingIsHandedOut() throws Exception {
        write("lockstep.conf", "wal_bufers = 16MB\nwal_buffers = 16XB\n");
        framework.start();
        open();
        assertEquals("""
                78 the configuration is refused:
                lockstep.conf:1: wal_bufers = 16MB: unknown parameter; did you mean wal_buffers?
                lockstep.conf:2: wal_buffers = 16XB: unknown unit "XB": expected B, kB, MB, GB or TB""", refusals.poll(PATIENCE_S, TimeUnit.SECONDS));
        assertEquals(List.of(), pids());
        assertThrows(IllegalStateException.class, () -> files.all());
    }

    @Test
    void aFileThatIsNoTextEndsTheServer() throws Exception {
        Files.write(directory.resolve("lockstep.conf"), new byte[] {'a', '=', (byte) 0xFF});
        framework.start();
        open();
        assertEquals(
                "78 the configuration is refused:\nlockstep.conf: is not UTF-8",
                refusals.poll(PATIENCE_S, TimeUnit.SECONDS));
    }

    @Test
    void setReachesTheFileAndConfigAdminBeforeItReturns() throws Exception {
        write("lockstep.conf", "# mine\nwal_keep_size = 2GB # enough\n");
        Files.setPosixFilePermissions(directory.resolve("lockstep.conf"), PosixFilePermissions.fromString("rw-r-----"));
        start();
        assertFalse(files.set("Wal_Keep_Size", "3 GB"));
        assertEquals("# mine\nwal_keep_size = 3GB # enough\n", read("lockstep.conf"));
        assertEquals("rw-r-----", mode("lockstep.conf"), "as the operator has set it");
        assertEquals("3GB", properties("lockstep.server").get("walKeepSize"));
        assertEquals("3GB", files.get("wal_keep_size").orElseThrow().value());
    }

    @Test
    void whatIsReadAtStartWaitsForTheRestart() throws Exception {
        start();
        assertTrue(files.set("wal_buffers", "32MB"));
        assertEquals("wal_buffers = 32MB\n", read("lockstep.conf"));
        assertNull(properties("lockstep.server").get("walBuffers"));
        assertTrue(files.get("wal_buffers").orElseThrow().pendingRestart());
        assertTrue(files.reload());
        files.close();
        start();
        assertEquals("32MB", properties("lockstep.server").get("walBuffers"));
        assertFalse(files.get("wal_buffers").orElseThrow().pendingRestart());
    }

    @Test
    void aRefusedSetLeavesFileAndServerAsTheyWere() throws Exception {
        write("lockstep.conf", "wal_keep_size = 2GB\n");
        start();
        for (Map.Entry<String, String> bad : Map.of(
                        "wal_keep_size = 3", "\"3\" has no unit: expected B, kB, MB, GB or TB",
                        "wal_keep_siz = 3GB", "unknown parameter; did you mean wal_keep_size?",
                        "primary_conninfo = x", "belongs in recovery.conf, and a primary has none")
                .entrySet()) {
            String[] nameAndValue = bad.getKey().split(" = ", 2);
            ParameterException refused =
                    assertThrows(ParameterException.class, () -> files.set(nameAndValue[0], nameAndValue[1]));
            assertEquals(List.of(bad.getKey() + ": " + bad.getValue()), refused.problems());
        }
        write("lockstep.conf", "wal_keep_size = 2GB\nwhat is this?\n");
        assertThrows(ParameterException.class, () -> files.set("wal_keep_size", "3GB"));
        assertEquals("wal_keep_size = 2GB\nwhat is this?\n", read("lockstep.conf"));
        assertEquals("2GB", properties("lockstep.server").get("walKeepSize"));
        assertFalse(Files.exists(directory.resolve("recovery.conf")));
    }

    @Test
    void aReloadTakesAllOrNothing() throws Exception {
        start();
        write("lockstep.conf", "wal_keep_size = 2GB\nwal_buffers = 1XB\n");
        assertThrows(ParameterException.class, () -> files.reload());
        assertEquals("1GB", files.get("wal_keep_size").orElseThrow().value());
        write("lockstep.conf", "wal_keep_size = 2GB\n");
        assertFalse(files.reload());
        assertEquals("2GB", properties("lockstep.server").get("walKeepSize"));
        write("lockstep.conf", "");
        assertFalse(files.reload());
        assertNull(properties("lockstep.server").get("walKeepSize"));
    }

    @Test
    void aBundleThatArrivesBringsItsParametersAndTakesThemAway() throws Exception {
        write("lockstep.conf", "acme.connect_timeout = 3s\nacme.retry = 1s\n");
        start();
        Watch acme = new Watch(ACME);
        Bundle bundle = install("acme", ACME, "connectTimeout", "10s", "");
        assertEquals("3s", acme.next().get("connectTimeout"));
        assertEquals("3s", files.get("acme.connect_timeout").orElseThrow().value());
        files.set("acme.connect_timeout", "4s");
        assertEquals("4s", acme.next().get("connectTimeout"));
        bundle.update(jar("acme", ACME, "connectTimeout", "10s", "", "retry", "9s", ""));
        assertEquals("1s", acme.next().get("retry"));
        bundle.uninstall();
        acme.awaitNone();
        assertTrue(files.get("acme.connect_timeout").isEmpty());
        assertFalse(pids().contains(ACME));
    }

    @Test
    void anArrivalWithABadValueIsWithheldUntilItIsSetRight() throws Exception {
        write("lockstep.conf", "acme.connect_timeout = soon\nzeta.a = 1s\n");
        start();
        Watch acme = new Watch(ACME);
        Watch zeta = new Watch("lockstep.transport.zeta");
        install("acme", ACME, "connectTimeout", "10s", "");
        install("zeta", "lockstep.transport.zeta", "a", "10s", "");
        zeta.next();
        assertFalse(pids().contains(ACME));
        assertFalse(files.set("acme.connect_timeout", "4s"));
        assertEquals("4s", acme.next().get("connectTimeout"));
    }

    private void open() throws IOException {
        files = new ConfigurationFiles(
                context, admin(), () -> directory, (status, reason) -> refusals.add(status + " " + reason));
    }

    /** Opens the files in a framework that runs, and returns when they have been handed out. */
    private void start() throws Exception {
        framework.start();
        open();
        // The role comes last.
        new Watch(Files.exists(directory.resolve("recovery.conf")) ? "lockstep.standby" : "lockstep.primary").next();
    }

    private ConfigurationAdmin admin() {
        return context.getService(context.getServiceReference(ConfigurationAdmin.class));
    }

    private List<String> pids() throws Exception {
        Configuration[] found = admin().listConfigurations("(service.pid=lockstep.*)");
        return found == null
                ? List.of()
                : Stream.of(found).map(Configuration::getPid).sorted().toList();
    }

    private Dictionary<String, Object> properties(String pid) throws IOException {
        return admin().getConfiguration(pid, "?").getProperties();
    }

    private void write(String name, String text) throws IOException {
        Files.writeString(directory.resolve(name), text);
    }

    private String mode(String name) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve(name)));
    }

    private String read(String name) throws IOException {
        return Files.readString(directory.resolve(name));
    }

    private Bundle install(String name, String pid, String... idDefaultDescription) throws Exception {
        return context.installBundle("test:" + name, jar(name, pid, idDefaultDescription));
    }

    private static InputStream jar(String name, String pid, String... idDefaultDescription) throws IOException {
        StringBuilder xml = new StringBuilder(
                "<m:MetaData xmlns:m='http://www.osgi.org/xmlns/metatype/v1.2.0'><OCD id='o' name='o'>");
        for (int i = 0; i < idDefaultDescription.length; i += 3) {
            xml.append("<AD type='String' id='").append(idDefaultDescription[i]);
            xml.append("' default='").append(idDefaultDescription[i + 1]);
            xml.append("' description='").append(idDefaultDescription[i + 2]).append("'/>");
        }
        xml.append("</OCD><Designate pid='").append(pid).append("'><Object ocdref='o'/></Designate></m:MetaData>");
        Manifest manifest = new Manifest(new ByteArrayInputStream(
                ("Manifest-Version: 1.0\nBundle-ManifestVersion: 2\nBundle-SymbolicName: " + name + "\n")
                        .getBytes(StandardCharsets.UTF_8)));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JarOutputStream jar = new JarOutputStream(bytes, manifest)) {
            jar.putNextEntry(new JarEntry("OSGI-INF/metatype/o.xml"));
            jar.write(xml.toString().getBytes(StandardCharsets.UTF_8));
        }
        return new ByteArrayInputStream(bytes.toByteArray());
    }

    /** What ConfigAdmin tells a component with this PID. */
    private final class Watch implements ManagedService {
        private final BlockingQueue<Optional<Dictionary<String, ?>>> told = new LinkedBlockingQueue<>();

        Watch(String pid) {
            context.registerService(
                    ManagedService.class, this, FrameworkUtil.asDictionary(Map.of(Constants.SERVICE_PID, pid)));
        }

        @Override
        public void updated(Dictionary<String, ?> properties) {
            told.add(Optional.ofNullable(properties));
        }

        /** Waits for the next configuration. */
        Dictionary<String, ?> next() throws InterruptedException {
            Optional<Dictionary<String, ?>> next;
            do {
                next = take();
            } while (next.isEmpty());
            return next.get();
        }

        /** Waits until there is no configuration. */
        void awaitNone() throws InterruptedException {
            while (take().isPresent()) {
                // It was one from before.
            }
        }

        private Optional<Dictionary<String, ?>> take() throws InterruptedException {
            Optional<Dictionary<String, ?>> next = told.poll(PATIENCE_S, TimeUnit.SECONDS);
            assertNotNull(next, "ConfigAdmin is silent");
            return next;
        }
    }
}
