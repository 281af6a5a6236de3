package lockstep.launcher;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Edits a file of {@code name = value} lines as a person would: replaces the line that counts, or adds one, and leaves
 * the rest as it is. What the names mean, and whether the values make sense, is for the server to say.
 */
final class ConfFile {
    private static final FileAttribute<?> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_.]*");
    private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9_.+-]+");

    /** The name with what stands before the value; the value; what stands behind it. */
    private static final Pattern LINE = Pattern.compile(
            "(\\s*([A-Za-z_][A-Za-z0-9_.]*)(?:\\s*=\\s*|\\s+))('(?:[^'\\\\]|''|\\\\.)*'|[^\\s#']*)(.*)");

    private final Path path;
    private final List<String> lines;
    private boolean changed;

    /** Reads the file; one that does not exist is empty. */
    ConfFile(Path path) throws IOException {
        this.path = path;
        lines = Files.exists(path) ? new ArrayList<>(Files.readAllLines(path)) : new ArrayList<>();
    }

    static boolean isName(String text) {
        return NAME.matcher(text).matches();
    }

    /** Puts lines in front. */
    void header(String text) {
        lines.addAll(0, text.lines().toList());
        changed = true;
    }

    /** Sets a parameter. */
    void set(String name, String value) {
        if (value.chars().anyMatch(Character::isISOControl)) {
            throw new UsageException("the value of " + name + " has a line break or another control character");
        }
        String quoted = quote(value);
        // Of several lines with one name, the last counts.
        for (int i = lines.size() - 1; i >= 0; i--) {
            Matcher line = LINE.matcher(lines.get(i));
            if (line.matches() && line.group(2).equalsIgnoreCase(name)) {
                String replaced = line.group(1) + quoted + line.group(4);
                changed |= !replaced.equals(lines.set(i, replaced));
                return;
            }
        }
        lines.add(name + " = " + quoted);
        changed = true;
    }

    private static String quote(String value) {
        return PLAIN.matcher(value).matches()
                ? value
                : "'" + value.replace("\\", "\\\\").replace("'", "''") + "'";
    }

    /** Replaces the file in one step, if anything was changed. */
    void save() throws IOException {
        if (changed) {
            replace(path, (String.join("\n", lines) + "\n").getBytes(UTF_8));
            changed = false;
        }
    }

    /** Replaces or makes a file in one step. */
    static void replace(Path path, byte[] bytes) throws IOException {
        Path fresh = path.resolveSibling(path.getFileName() + ".new");
        // A value may be a password: the file is for its owner only, from the first byte on.
        Files.deleteIfExists(fresh);
        try (FileChannel file =
                FileChannel.open(fresh, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), OWNER_ONLY)) {
            ByteBuffer content = ByteBuffer.wrap(bytes);
            while (content.hasRemaining()) {
                file.write(content);
            }
            file.force(true);
        }
        if (Files.exists(path)) {
            Files.setPosixFilePermissions(fresh, Files.getPosixFilePermissions(path));
        }
        Files.move(fresh, path, StandardCopyOption.ATOMIC_MOVE);
    }
}
