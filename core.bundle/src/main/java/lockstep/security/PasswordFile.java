package lockstep.security;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * The verifiers of the passwords that this server lets in: a line {@code NAME:VERIFIER} for each, in a file that only its
 * owner can read. {@code lockstep passwd} writes it.
 */
public final class PasswordFile {
    /** Its name, in the data directory. */
    public static final String FILE = "passwords";

    private static final Set<PosixFilePermission> OWNER =
            EnumSet.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE);

    private PasswordFile() {}

    /** Reads the file; without one there is no password. */
    static Map<String, ScramVerifier> read(Path file) throws IOException {
        Map<String, ScramVerifier> verifiers = new LinkedHashMap<>();
        if (Files.exists(file)) {
            checkPrivate(file);
            int number = 0;
            for (String line : Files.readAllLines(file)) {
                number++;
                if (!line.isBlank() && !line.startsWith("#")) {
                    int colon = line.indexOf(':');
                    try {
                        verifiers.put(
                                line.substring(0, Math.max(colon, 0)),
                                ScramVerifier.parse(line.substring(colon + 1).strip()));
                    } catch (IllegalArgumentException e) {
                        // Without the cause: it is no secret now, but whoever changes the parser may not think of it.
                        throw new IOException(file + ":" + number
                                + ": expected NAME:SCRAM-SHA-256$…, as \"lockstep passwd\" writes it");
                    }
                }
            }
        }
        return verifiers;
    }

    /** Refuses a file with secrets that others than its owner can read or write. */
    static void checkPrivate(Path file) throws IOException {
        Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(file);
        permissions.removeAll(OWNER);
        permissions.remove(PosixFilePermission.OWNER_EXECUTE);
        if (!permissions.isEmpty()) {
            throw new IOException(
                    "others than its owner can use " + file + ", which holds secrets; run: chmod 600 " + file);
        }
    }

    /**
     * Sets the password of a name, or removes it.
     *
     * @param password null to remove it
     * @return whether the name had one before
     */
    public static boolean set(Path file, String name, char[] password) throws IOException {
        if (name.isEmpty()
                || name.indexOf(':') >= 0
                || name.startsWith("#")
                || name.chars().anyMatch(c -> c <= ' ')) {
            throw new IOException("\"" + name + "\" cannot have a password: a name has no blanks and no colon");
        }
        Map<String, ScramVerifier> verifiers = read(file);
        boolean had =
                (password == null ? verifiers.remove(name) : verifiers.put(name, ScramVerifier.of(password))) != null;
        StringBuilder text = new StringBuilder();
        verifiers.forEach((who, verifier) ->
                text.append(who).append(':').append(verifier.text()).append('\n'));
        write(file, text.toString().getBytes(StandardCharsets.UTF_8));
        return had;
    }

    /** Makes the file with its permissions from the beginning, and under its name only when it is whole. */
    private static void write(Path file, byte[] content) throws IOException {
        Path temporary = Path.of(file + ".tmp");
        Files.deleteIfExists(temporary);
        try (FileChannel channel = FileChannel.open(
                temporary,
                Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW),
                PosixFilePermissions.asFileAttribute(OWNER))) {
            channel.write(ByteBuffer.wrap(content));
            channel.force(true);
        }
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    }
}
