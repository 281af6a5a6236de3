package lockstep.launcher;

import java.nio.file.Path;

/** The folder that the distribution is in; the script that starts us tells. */
final class Home {
    private Home() {}

    static Path path() {
        String home = System.getProperty("lockstep.home");
        if (home == null) {
            throw new Failure(ExitStatus.FAILED, "the property lockstep.home is missing: start with bin/lockstep");
        }
        return Path.of(home).toAbsolutePath();
    }

    static Path script() {
        return path().resolve("bin/lockstep");
    }

    /** The folders below it are start levels. */
    static Path bundles() {
        return path().resolve("bundles");
    }

    static Path conf() {
        return path().resolve("conf");
    }
}
