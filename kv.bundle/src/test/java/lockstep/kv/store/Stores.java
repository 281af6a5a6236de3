package lockstep.kv.store;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import lockstep.commit.Commits;
import lockstep.kv.KeyValueStore;
import lockstep.kv.Scan;
import lockstep.kv.Snapshot;

/** What tests of the store do all the time. */
final class Stores {
    private Stores() {}

    /** A store in a directory, not open. */
    static MvKeyValueStore in(Path directory) {
        return new MvKeyValueStore(() -> directory);
    }

    /** An open store on a server that takes commits. */
    static MvKeyValueStore primary(Path directory, Commits commits) throws IOException {
        MvKeyValueStore store = in(directory);
        store.commits = commits;
        store.open();
        return store;
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static Map<String, String> all(KeyValueStore store) {
        try (Snapshot snapshot = store.snapshot()) {
            return all(snapshot);
        }
    }

    static Map<String, String> all(Snapshot snapshot) {
        return pairs(snapshot.scanPrefix("", Snapshot.UNLIMITED));
    }

    static Map<String, String> pairs(Scan scan) {
        Map<String, String> pairs = new TreeMap<>();
        while (scan.next()) {
            if (pairs.put(scan.keyText(), scan.valueText()) != null) {
                throw new AssertionError(scan.keyText() + " came twice");
            }
        }
        return pairs;
    }
}
