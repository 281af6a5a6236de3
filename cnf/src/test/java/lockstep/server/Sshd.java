package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import lockstep.server.ServerProcess.Result;

/** An ordinary SSH server of the present user, on a port of its own, with a key that it lets in. */
final class Sshd implements AutoCloseable {
    static final String USER = System.getProperty("user.name");

    private static final String PROGRAM = "/usr/sbin/sshd";

    private final Path folder;
    private final int port = Pair.freePort();
    private Process process;

    /** Makes keys, and starts the server. */
    Sshd(Path folder) throws IOException {
        this.folder = folder;
        makeKey("host_key");
        makeKey("id");
        trust("127.0.0.1", port, folder.resolve("host_key.pub"));
        Files.write(
                folder.resolve("sshd_config"),
                List.of(
                        "Port " + port,
                        "ListenAddress 127.0.0.1",
                        "HostKey " + folder.resolve("host_key"),
                        "AuthorizedKeysFile " + folder.resolve("id.pub"),
                        "PidFile none",
                        "StrictModes no",
                        "UsePAM no",
                        "PermitRootLogin prohibit-password"));
        start();
    }

    private void makeKey(String name) {
        Result made = ServerProcess.run(List.of(
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-f",
                folder.resolve(name).toString()));
        assertEquals(0, made.status(), made::toString);
    }

    /** Writes down the key by which a client knows the server on a port. */
    void trust(String address, int atPort, Path publicKey) throws IOException {
        String[] key = Files.readString(publicKey).split(" ", 3);
        Files.writeString(
                folder.resolve("known_hosts"), "[" + address + "]:" + atPort + " " + key[0] + " " + key[1] + "\n");
    }

    /** Returns the public key that is let in. */
    Path publicKey() {
        return folder.resolve("id.pub");
    }

    /** Returns the settings of a standby that connects here. */
    List<String> settings() {
        return List.of(
                "ssh.identity_file=" + folder.resolve("id"),
                "ssh.identity_agent=none",
                "ssh.known_hosts_file=" + folder.resolve("known_hosts"));
    }

    /** Returns the endpoint through the server to a Unix socket. */
    String to(Path socket) {
        return "ssh://" + USER + "@127.0.0.1:" + port + socket;
    }

    /** Starts the server; it listens when this returns. */
    void start() throws IOException {
        assertTrue(Files.isExecutable(Path.of(PROGRAM)), "there is no " + PROGRAM + ": install openssh-server");
        if (USER.equals("root")) {
            Files.createDirectories(Path.of("/run/sshd")); // where it wants to lock up its unprivileged part
        }
        process = new ProcessBuilder(
                        PROGRAM, "-D", "-e", "-f", folder.resolve("sshd_config").toString())
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("sshd.log").toFile())
                .start();
        while (!listens()) {
            assertTrue(process.isAlive(), () -> "see " + folder.resolve("sshd.log"));
        }
    }

    private boolean listens() {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            return socket.getInputStream().read() >= 0;
        } catch (IOException e) {
            return false;
        }
    }

    /** Kills it with all its connections. */
    void kill() {
        List<ProcessHandle> all = new ArrayList<>(process.descendants().toList());
        all.add(process.toHandle());
        all.forEach(ProcessHandle::destroyForcibly);
        CompletableFuture.allOf(all.stream().map(ProcessHandle::onExit).toArray(CompletableFuture[]::new))
                .join();
    }

    @Override
    public void close() {
        kill();
    }
}
