package lockstep.receiver;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import lockstep.io.Commands;

/** An archive that is a directory, and the one command that copies from it: {@value #COMMAND}. */
final class DirectoryArchive implements Commands {
    static final String COMMAND = "copy %f %p %r 100%%";

    /** What it was asked for, without the fixed words. */
    final List<String> asked = new CopyOnWriteArrayList<>();

    /** What the command exits with instead of looking, if not 0. */
    volatile int status;

    private final Path archive;
    private final Path dataDirectory;

    DirectoryArchive(Path archive, Path dataDirectory) {
        this.archive = archive;
        this.dataDirectory = dataDirectory;
    }

    @Override
    public int run(String command) throws IOException {
        String[] words = command.split(" ", -1);
        if (words.length != 5 || !words[4].equals("100%")) {
            throw new AssertionError(command);
        }
        asked.add(words[1]);
        if (status != 0) {
            return status;
        }
        Path file = archive.resolve(words[1]);
        if (!Files.exists(file)) {
            return 1;
        }
        Files.copy(file, dataDirectory.resolve(words[2]), StandardCopyOption.REPLACE_EXISTING);
        return 0;
    }

    @Override
    public void stop() {}
}
