package lockstep.simulation;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import lockstep.io.Clock;
import lockstep.io.Step;
import lockstep.io.Worker;
import lockstep.io.Workers;

/**
 * Runs the steps of all workers of all machines in one thread, in an order that the seed decides, and moves the clock: a little
 * with each step, and to the next alarm when nobody has anything to do.
 *
 * <p>A step that pauses has others run on top of it, and goes on when these have returned. Those on the stack are never begun
 * again; nor is one that would wait for a lock that one of them holds ({@link #TAKES_TURNS}). Nor is a step that itself waits for others, such as a checkpoint, begun on top of another one of its machine: the one
 * below could not go on for as long as the one above waits for it.
 */
final class SimScheduler implements Clock {
    private static final int MAX_STEP_NANOS = 20_000;
    private static final int MAX_PAUSES = 200_000;

    /** The name of workers that a lock keeps from running at the same time, if they are of one machine. */
    static final String TAKES_TURNS = "session, in turn";

    private static final Set<String> WAITING =
            Set.of("checkpointer", "degraded-mode", "checkpoint", "commit", "switch");

    private final SplittableRandom random;
    private final List<SimWorker> workers = new ArrayList<>();
    private final List<SimWorker> ready = new ArrayList<>();
    private final Deque<SimWorker> stack = new ArrayDeque<>();
    private long nanos;
    private int pauses;

    SimScheduler(SplittableRandom random) {
        this.random = random;
    }

    @Override
    public long nanos() {
        return nanos;
    }

    @Override
    public long micros() {
        return 800_000_000_000_000L + nanos / 1000;
    }

    /** Runs a step that is ready. If there is none, goes to the next alarm before {@code limit}; returns false if there is none either. */
    boolean runOne(long limit) {
        ready.clear();
        long next = Long.MAX_VALUE;
        for (SimWorker worker : workers) {
            if (mayBegin(worker)) {
                if (worker.woken || worker.wakeNanos <= nanos) {
                    ready.add(worker);
                } else {
                    next = Math.min(next, worker.wakeNanos);
                }
            }
        }
        if (!ready.isEmpty()) {
            ready.get(random.nextInt(ready.size())).run();
            return true;
        }
        if (next >= limit) {
            return false;
        }
        nanos = next;
        return true;
    }

    private boolean mayBegin(SimWorker worker) {
        if (worker.running) {
            return false;
        }
        for (SimWorker below : stack) {
            if (below.machine == worker.machine
                    && ((worker.waits() && below.waits()) || (worker.takesTurns() && below.takesTurns()))) {
                return false;
            }
        }
        return true;
    }

    @Override
    public String toString() {
        return "at " + nanos + " ns: " + workers;
    }

    /** A new process. */
    Machine machine(String name) {
        return new Machine(name);
    }

    /** Runs a step once, now. */
    void runNow(Machine machine, String name, Step step) {
        new SimWorker(machine, name, step).run();
    }

    /** Lets time pass in which everybody does what is to be done. */
    void runFor(long duration) {
        long limit = nanos + duration;
        while (nanos < limit && runOne(limit)) {
            // Each has had its turn.
        }
        nanos = Math.max(nanos, limit);
    }

    private void pause(Machine machine, long duration) {
        machine.requireAlive();
        if (++pauses > MAX_PAUSES) {
            throw new AssertionError("everybody waits: " + stack);
        }
        long limit = nanos + duration;
        for (int i = random.nextInt(3); i >= 0 && nanos < limit; i--) {
            if (!runOne(limit)) {
                nanos = limit;
            }
        }
        machine.requireAlive();
    }

    /** The threads of one process: they end all at once. */
    final class Machine implements Workers {
        private final String name;
        private boolean ended;

        Machine(String name) {
            this.name = name;
        }

        @Override
        public Worker start(String workerName, Step step) {
            requireAlive();
            SimWorker worker = new SimWorker(this, workerName, step);
            workers.add(worker);
            return worker;
        }

        @Override
        public void pause(long duration) {
            SimScheduler.this.pause(this, duration);
        }

        boolean isAlive() {
            return !ended;
        }

        void requireAlive() {
            if (ended) {
                throw new SimCrash(name);
            }
        }

        void end() {
            ended = true;
            workers.removeIf(worker -> worker.machine == this);
        }
    }

    private final class SimWorker implements Worker {
        private final Machine machine;
        private final String name;
        private final Step step;
        private boolean woken = true;
        private long wakeNanos = Long.MAX_VALUE;
        private boolean running;

        SimWorker(Machine machine, String name, Step step) {
            this.machine = machine;
            this.name = name;
            this.step = step;
        }

        boolean takesTurns() {
            return name.equals(TAKES_TURNS);
        }

        boolean waits() {
            return WAITING.contains(name) || name.startsWith("wal-sender");
        }

        void run() {
            nanos += 1 + random.nextInt(MAX_STEP_NANOS);
            woken = false;
            running = true;
            if (stack.isEmpty()) {
                pauses = 0;
            }
            stack.push(this);
            try {
                long sleep = step.run();
                wakeNanos = sleep == Step.UNTIL_WOKEN ? Long.MAX_VALUE : nanos + sleep;
            } catch (SimCrash e) {
                if (!machine.ended) {
                    throw e;
                }
            } catch (Exception e) {
                throw new AssertionError(this + " ended by a defect", e);
            } finally {
                stack.pop();
                running = false;
            }
        }

        @Override
        public void wake() {
            woken = true;
        }

        @Override
        public void close() {
            workers.remove(this);
        }

        @Override
        public String toString() {
            return machine.name
                    + '/'
                    + name
                    + (running
                            ? " running"
                            : woken ? " woken" : wakeNanos == Long.MAX_VALUE ? "" : " until " + wakeNanos);
        }
    }
}
