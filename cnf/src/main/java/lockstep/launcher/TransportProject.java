package lockstep.launcher;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The project that a vendor starts from. Most of its code is that of the example transport over Unix domain sockets, whose
 * sources are in this program's jar: there is one such session to maintain, and the kit tests it as the example and as
 * the template. Only where the kind of socket matters is there a file of the template's own.
 */
final class TransportProject {
    private static final String OURS = "lockstep.transport.unix";

    private final String name;
    private final String className;
    private final String packageName;
    private final URI repository;

    /**
     * Describes it.
     *
     * @param name the scheme
     * @param repository the Maven repository in which the contract and the kit are
     */
    TransportProject(String name, URI repository) {
        this.name = name;
        this.repository = repository;
        className = name.substring(0, 1).toUpperCase(Locale.ROOT) + name.substring(1);
        packageName = name + ".transport";
    }

    /** Writes the files; refuses a directory that is not empty. */
    void write(Path directory) throws IOException {
        checkEmpty(directory);
        for (Map.Entry<Path, String> file : files().entrySet()) {
            Path path = directory.resolve(file.getKey());
            Files.createDirectories(path.getParent());
            Files.writeString(path, file.getValue());
        }
    }

    private static void checkEmpty(Path directory) throws IOException {
        if (Files.exists(directory)) {
            try (Stream<Path> entries = Files.list(directory)) {
                if (entries.findAny().isPresent()) {
                    throw new Failure(
                            ExitStatus.FAILED, directory + " is not empty: choose another directory, or empty it");
                }
            } catch (NotDirectoryException e) {
                throw new Failure(ExitStatus.FAILED, directory + " is no directory");
            }
        }
    }

    private Map<Path, String> files() throws IOException {
        Path main = Path.of("src/main/java", name, "transport");
        Path test = Path.of("src/test/java", name, "transport");
        Map<Path, String> files = new TreeMap<>();
        files.put(Path.of("pom.xml"), template("pom.xml"));
        files.put(Path.of("README.md"), template("README.md"));
        files.put(Path.of(".gitignore"), "target/\n");
        // The repository is a folder, so it can be read without a network too.
        files.put(Path.of(".mvn/maven.config"), "-Daether.offline.protocols=file\n");
        files.put(main.resolve("package-info.java"), template("package-info.java"));
        files.put(main.resolve(className + "Address.java"), template("Address.java"));
        files.put(main.resolve(className + "Transport.java"), example("UnixTransport.java"));
        for (String file : new String[] {"ChannelListener", "ChannelSession", "Outgoing", "Threads"}) {
            files.put(main.resolve(file + ".java"), example(file + ".java"));
        }
        files.put(test.resolve(className + "TransportTest.java"), template("TransportTest.java"));
        return files;
    }

    private String template(String file) throws IOException {
        return read(file)
                .replace("@package@", packageName)
                .replace("@name@", name)
                .replace("@Name@", className)
                .replace("@version@", Main.class.getPackage().getImplementationVersion())
                .replace("@repository@", repository.toString());
    }

    private String example(String file) throws IOException {
        return read("example/" + file)
                .replace(OURS, packageName)
                .replace("UnixAddress", className + "Address")
                .replace("UnixTransport", className + "Transport");
    }

    private static String read(String file) throws IOException {
        try (InputStream text = TransportProject.class.getResourceAsStream("/new-transport/" + file)) {
            if (text == null) {
                throw new IOException("new-transport/" + file + " is missing in lib/launcher.jar");
            }
            return new String(text.readAllBytes(), UTF_8);
        }
    }
}
