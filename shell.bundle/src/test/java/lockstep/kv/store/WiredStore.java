package lockstep.kv.store;

import java.nio.file.Path;
import lockstep.commit.Commits;

/** The store, with the services that the framework would inject. */
public final class WiredStore {
    private WiredStore() {}

    /** Makes one that is still to be opened. */
    public static MvKeyValueStore in(Path directory) {
        return new MvKeyValueStore(() -> directory);
    }

    /** Lets it commit. */
    public static void wire(MvKeyValueStore store, Commits commits) {
        store.commits = commits;
    }
}
