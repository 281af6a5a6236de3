package lockstep.commit;

import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import lockstep.commit.StandbyNames.Method;
import lockstep.commit.SynchronousConfig.DegradeTo;
import lockstep.commit.SynchronousConfig.Exhausted;
import lockstep.commit.SynchronousConfig.Unavailable;
import lockstep.io.Clock;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.transport.api.Lsn;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the server does while too few standbys are there ({@code standby_unavailable}).
 *
 * <p><b>Idea.</b> Degraded mode is a state of the server, not of a commit. It is entered and left with a record in the log, and
 * between the two a commit may be let go with less than it asked for. So an operator can tell for any position of the log
 * whether it may have had too few copies, and so can a standby that is asked to take over. The commit itself is told what it
 * got: one that asked no more than the standbys had when it was let go is {@code REPLICATED}, in degraded mode too.
 *
 * <pre>
 *   state       event                                                           next
 *   NORMAL      too few standbys, hang or wait                                  WAITING
 *   NORMAL      too few standbys, degrade                                       DEGRADED
 *   NORMAL      too few standbys because one has left in good order, wait       DEGRADED
 *   WAITING     enough standbys                                                 NORMAL
 *   WAITING     standby_timeout has passed, wait                                DEGRADED
 *   NORMAL      standbys there, and no progress for standby_timeout, not hang   DEGRADED
 *   DEGRADED    degraded_max_time or degraded_max_wal is passed                 EXHAUSTED
 *   DEGRADED    enough standbys stream, and have the log up to where it began   RETURNING
 *   EXHAUSTED   the same                                                        RETURNING
 *   RETURNING   too few standbys                                                DEGRADED, EXHAUSTED
 *   RETURNING   degraded_return_delay has passed, and they have caught up       NORMAL
 *   degraded    standby_unavailable = hang, or no standby is asked any more     NORMAL
 * </pre>
 *
 * <p><b>Enough</b> are as many candidates as {@code synchronous_standby_names} requires. <b>No progress</b> is when what had
 * been flushed here is not acknowledged {@code standby_timeout} later: the standbys are alive, and commits wait all the same.
 * <b>Caught up</b> is when what had been flushed here a moment ago is on as many standbys as are required; under load they are
 * never quite at the flush position itself.
 *
 * <p><b>What is asked in degraded mode</b> depends on {@code degrade_to}, and never falls below {@code min_copies}, nor rises
 * above what is usual. {@code local}: the primary's flush. {@code remote_write}: as many standbys as usual have written it. {@code
 * fewer}: as many standbys as are left have done what the commit's level asks. In EXHAUSTED the usual is asked again.
 *
 * <p><b>Order of things.</b> Entering: the record is in the log and on the disk, the file and the standbys know, then commits
 * are released. Leaving: the usual rule is in force, then the record is written; so all that was released by the lower rule lies
 * before the end that the record names. A server that stops in degraded mode, or crashes, goes on in it when it starts: the period
 * is over when the standbys have what it covers.
 *
 * <p><b>Threads.</b> The worker {@code degraded-mode} alone changes the state; it is woken when a standby comes, goes, or moves
 * in a state other than NORMAL, and when the configuration changes. {@code this} is held during a step and a change of the
 * configuration. Status may be read from any thread.
 */
public final class DegradedMode implements Step {
    /** The states. */
    public enum State {
        /** The required standbys are there. */
        NORMAL,
        /** Too few are there, and commits wait. */
        WAITING,
        /** Commits are released with less than they asked for. */
        DEGRADED,
        /** A limit is passed: commits wait again, or are refused. */
        EXHAUSTED,
        /** Degraded still, but enough standbys are back. */
        RETURNING;

