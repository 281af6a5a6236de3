package lockstep.launcher;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import javax.lang.model.SourceVersion;

/** {@code lockstep new-transport}: writes a project for a transport. */
final class NewTransportCommand implements Command {
    /** The schemes of the transports that there are. */
    private static final Set<String> TAKEN = Set.of("tcp", "ssh", "postgresql", "unix", "folder");

    @Override
    public String name() {
        return "new-transport";
    }

    @Override
    public String synopsis() {
        return "NAME DIR";
    }

    @Override
    public String summary() {
        return "writes a Maven project for a transport NAME:// into DIR";
    }

    @Override
    public String details() {
        return """
            NAME is the scheme of its endpoints and names its classes: lower-case
            letters and digits. DIR must be empty or not there yet. The transport works
            as it is, over TCP sockets, and passes the test kit; README.md in DIR tells
            how to build and install it.
            """;
    }

    @Override
    public int run(List<String> arguments) throws IOException {
        if (arguments.size() != 2) {
            throw new UsageException("expected NAME and DIR");
        }
        String name = arguments.get(0);
        if (!name.matches("[a-z][a-z0-9]{0,30}") || SourceVersion.isKeyword(name)) {
            throw new UsageException("\"" + name
                    + "\" is no name for a transport: expected lower-case letters and digits, such as acme");
        }
        if (TAKEN.contains(name)) {
            throw new UsageException("there is a transport " + name + ":// already: choose another name");
        }
        Path directory = Path.of(arguments.get(1));
        new TransportProject(name, Home.path().resolve("repository").toUri()).write(directory);
        System.out.println("A transport " + name + ":// is in " + directory + ". Next:");
        System.out.println("  cd " + directory + " && mvn package     # builds it and runs the test kit");
        System.out.println("  README.md tells how to install it");
        return ExitStatus.OK;
    }
}
