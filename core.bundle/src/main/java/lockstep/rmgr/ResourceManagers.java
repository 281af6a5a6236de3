package lockstep.rmgr;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The resource managers that are here now. They come and go with their bundles, on any thread; redo takes notice of it
 * when it next looks. Thread-safe.
 */
public final class ResourceManagers {
    private final ConcurrentHashMap<Integer, ResourceManager> byId = new ConcurrentHashMap<>();
    private final Map<Integer, ResourceManager> caughtUp = new ConcurrentHashMap<>();
    private final Map<Integer, String> everHere = new ConcurrentHashMap<>();
    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
    private final AtomicInteger changes = new AtomicInteger();

    /**
     * Takes one in.
     *
     * @throws IllegalArgumentException if its id is not for custom resource managers, or is taken; names whose it is
     */
    public void add(ResourceManager manager) {
        int id = manager.id();
        if (id < ResourceManager.FIRST_CUSTOM_ID || id > ResourceManager.LAST_ID) {
            throw new IllegalArgumentException("resource manager " + manager.name() + " has the id " + id
                    + ": expected " + ResourceManager.FIRST_CUSTOM_ID + " to " + ResourceManager.LAST_ID);
        }
        ResourceManager other = byId.putIfAbsent(id, manager);
        if (other != null) {
            throw new IllegalArgumentException(
                    "resource manager " + manager.name() + " has the id " + id + ", which " + other.name() + " has");
        }
        everHere.put(id, manager.name());
        changes.incrementAndGet();
        listeners.forEach(Runnable::run);
    }

    /** Says that one is open and has all of the log that has been redone or settled. */
    public void setCaughtUp(ResourceManager manager) {
        caughtUp.put(manager.id(), manager);
    }

    /** Lets one go. */
    public void remove(ResourceManager manager) {
        caughtUp.remove(manager.id(), manager);
        if (byId.remove(manager.id(), manager)) {
            changes.incrementAndGet();
            listeners.forEach(Runnable::run);
        }
    }

    /** Returns who serves an id, if anybody does. */
    public Optional<ResourceManager> get(int id) {
        return Optional.ofNullable(byId.get(id));
    }

    /** Returns how often one has come or gone: who looks often need not look at all of them each time. */
    public int changes() {
        return changes.get();
    }

    /** Returns all that are here. */
    public List<ResourceManager> all() {
        return List.copyOf(byId.values());
    }

    /**
     * Returns the names of those that were here since the server started and have left, or have come back and not caught up
     * yet. What they had not brought to disk is only in the log: no checkpoint may be taken without them.
     */
    public List<String> missing() {
        return everHere.entrySet().stream()
                .filter(entry -> {
                    ResourceManager present = byId.get(entry.getKey());
                    return present == null || caughtUp.get(entry.getKey()) != present;
                })
                .map(Map.Entry::getValue)
                .toList();
    }

    /**
     * Sends the files of all.
     *
     * @throws IOException if one is away, whose files would be missing; names it
     */
    public void backup(BackupSink sink) throws IOException {
        if (!missing().isEmpty() || byId.isEmpty()) {
            throw new IOException(
                    "no base backup while resource managers are away: " + missing() + ". Start their bundles");
        }
        for (ResourceManager manager : all()) {
            manager.backup(sink);
        }
    }

    /** Has somebody hear of arrivals and departures, on the thread they happen on. */
    public void addListener(Runnable listener) {
        listeners.add(listener);
    }

    /** Ends what {@link #addListener} began. */
    public void removeListener(Runnable listener) {
        listeners.remove(listener);
    }
}
