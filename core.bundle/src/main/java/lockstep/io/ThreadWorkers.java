package lockstep.io;

import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Workers with a daemon thread each. */
public final class ThreadWorkers implements Workers {
    private static final Logger log = LoggerFactory.getLogger(ThreadWorkers.class);

    @Override
    public Worker start(String name, Step step) {
        ThreadWorker worker = new ThreadWorker(name, step);
        worker.thread.start();
        return worker;
    }

    @Override
    public void pause(long nanos) {
        LockSupport.parkNanos(this, nanos);
    }

    /**
     * Sleeps by parking. {@code asleep} is set before the last look for work, and whoever makes work clears it after
     * making it: one of the two sees the other, so no wake-up is lost, and a busy worker costs its wakers one read.
     */
    private static final class ThreadWorker implements Worker {
        private final Thread thread;
        private final Step step;
        private volatile boolean asleep;
        private volatile boolean closed;

        ThreadWorker(String name, Step step) {
            this.step = step;
            thread = new Thread(this::work, name);
            thread.setDaemon(true);
        }

        private void work() {
            try {
                long sleepNanos = Step.AGAIN;
                while (!closed) {
                    sleepNanos = step.run();
                    if (sleepNanos > 0 && !closed) {
                        asleep = true;
                        sleepNanos = step.run();
                        if (sleepNanos > 0 && asleep && !closed) {
                            LockSupport.parkNanos(this, sleepNanos);
                        }
                        asleep = false;
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (Exception | AssertionError e) {
                if (!closed) {
                    log.error("{} ended by a defect", thread.getName(), e);
                }
            }
        }

        @Override
        public void wake() {
            if (asleep) {
                asleep = false;
                LockSupport.unpark(thread);
            }
        }

        @Override
        public void close() {
            closed = true;
            LockSupport.unpark(thread);
            if (Thread.currentThread() == thread) {
                return;
            }
            boolean interrupted = false;
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
