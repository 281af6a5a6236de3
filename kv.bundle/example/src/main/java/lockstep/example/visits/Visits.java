package lockstep.example.visits;

import java.util.concurrent.TimeUnit;
import lockstep.commit.CommitLevel;
import lockstep.commit.PendingCommit;
import lockstep.kv.KeyValueStore;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * Counts visits, as a guest book does. The store is a service; this component is there while that is, on a primary and on a
 * standby. The two properties make shell commands of its methods, so that it can be tried.
 */
@Component(
        service = Visits.class,
        property = {"osgi.command.scope=visits", "osgi.command.function=visit", "osgi.command.function=visits"})
public final class Visits {
    private static final long PATIENCE_S = 30;

    private final KeyValueStore store;

    /** Made by the framework. */
    @Activate
    public Visits(@Reference KeyValueStore store) {
        this.store = store;
    }

    /**
     * Counts a visit, and returns when it is on the disks of this server and of a standby: what is said here survives the loss of
     * either machine. One visit at a time, since a transaction reads nothing it would be checked against.
     */
    public synchronized String visit(String name) throws InterruptedException {
        long count = visits(name) + 1;
        PendingCommit commit =
                store.begin().put(key(name), Long.toString(count)).commit(CommitLevel.ON);
        if (!commit.await(TimeUnit.SECONDS.toNanos(PATIENCE_S))) {
            return name + "'s visit is in doubt: no standby has it so far";
        }
        return "visit " + count + " of " + name + ": " + commit.outcome();
    }

    /** Reads how many visits there were, as of now; on a standby, as far as it has applied them. */
    public long visits(String name) {
        return store.get(key(name)).map(Long::parseLong).orElse(0L);
    }

    private static String key(String name) {
        return "visits/" + name;
    }
}
