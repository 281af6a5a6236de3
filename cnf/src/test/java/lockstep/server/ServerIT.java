package lockstep.server;

import static lockstep.server.ServerProcess.lockstep;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import lockstep.server.ServerProcess.Result;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The assembled server as a process: life and death, and the attach channel. */
final class ServerIT {
    @TempDir
    private Path folder;

    private ServerProcess primary() {
        return ServerProcess.primary(folder.resolve("p"));
    }

    @Test
    void allBundlesOfTheDistributionAreThere() {
        try (ServerProcess server = primary().start()) {
            List<String> troubled = server.shell("lb")
                    .lines()
                    .filter(line -> line.contains("|Installed") || line.contains("|Starting"))
                    .toList();
            assertEquals(List.of(), troubled);
            assertTrue(server.shell("lb -s").contains("shell.bundle"));
        }
    }

    @Test
    void onlyTheOwnerReachesDirectoryAndSocket() throws IOException {
        try (ServerProcess server = primary().start()) {
            Path directory = server.directory();
            assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(directory)));
            Path socket = directory.resolve("lockstep.sock");
            assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)));
        }
    }

    @Test
    void aCommandComesBackWithOutputsAndStatus() {
        try (ServerProcess server = primary().start()) {
            assertEquals("hello   world\n", server.shell("echo", "hello   world"));
            assertEquals("it's $HOME\n", server.shell("echo", "it's $HOME"));
            assertEquals("3\n", server.shell("[a b c] size"));

            Result threw = server.tryShell("throw", "no such luck");
            assertEquals(1, threw.status());
            assertEquals("no such luck\n", threw.err());

            Result unknown = server.tryShell("frobnicate");
            assertEquals(2, unknown.status());

            Result noBundle = server.tryShell("install", "nosuch.jar");
            assertEquals(1, noBundle.status());
            assertTrue(noBundle.err().startsWith("nosuch.jar cannot be installed: "), noBundle::toString);
            assertFalse(noBundle.err().contains("Exception"), noBundle::toString);
            assertEquals(1, server.tryShell("start", "nosuch").status());

            assertTrue(unknown.err().contains("\"frobnicate\""), unknown::toString);
        }
    }

    @Test
    void aSecondServerIsRefusedAndToldTheProcessIdOfTheFirst() {
        try (ServerProcess server = primary().start()) {
            Result second = primary().tryStart();
            assertEquals(1, second.status());
            assertTrue(second.err().contains("process id " + server.pid()), second::toString);
            assertTrue(server.shell("lb").contains("Active"));
        }
    }

    @Test
    void stopIsOrderlyAndSaysSoWhenThereIsNothingToStop() {
        try (ServerProcess server = primary().start()) {
            server.stop();
            assertFalse(Files.exists(server.directory().resolve("lockstep.sock")));

            Result again = lockstep("stop", server.directory().toString());
            assertEquals(1, again.status());
            assertTrue(again.err().contains("no server runs on " + server.directory()), again::toString);
            assertEquals(69, server.tryShell("lb").status());
        }
    }

    @Test
    void aKilledServerStartsAgain() {
        try (ServerProcess server = primary().start()) {
            long killed = server.pid();
            server.kill();
            server.start();
            assertNotEquals(killed, server.pid());
            assertTrue(server.shell("lb").contains("Active"));
        }
    }

    @Test
    void aTransportPutIntoTheDirectoryIsInstalledAndRemovedAgain() throws IOException {
        try (ServerProcess server = primary().start()) {
            server.shell("uninstall transport.tcp");
            Path jar = server.directory().resolve("bundles/acme.jar");
            Path ours;
            try (Stream<Path> level = Files.list(Path.of(System.getProperty("lockstep.home"), "bundles/30"))) {
                ours = level.filter(path -> path.getFileName().toString().startsWith("transport.tcp"))
                        .findFirst()
                        .orElseThrow();
            }
            Files.copy(ours, jar);
            // It is installed first, and started then.
            server.await(() -> server.shell("lb -l")
                    .lines()
                    .anyMatch(line -> line.contains("bundles/acme.jar") && line.contains("|Active")));
            Files.delete(jar);
            server.await(() -> !server.shell("lb -l").contains("bundles/acme.jar"));
        }
    }

    @Test
    void aBundleTheOperatorStoppedStaysStopped() {
        try (ServerProcess server = primary().start()) {
            server.shell("stop transport.tcp");
            server.kill();
            server.start();
            String bundle = bundle(server, "transport.tcp");
            assertFalse(bundle.contains("|Active"), bundle);
            server.shell("start", bundle.substring(0, bundle.indexOf('|')).strip());
            assertTrue(isActive(server, "transport.tcp"));
        }
    }

    private static boolean isActive(ServerProcess server, String bundle) {
        return bundle(server, bundle).contains("|Active");
    }

    private static String bundle(ServerProcess server, String name) {
        return server.shell("lb -s")
                .lines()
                .filter(line -> line.contains("|" + name + " "))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void aDirectoryOfAnotherKindIsRefused() throws IOException {
        Path foreign = Files.createDirectory(folder.resolve("photos"));
        Files.createFile(foreign.resolve("cat.png"));
        Result refused = lockstep("primary", foreign.toString());
        assertEquals(1, refused.status());
        assertTrue(refused.err().contains("not empty"), refused::toString);

        Path standby = folder.resolve("s");
        try (ServerProcess server = ServerProcess.standby(standby, "tcp://127.0.0.1:1")) {
            assertEquals(1, server.tryStart().status());
            server.stop();
            assertTrue(Files.readString(standby.resolve("recovery.conf")).contains("'tcp://127.0.0.1:1'"));
            Result asPrimary = lockstep("primary", standby.toString());
            assertEquals(1, asPrimary.status());
            assertTrue(asPrimary.err().contains("lockstep standby"), asPrimary::toString);
        }

        try (ServerProcess server = primary().start()) {
            server.stop();
            Result asStandby = lockstep("standby", server.directory().toString());
            assertEquals(1, asStandby.status());
            assertTrue(asStandby.err().contains("lockstep primary"), asStandby::toString);
        }
    }

    @Test
    void aBadConfigurationEndsTheServerWithFileLineAndReasonAndNothingOfItIsKept() throws IOException {
        String directory = folder.resolve("p").toString();
        Result refused = lockstep("primary", directory, "--set", "wal_bufers=1MB", "--daemon");
        assertEquals(78, refused.status(), refused::toString);
        assertTrue(refused.err().contains("lockstep.conf:5: wal_bufers = 1MB: unknown parameter"), refused::toString);
        try (ServerProcess server = primary().start()) {
            server.stop();
            Result again = lockstep("primary", directory, "--set", "wal_buffers=1XB");
            assertEquals(78, again.status(), again::toString);
            assertTrue(again.err().contains("is what it was before"), again::toString);
            server.start();
        }
    }

    @Test
    void aServerThatCannotListenSaysSoAndListensWhenItCan() throws IOException {
        int port = Pair.freePort();
        String endpoint = "tcp://127.0.0.1:" + port;
        try (ServerProcess server = ServerProcess.primary(folder.resolve("p"), "--listen", endpoint)) {
            try (ServerSocket taken = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
                assertTrue(taken.isBound());
                Result started = server.tryStart();
                assertEquals(1, started.status(), started::toString);
                assertTrue(
                        started.err().contains("goes on trying: it does not listen on " + endpoint + ": "),
                        started::toString);
            }
            server.await(() -> server.shell("status").contains(endpoint + "  listening"));
        }
    }

    @Test
    void usageErrorsExplainThemselves() {
        String dir = folder.resolve("p").toString();
        for (String[] wrong : new String[][] {
            {},
            {"frobnicate"},
            {"primary"},
            {"primary", dir, "b"},
            {"primary", dir, "--fast"},
            {"primary", dir, "--set", "=1"},
            {"primary", dir, "--listen", "5440"},
            {"standby", dir},
            {"stop", dir, "--mode", "slow"},
            {"shell"}
        }) {
            Result result = lockstep(wrong);
            assertEquals(64, result.status(), result::toString);
            assertTrue(result.err().contains("usage: lockstep"), result::toString);
            assertFalse(Files.exists(Path.of(dir)), result::toString);
        }
    }
}
