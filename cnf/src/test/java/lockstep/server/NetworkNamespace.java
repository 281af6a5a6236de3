package lockstep.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import lockstep.server.ServerProcess.Result;

/** A machine of its own, as far as the network goes, with one cable to this one that can be pulled. Only root can make it. */
final class NetworkNamespace implements AutoCloseable {
    private static final String PREFIX_LENGTH = "/30";

    private final String name;
    private final String ourEnd;
    private final String theirEnd;
    private final String ourAddress;
    private final String theirAddress;

    /** Two addresses of a range that is there for tests of networks. */
    private NetworkNamespace(long pid) {
        name = "lockstep-" + pid;
        ourEnd = "ls" + pid + "a";
        theirEnd = "ls" + pid + "b";
        String network = "198.18." + pid % 256 + '.';
        ourAddress = network + 1;
        theirAddress = network + 2;
    }

    /** Makes it and lays the cable; throws what failed if it cannot be made. */
    static NetworkNamespace make() {
        NetworkNamespace made = new NetworkNamespace(ProcessHandle.current().pid());
        try {
            ip("netns", "add", made.name);
            ip("link", "add", made.ourEnd, "type", "veth", "peer", "name", made.theirEnd, "netns", made.name);
            ip("address", "add", made.ourAddress + PREFIX_LENGTH, "dev", made.ourEnd);
            ip("link", "set", made.ourEnd, "up");
            ip("-n", made.name, "address", "add", made.theirAddress + PREFIX_LENGTH, "dev", made.theirEnd);
            ip("-n", made.name, "link", "set", made.theirEnd, "up");
            ip("-n", made.name, "link", "set", "lo", "up");
        } catch (AssertionError e) {
            made.close();
            throw e;
        }
        return made;
    }

    /** Returns the address of this machine on the cable. */
    String ourAddress() {
        return ourAddress;
    }

    /** Returns the command line that runs another one in there. */
    List<String> inside() {
        return List.of("ip", "netns", "exec", name);
    }

    /** Pulls the cable: neither end hears from the other, nor that it does not. */
    void cut() {
        ip("link", "set", ourEnd, "down");
    }

    /** Plugs it in again. */
    void mend() {
        ip("link", "set", ourEnd, "up");
    }

    private static void ip(String... arguments) {
        Result result = run(arguments);
        assertEquals(0, result.status(), result::toString);
    }

    private static Result run(String... arguments) {
        List<String> command = new ArrayList<>(List.of("ip"));
        command.addAll(List.of(arguments));
        return ServerProcess.run(command);
    }

    /** The cable goes with it. */
    @Override
    public void close() {
        run("netns", "delete", name);
    }
}
