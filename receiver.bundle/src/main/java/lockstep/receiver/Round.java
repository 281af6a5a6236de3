package lockstep.receiver;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import lockstep.io.Clock;
import lockstep.transport.api.Endpoint;

/**
 * Whom {@link Upstream} tries next, and when: the endpoints of {@code primary_conninfo} in order, once through, and after a pause
 * again.
 *
 * <p><b>How long a pause is.</b> A primary or transport that was there a moment ago is most likely back in a moment: the first tries
 * follow each other within milliseconds, each pause twice the one before, up to {@code wal_retrieve_retry_interval}. Whom it is
 * to be backed off from is left alone for the whole interval.
 *
 * <p><b>Lock.</b> None: {@code Upstream} holds its own.
 */
final class Round {
    private static final long FIRST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);

    private final Supplier<StandbyConfig> config;
    private final Clock clock;
    private List<Endpoint> endpoints;
    private int next;
    private long pauseNanos = FIRST_PAUSE_NANOS;
    private long dueNanos;

    Round(Supplier<StandbyConfig> config, Clock clock) {
        this.config = config;
        this.clock = clock;
        endpoints = config.get().primaries();
    }

    List<Endpoint> endpoints() {
        return endpoints;
    }

    /** Goes through other endpoints, from the first on, at once. */
    void goThrough(List<Endpoint> others) {
        endpoints = others;
        begin();
        hurry();
    }

    void begin() {
        next = 0;
    }

    boolean isBegun() {
        return next > 0;
    }

    /** Returns whom to try now; empty when all have been. */
    Optional<Endpoint> next() {
        return next < endpoints.size() ? Optional.of(endpoints.get(next++)) : Optional.empty();
    }

    /** Things have changed for the better: the next try is due, and those after it follow quickly. */
    void hurry() {
        pauseNanos = FIRST_PAUSE_NANOS;
        dueNanos = clock.nanos();
    }

    /** Has the next round begin after a pause; returns how long it is. */
    long pause() {
        return pause(pauseNanos);
    }

    /** The same, and the pause is as long as it can be. */
    long pauseLong() {
        return pause(retryIntervalNanos());
    }

    private long pause(long nanos) {
        long pause = Math.min(nanos, retryIntervalNanos());
        pauseNanos = Math.min(2 * pause, retryIntervalNanos());
        dueNanos = clock.nanos() + pause;
        return pause;
    }

    /** Tries no more in this round, and has the pause after it be as long as it can be. */
    void giveUp() {
        next = endpoints.size();
        pauseNanos = retryIntervalNanos();
    }

    /** Returns how long it is until the pause is over; not positive if it is. */
    long leftNanos() {
        return dueNanos - clock.nanos();
    }

    /** Returns whether several rounds have failed, one after the other. */
    boolean hasFailedOften() {
        return pauseNanos > 2 * FIRST_PAUSE_NANOS;
    }

    long retryIntervalNanos() {
        return TimeUnit.MILLISECONDS.toNanos(config.get().retrieveRetryIntervalMs());
    }
}
