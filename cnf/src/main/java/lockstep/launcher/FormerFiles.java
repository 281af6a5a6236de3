package lockstep.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The files that a command is about to change, as they are. A server that refuses its configuration has done nothing yet, and what
 * the command that started it had written goes back.
 */
final class FormerFiles {
    private final Map<Path, Optional<byte[]>> contents = new LinkedHashMap<>();

    FormerFiles(List<Path> files) throws IOException {
        for (Path file : files) {
            contents.put(file, Files.exists(file) ? Optional.of(Files.readAllBytes(file)) : Optional.empty());
        }
    }

    /** Makes them what they were; returns whether they were something else. */
    boolean restore() throws IOException {
        boolean changed = false;
        for (Map.Entry<Path, Optional<byte[]>> former : contents.entrySet()) {
            Path file = former.getKey();
            if (former.getValue().isEmpty()) {
                changed |= Files.deleteIfExists(file);
            } else if (!Files.exists(file)
                    || !Arrays.equals(
                            Files.readAllBytes(file), former.getValue().get())) {
                ConfFile.replace(file, former.getValue().get());
                changed = true;
            }
        }
        return changed;
    }
}
