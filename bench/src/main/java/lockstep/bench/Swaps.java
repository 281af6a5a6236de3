package lockstep.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Changes of the transport between a primary and its standby while clients commit: for how long no commit was released, as the
 * command says that makes the change.
 */
final class Swaps implements AutoCloseable {
    private static final String STANDBY = Servers.STANDBY_NAME;

    private final Servers servers;
    private final String tcp;
    private final String unix;
    private final String ssh;
    private final Process load;
    private final Map<String, List<Double>> pausesMillis = new LinkedHashMap<>();

    /**
     * Starts both servers and the load.
     *
     * @param unixJar the example transport over Unix domain sockets
     */
    Swaps(String program, Path directory, Path unixJar, int clients) throws IOException, InterruptedException {
        int sshPort = Servers.freePort();
        tcp = "tcp://127.0.0.1:" + Servers.freePort();
        unix = "unix://" + directory.resolve("sock");
        ssh = "ssh://127.0.0.1:" + sshPort;
        SshStreams.run(
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-f",
                directory.resolve("id").toString());
        List<String> settings = List.of(
                "ssh.identity_file=" + directory.resolve("id"),
                "ssh.identity_agent=none",
                "ssh.known_hosts_file=" + directory.resolve("known_hosts"));
        servers = new Servers(program, directory);
        servers.startPrimary(settings, String.join(",", tcp, unix, ssh));
        Path keys = servers.primaryDirectory().resolve("ssh");
        String[] hostKey = Files.readString(keys.resolve("host_key.pub")).split(" ", 3);
        Files.writeString(
                directory.resolve("known_hosts"),
                "[127.0.0.1]:" + sshPort + " " + hostKey[0] + " " + hostKey[1] + "\n");
        Files.copy(directory.resolve("id.pub"), keys.resolve("authorized_keys"));
        servers.primary("transport", "install", unixJar.toString());
        servers.startStandby(settings, String.join(",", tcp, unix, ssh));
        servers.standby("transport", "install", unixJar.toString());
        load = servers.begin("load --clients " + clients + " --seconds 86400");
    }

    /** Makes each change once. */
    void round() {
        note("use_unix", "use", STANDBY, "unix");
        note("use_tcp", "use", STANDBY, "tcp");
        note("use_ssh", "use", STANDBY, "ssh");
        note("use_tcp", "use", STANDBY, "tcp");
        stop("stop_with_unix_second", tcp + "," + unix);
        stop("stop_with_ssh_second", tcp + "," + ssh);
        follow(tcp);
        note("update_without_a_second", "update", "tcp");
        awaitLink("tcp");
        follow(String.join(",", tcp, unix, ssh));
    }

    private void stop(String name, String endpoints) {
        follow(endpoints);
        note(name, "stop", "tcp");
        servers.primary("transport", "start", "transport.tcp");
        Servers.await(
                () -> {
                    try {
                        servers.primary("transport", "use", STANDBY, "tcp");
                        return true;
                    } catch (IllegalStateException e) {
                        return false;
                    }
                },
                "the standby to move back to tcp");
    }

    private void follow(String endpoints) {
        servers.standby("set", "primary_conninfo", endpoints);
        awaitLink("tcp");
    }

    private void awaitLink(String scheme) {
        Servers.await(
                () -> servers.primary("transports", "links").contains(scheme + "://")
                        && servers.primary("standbys", "--json").contains("\"streaming\""),
                "the standby to stream over " + scheme);
    }

    private void note(String name, String... words) {
        List<String> command = new ArrayList<>(List.of("transport"));
        command.addAll(List.of(words));
        command.add("--json");
        double pauseMillis = Servers.number(servers.primary(command.toArray(String[]::new)), "pause_us") / 1000;
        pausesMillis.computeIfAbsent(name, key -> new ArrayList<>()).add(pauseMillis);
    }

    /** Returns the pauses found, in ms, by the name of the change. */
    Map<String, List<Double>> pausesMillis() {
        return pausesMillis;
    }

    @Override
    public void close() throws IOException {
        load.destroy();
        servers.close();
    }
}
