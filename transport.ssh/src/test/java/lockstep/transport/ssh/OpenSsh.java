package lockstep.transport.ssh;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;

/**
 * An ordinary SSH server ({@code sshd}) of the present user on a port of its own, with keys and configuration of its own,
 * and what a client of it has: its known hosts and a key that it accepts.
 */
final class OpenSsh implements AutoCloseable {
    static final String USER = System.getProperty("user.name");

    private final Path directory;
    private final int port = freePort();
    private final List<String> settings;
    private Process process;

    /** Makes keys, and starts the server. */
    OpenSsh(Path directory, String... settings) throws Exception {
        this.directory = directory;
        this.settings = List.of(settings);
        key("host_key", "ed25519", "");
        key("id", "ed25519", "");
        Files.copy(directory.resolve("id.pub"), directory.resolve("authorized_keys"));
        trust(port);
        start();
    }

    static int freePort() throws IOException {
        try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    /** Makes a pair of keys. */
    Path key(String name, String type, String passphrase) throws Exception {
        Path file = directory.resolve(name);
        run("ssh-keygen", "-q", "-t", type, "-N", passphrase, "-f", file.toString());
        return file;
    }

    /** Lets a key in. */
    void authorize(Path key) throws IOException {
        Files.write(
                directory.resolve("authorized_keys"),
                Files.readAllBytes(Path.of(key + ".pub")),
                StandardOpenOption.APPEND);
    }

    /** Has clients know the server on a port, its own or that of a wire to it. */
    void trust(int atPort) throws IOException {
        Files.writeString(
                knownHosts(),
                knownHost(atPort, directory.resolve("host_key.pub")),
                StandardOpenOption.CREATE,
                StandardOpenOption.APPEND);
    }

    /** Returns the line by which a client knows the server on a port. */
    static String knownHost(int port, Path publicKey) throws IOException {
        String[] key = Files.readString(publicKey).split(" ", 3);
        return "[127.0.0.1]:" + port + " " + key[0] + " " + key[1] + "\n";
    }

    /** Returns the type of the host key and its fingerprint. */
    String hostKeyFingerprint() {
        return "ssh-ed25519 " + fingerprint(directory.resolve("host_key.pub"));
    }

    static String fingerprint(Path publicKey) {
        try {
            return run("ssh-keygen", "-lf", publicKey.toString()).split(" ", 3)[1];
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    Path knownHosts() {
        return directory.resolve("known_hosts");
    }

    int port() {
        return port;
    }

    /** Returns what a client is configured with. */
    Map<String, Object> client() {
        return new HashMap<>(Map.of(
                "identityFile", directory.resolve("id").toString(),
                "identityAgent", "none",
                "knownHostsFile", knownHosts().toString()));
    }

    /** Starts the server, which listens when this returns. */
    void start() throws Exception {
        Path privileges = Path.of("/run/sshd");
        if (USER.equals("root")) {
            Files.createDirectories(privileges);
        }
        Path config = directory.resolve("sshd_config");
        List<String> lines = new ArrayList<>(List.of(
                "Port " + port,
                "ListenAddress 127.0.0.1",
                "HostKey " + directory.resolve("host_key"),
                "PidFile none",
                "AuthorizedKeysFile " + directory.resolve("authorized_keys"),
                "StrictModes no",
                "UsePAM no",
                "PasswordAuthentication no",
                "KbdInteractiveAuthentication no",
                "PermitRootLogin prohibit-password",
                "MaxStartups 100",
                "LogLevel ERROR"));
        lines.addAll(settings);
        Files.write(config, lines);
        process = new ProcessBuilder(program(), "-D", "-e", "-f", config.toString())
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("sshd.log").toFile())
                .start();
        while (!answers()) {
            assertTrue(process.isAlive(), () -> log());
        }
    }

    private String log() {
        try {
            return Files.readString(directory.resolve("sshd.log"));
        } catch (IOException e) {
            return e.toString();
        }
    }

    /** It wants to be called by its full path. */
    private static String program() {
        return Stream.of("/usr/sbin/sshd", "/usr/local/sbin/sshd")
                .filter(path -> Files.isExecutable(Path.of(path)))
                .findFirst()
                .orElseThrow(() -> new AssertionError("there is no sshd: install openssh-server"));
    }

    private boolean answers() throws IOException {
        try (var socket = new java.net.Socket(InetAddress.getLoopbackAddress(), port)) {
            var reader = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
            return Optional.ofNullable(reader.readLine()).orElse("").startsWith("SSH-2.0-");
        } catch (IOException e) {
            return false;
        }
    }

    /** Ends the server and all its connections, at once. */
    void kill() {
        var all = new ArrayList<>(process.descendants().toList());
        all.add(process.toHandle());
        all.forEach(ProcessHandle::destroyForcibly);
        CompletableFuture.allOf(all.stream().map(ProcessHandle::onExit).toArray(CompletableFuture[]::new))
                .join();
    }

    /** Has the server and its connections stand still. */
    void stop() throws Exception {
        signal("STOP");
    }

    /** Has them go on. */
    void resume() throws Exception {
        signal("CONT");
    }

    private void signal(String name) throws Exception {
        var all = new ArrayList<>(List.of("kill", "-" + name, Long.toString(process.pid())));
        process.descendants().map(each -> Long.toString(each.pid())).forEach(all::add);
        run(all.toArray(String[]::new));
    }

    static String run(String... command) throws Exception {
        var process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        return output;
    }

    @Override
    public void close() {
        kill();
    }
}