        /** Returns whether a degraded period goes on. */
        public boolean isDegraded() {
            return compareTo(DEGRADED) >= 0;
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * How things stand.
     *
     * @param reason why it is not normal; empty if it is
     * @param sinceMicros since when the state lasts, or the period of which it is part; in {@link Clock#micros}
     * @param forMicros how long that is
     * @param startLsn where the WAL begins that may have too few copies; 0 if not degraded
     * @param bytesAtRisk how much WAL is on this disk and not on as many standbys as required; 0 if not degraded
     * @param transitions how often the state has changed since the server started
     * @param next what happens next, and by which parameter
     * @param nextInMicros in what time; -1 if an event is waited for and not a time
     */
    public record Status(
            State state,
            String reason,
            long sinceMicros,
            long forMicros,
            long startLsn,
            long bytesAtRisk,
            long transitions,
            String next,
            long nextInMicros) {}

    /**
     * A change of state.
     *
     * @param status how things stand after it
     */
    public record Transition(State from, State to, Status status) {}

    /** Hears of changes, on the worker; returns soon and does not throw. */
    @FunctionalInterface
    public interface Listener {
        /** The state has changed. */
        void changed(Transition transition);
    }

    /** Where periods are recorded. */
    public interface Journal {
        /**
         * Records in the log and in the file that a period has begun or ended, and tells the standbys; all is on the disk here
         * when this returns.
         */
        void record(DegradedPeriod period) throws IOException;
    }

    private static final Logger log = LoggerFactory.getLogger(DegradedMode.class);

    /** So many looks in the time after which no progress counts. */
    private static final int LOOKS = 8;

    private static final long MIN_LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(10);
    private static final long LIMIT_LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
    private static final long ORDERLY_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long MICRO = 1000;

    private final StandbyPolicy policy;
    private final Journal journal;
    private final Runnable release;
    private final Clock clock;
    private final int timeline;
    private final List<Listener> listeners = new CopyOnWriteArrayList<>();
    private final AtomicLong transitions = new AtomicLong();
    private volatile Worker worker;
    private volatile boolean suspended;

    /** When a standby left in good order; 0 if none has. */
    private volatile long leftNanos;

    // Guarded by this; volatile where status looks.
    private volatile SynchronousConfig config;
    private volatile State state = State.NORMAL;
    private volatile String reason = "";
    private volatile long sinceNanos;
    private volatile long sinceMicros;
    private volatile DegradedPeriod period;
    private volatile long returnNanos;

    /** What the standbys that are asked now must reach in time. */
    private final Mark asked = new Mark();

    /** What the standbys that are usually asked must reach before degraded mode is left. */
    private final Mark usual = new Mark();

    /** Where the WAL ends whose commits were released by a lower rule, once a limit is passed; else 0. */
    private long exhaustedLsn;

    /** How many standbys are asked with {@code degrade_to = fewer}. */
    private int fewer;

    /**
     * Begins in normal mode, or in degraded mode if the server had stopped in it.
     *
     * @param timeline the present timeline
     * @param open the period that has not ended
     * @param release called after commits may be released that were not before
     */
    public DegradedMode(
            StandbyPolicy policy,
            SynchronousConfig config,
            int timeline,
            Optional<DegradedPeriod> open,
            Journal journal,
            Runnable release,
            Clock clock) {
        this.policy = policy;
        this.config = config;
        this.timeline = timeline;
        this.journal = journal;
        this.release = release;
        this.clock = clock;
        sinceNanos = clock.nanos();
        sinceMicros = clock.micros();
        asked.set();
        usual.set();
        open.ifPresent(this::resume);
    }

    /** A position that was flushed here at some moment. */
    private final class Mark {
        private long lsn;
        private long nanos;

        void set() {
            lsn = policy.localFlushedLsn();
            nanos = clock.nanos();
        }

        boolean isOlderThan(long age) {
            return clock.nanos() - nanos >= age;
        }
    }

    private void resume(DegradedPeriod before) {
        period = before;
        state = State.DEGRADED;
        reason = before.reason();
        sinceMicros = before.startMicros();
        sinceNanos = clock.nanos() - Math.max(0, clock.micros() - sinceMicros) * MICRO;
        log.warn("the server goes on in degraded mode, as it stopped: {}", reason);
        if (!isToBeLeft()) {
            lower();
        }
    }

    /** Tells whom {@link #wake} wakes. */
    public void runBy(Worker newWorker) {
        worker = newWorker;
        newWorker.wake();
    }

    /** Tells of changes from now on. */
    public void addListener(Listener listener) {
        listeners.add(listener);
    }

    private void wake() {
        Worker own = worker;
        if (own != null) {
            own.wake();
        }
    }

    /** A standby has moved, come or gone. On the path of acknowledgements: costs next to nothing in normal mode. */
    public void progressed() {
        if (state != State.NORMAL || isTooFew()) {
            wake();
        }
    }

    /** A standby leaves in good order: it need not be waited for. */
    public void leaving() {
        leftNanos = clock.nanos();
        wake();
    }

    /** Changes what is asked and what happens; at once, also for commits that wait. */
    public void configure(SynchronousConfig changed) {
        synchronized (this) {
            config = changed;
            if (state.isDegraded()) {
                lower();
            } else {
                policy.require(changed.names());
                if (state == State.WAITING) {
                    reason = whoIsMissing();
                }
            }
        }
        release.run();
        wake();
    }

    private boolean isTooFew() {
        StandbyNames names = policy.names();
        return !names.isEmpty() && policy.candidates(0) < names.count();
    }

    // The worker.

    /** Leaves things as they are for a while; when this returns, nothing is being recorded. */
    public synchronized void suspend() {
        suspended = true;
    }

    /** Ends what {@link #suspend} began. */
    public void resume() {
        suspended = false;
        wake();
    }

    @Override
    public synchronized long run() {
        if (suspended) {
            return UNTIL_WOKEN;
        }
        try {
            return state.isDegraded() ? degraded(clock.nanos()) : normal(clock.nanos());
        } catch (IOException e) {
            log.error("the degraded mode cannot be entered or left, since that cannot be recorded: {}", e.getMessage());
            return RETRY_NANOS;
        }
    }

    private long normal(long now) throws IOException {
        boolean tooFew = isTooFew();
        boolean stalled = isStalled();
        if (!tooFew && state == State.WAITING) {
            become(State.NORMAL, "");
        }
        if (config.unavailable() == Unavailable.HANG) {
            if (tooFew && state == State.NORMAL) {
                become(State.WAITING, whoIsMissing());
            }
            return UNTIL_WOKEN;
        }
        if (!tooFew && !stalled) {
            return lookNanos();
        }
        boolean atOnce = config.unavailable() == Unavailable.DEGRADE || hasJustLeft(now);
        if (tooFew && state == State.NORMAL && !atOnce) {
            become(State.WAITING, whoIsMissing());
        }
        long left = config.timeoutNanos() - (now - sinceNanos);
        if (stalled || atOnce || left <= 0) {
            enter(tooFew);
            return AGAIN;
        }
        return left;
    }

    /** A standby says that it leaves just before it is gone. */
    private boolean hasJustLeft(long now) {
        return leftNanos != 0 && now - leftNanos < ORDERLY_NANOS;
    }

    /** Judges whether what had been flushed a while ago is still not acknowledged, though all are there that are asked. */
    private boolean isStalled() {
        if (isTooFew() || policy.releasedLsn(CommitLevel.ON) >= asked.lsn) {
            asked.set();
        }
        return asked.isOlderThan(config.timeoutNanos());
    }

    private long lookNanos() {
        return Math.max(MIN_LOOK_NANOS, config.timeoutNanos() / LOOKS);
    }

    private void enter(boolean tooFew) throws IOException {
        String why = tooFew
                ? whoIsMissing()
                : "the standbys are alive, but have not acknowledged " + Lsn.text(asked.lsn) + " within "
                        + seconds(config.timeoutNanos()) + " (standby_timeout)";
        DegradedPeriod begun = new DegradedPeriod(
                timeline,
                policy.safeLsn(),
                0,
                clock.micros(),
                0,
                SynchronousConfig.text(config.degradeTo()),
                "standby_unavailable=" + SynchronousConfig.text(config.unavailable()),
                why);
        fewer = policy.candidates(tooFew ? 0 : asked.lsn);
        usual.set();
        journal.record(begun);
        period = begun;
        become(State.DEGRADED, why);
        lower();
        release.run();
    }

    /** Puts the rule in force that belongs to the state and the configuration. */
    private void lower() {
        StandbyNames names = config.names();
        if (exhaustedLsn != 0) {
            policy.require(names, refusal());
            return;
        }
        int floor = Math.min(names.count(), config.minCopies() - 1);
        long limit = config.maxWalBytes() == 0 ? Long.MAX_VALUE : period.startLsn() + config.maxWalBytes();
        DegradeTo to = config.degradeTo();
        int count = switch (to) {
            case LOCAL -> 0;
            case REMOTE_WRITE -> names.count();
            case FEWER -> Math.max(floor, Math.min(names.count(), fewer));
        };
        policy.lower(
                names,
                count,
                to == DegradeTo.FEWER ? Method.ANY : names.method(),
                to == DegradeTo.REMOTE_WRITE ? CommitLevel.REMOTE_WRITE : CommitLevel.REMOTE_APPLY,
                floor,
                limit,
                "degraded to " + SynchronousConfig.text(to) + ": " + reason);
    }

    private Optional<String> refusal() {
        return config.exhausted() == Exhausted.HANG
                ? Optional.empty()
                : Optional.of("the server takes no commits that ask a standby: " + reason
                        + "; degraded_exhausted = fail. Bring the standbys back, or commit at level local");
    }

    private boolean isToBeLeft() {
        return config.names().isEmpty() || config.unavailable() == Unavailable.HANG;
    }

    private long degraded(long now) throws IOException {
        if (isToBeLeft()) {
            leave(config.names().isEmpty() ? "no standby is asked any more" : "standby_unavailable = hang");
            return AGAIN;
        }
        if (exhaustedLsn == 0) {
            exhaust(now);
        }
        boolean tooFew = isTooFew();
        if (tooFew && state == State.RETURNING) {
            become(exhaustedLsn == 0 ? State.DEGRADED : State.EXHAUSTED, whoIsMissing());
        }
        if (!tooFew && policy.usualLsn(CommitLevel.ON) >= usual.lsn) {
            if (state != State.RETURNING) {
                returnNanos = now;
                become(State.RETURNING, reason);
            } else if (now - returnNanos >= config.returnNanos()) {
                leave("the required standbys stream and have caught up");
                return AGAIN;
            }
            usual.set();
        }
        if (tooFew) {
            askFewer(policy.candidates(0));
        } else if (exhaustedLsn == 0 && isStalled()) {
            askFewer(policy.candidates(asked.lsn));
        }
        return untilNextLook(now);
    }

    private void askFewer(int count) {
        if (count < fewer) {
            fewer = count;
            if (exhaustedLsn == 0) {
                lower();
                release.run();
            }
        }
    }

    private void exhaust(long now) {
        String why = "";
        if (config.maxNanos() != 0 && now - sinceNanos >= config.maxNanos()) {
            why = "degraded for longer than degraded_max_time = " + seconds(config.maxNanos());
        } else if (config.maxWalBytes() != 0 && policy.localFlushedLsn() - period.startLsn() >= config.maxWalBytes()) {
            why = "more WAL at risk than degraded_max_wal = " + config.maxWalBytes() + " bytes";
        }
        if (!why.isEmpty()) {
            exhaustedLsn = policy.localFlushedLsn();
            become(State.EXHAUSTED, why);
            lower();
        }
    }

    private long untilNextLook(long now) {
        long next = UNTIL_WOKEN;
        if (state == State.RETURNING) {
            next = Math.max(MIN_LOOK_NANOS, config.returnNanos() - (now - returnNanos));
        }
        if (config.degradeTo() == DegradeTo.FEWER && exhaustedLsn == 0) {
            next = Math.min(next, lookNanos());
        }
        if (exhaustedLsn == 0 && config.maxNanos() != 0) {
            next = Math.min(next, Math.max(0, config.maxNanos() - (now - sinceNanos)));
        }
        if (exhaustedLsn == 0 && config.maxWalBytes() != 0) {
            next = Math.min(next, LIMIT_LOOK_NANOS);
        }
        return next;
    }

    private void leave(String why) throws IOException {
        policy.require(config.names());
        release.run();
        long endLsn = exhaustedLsn == 0 ? policy.localFlushedLsn() : exhaustedLsn;
        journal.record(period.ended(endLsn, clock.micros()));
        log.info("degraded mode ends at {}: {}", Lsn.text(endLsn), why);
        period = null;
        exhaustedLsn = 0;
        asked.set();
        become(State.NORMAL, "");
    }

    private void become(State next, String why) {
        State before = state;
        if (!(before.isDegraded() && next.isDegraded())) {
            sinceNanos = clock.nanos();
            sinceMicros = clock.micros();
        }
        reason = why;
        state = next;
        transitions.incrementAndGet();
        if (next == State.NORMAL || next == State.RETURNING) {
            log.info("standbys: {} -> {}{}", before, next, next == State.NORMAL ? "" : ": enough are back");
        } else {
            log.warn("standbys: {} -> {}: {}", before, next, why);
        }
        Transition transition = new Transition(before, next, status());
        listeners.forEach(listener -> listener.changed(transition));
    }

    private String whoIsMissing() {
        StandbyNames names = policy.names();
        return policy.candidates(0) + " of " + names.count() + " required standbys can acknowledge (" + names
                + policy.obstacles() + ')';
    }

    private static String seconds(long nanos) {
        return nanos % TimeUnit.SECONDS.toNanos(1) == 0
                ? TimeUnit.NANOSECONDS.toSeconds(nanos) + "s"
                : TimeUnit.NANOSECONDS.toMillis(nanos) + "ms";
    }

    // Status.

    /** Returns the state. */
    public State state() {
        return state;
    }

    /** Returns how things stand. */
    public Status status() {
        State now = state;
        DegradedPeriod open = period;
        long nanos = clock.nanos();
        Next next = next(now, nanos);
        return new Status(
                now,
                reason,
                sinceMicros,
                (nanos - sinceNanos) / MICRO,
                open == null ? 0 : open.startLsn(),
                open == null ? 0 : Math.max(0, policy.localFlushedLsn() - policy.safeLsn()),
                transitions.get(),
                next.what(),
                next.inNanos() < 0 ? -1 : next.inNanos() / MICRO);
    }

    private record Next(String what, long inNanos) {
        static Next on(String event) {
            return new Next(event, -1);
        }
    }

    private Next next(State now, long nanos) {
        SynchronousConfig present = config;
        return switch (now) {
            case NORMAL ->
                present.names().isEmpty()
                        ? Next.on("commits are released with the local flush (synchronous_standby_names = '')")
                        : Next.on("commits are released when their standbys acknowledge");
            case WAITING ->
                present.unavailable() == Unavailable.HANG
                        ? Next.on("commits wait until enough standbys stream (standby_unavailable = hang)")
                        : new Next(
                                "the server degrades to " + SynchronousConfig.text(present.degradeTo())
                                        + " (standby_timeout)",
                                Math.max(0, present.timeoutNanos() - (nanos - sinceNanos)));
            case DEGRADED ->
                present.maxNanos() == 0
                        ? Next.on("degraded mode is left when enough standbys stream and have caught up")
                        : new Next(
                                "new commits " + SynchronousConfig.text(present.exhausted()) + " (degraded_max_time)",
                                Math.max(0, present.maxNanos() - (nanos - sinceNanos)));
            case EXHAUSTED ->
                Next.on(
                        present.exhausted() == Exhausted.FAIL
                                ? "new commits are refused until enough standbys stream (degraded_exhausted = fail)"
                                : "commits wait until enough standbys stream (degraded_exhausted = hang)");
            case RETURNING ->
                new Next(
                        "degraded mode is left once the standbys have caught up (degraded_return_delay)",
                        Math.max(0, present.returnNanos() - (nanos - returnNanos)));
        };
    }
}
