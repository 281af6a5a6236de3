package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import lockstep.server.ServerProcess.Result;

/**
 * One of two machines, as far as the network is concerned: the ends of a cable, with an address each, and nobody else to be
 * reached. Only root can make them.
 */
final class NetworkNamespace implements AutoCloseable {
    private static final int PREFIX_BITS = 30;

    private final String name;
    private final String address;
    private final String device;

    private NetworkNamespace(String name, String address, String device) {
        this.name = name;
        this.address = address;
        this.device = device;
    }

    /** Returns whether the present user may make them. */
    static boolean areAllowed() {
        String probe = "lockstep-probe-" + ProcessHandle.current().pid();
        boolean allowed =
                ServerProcess.run(List.of("ip", "netns", "add", probe)).status() == 0;
        if (allowed) {
            ip("netns", "delete", probe);
        }
        return allowed;
    }

    /** Makes two, and connects them. */
    static List<NetworkNamespace> pair() {
        String id = Long.toString(ProcessHandle.current().pid());
        NetworkNamespace one = new NetworkNamespace("lockstep-a-" + id, "10.213.75.1", "a" + id);
        NetworkNamespace other = new NetworkNamespace("lockstep-b-" + id, "10.213.75.2", "b" + id);
        ip("netns", "add", one.name);
        ip("netns", "add", other.name);
        ip(
                "link",
                "add",
                one.device,
                "netns",
                one.name,
                "type",
                "veth",
                "peer",
                "name",
                other.device,
                "netns",
                other.name);
        one.start();
        other.start();
        return List.of(one, other);
    }

    private void start() {
        ip("-n", name, "address", "add", address + "/" + PREFIX_BITS, "dev", device);
        ip("-n", name, "link", "set", "lo", "up");
        plug();
    }

    private static void ip(String... arguments) {
        List<String> command = new ArrayList<>(List.of("ip"));
        command.addAll(List.of(arguments));
        Result result = ServerProcess.run(command);
        assertEquals(0, result.status(), result::toString);
    }

    /** Returns the address by which the other one reaches it. */
    String address() {
        return address;
    }

    /** Returns the words that, before a command, have it run here. */
    List<String> enter() {
        return List.of("ip", "netns", "exec", name);
    }

    /** Pulls the cable: what is sent is lost, and nobody is told. */
    void unplug() {
        ip("-n", name, "link", "set", device, "down");
    }

    /** Puts the cable back. */
    void plug() {
        ip("-n", name, "link", "set", device, "up");
    }

    @Override
    public void close() {
        ip("netns", "delete", name);
    }
}
