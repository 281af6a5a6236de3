package lockstep.shell.command;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import java.util.zip.DataFormatException;
import lockstep.commit.CommitLevel;
import lockstep.commit.CommitOutcome;
import lockstep.commit.NotPrimaryException;
import lockstep.commit.PendingCommit;
import lockstep.kv.KeyValueStore;
import lockstep.kv.Transaction;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.Recorder;

/**
 * Commits one record after the other, each in a transaction of its own, and measures.
 *
 * <p><b>Idea.</b> A client keeps a window of commits that are on their way. It fills the window, waits for the oldest, and
 * takes out all that are acknowledged by then. Commits of one level are acknowledged in LSN order, so the oldest is
 * always the first, and a ring does for the window. A client that waits for each commit is a window of one; thousands of
 * outstanding commits are one client with a large window. Completion callbacks would do the same with three objects more
 * per commit, and would have to write the acknowledgements on the thread that releases everybody's commits.
 *
 * <p><b>Time.</b> A latency runs from before the commit is put into the WAL to when its client has seen the
 * acknowledgement, as any client would measure it.
 *
 * <p><b>The end</b> comes with the last record, after the time given, or with the first failure. What is in flight then is
 * waited for: after the last record until it is acknowledged, otherwise for as long as its user has patience. What that, or an interruption,
 * leaves behind is counted as in doubt.
 *
 * <p>Threads: a load is run once, by one thread; its clients have a thread each, {@code load-1} and so on, which have
 * ended when {@link #run} returns.
 */
final class Load {
    static final double MEDIAN = 50;
    static final double P99 = 99;
    static final double P999 = 99.9;

    private static final long MAX_LATENCY_NANOS = TimeUnit.HOURS.toNanos(1);
    private static final int LATENCY_DIGITS = 3;
    private static final int MAX_LINE_BYTES = 20;
    private static final int RADIX = 10;
    private static final double NANOS_PER_MICRO = 1000;
    private static final double NANOS_PER_SECOND = 1e9;

    /**
     * What to do.
     *
     * @param level empty for the default level
     * @param acked gets the number of a record and a newline, in one write, after each acknowledgement
     * @param clients how many threads commit
     * @param window how many commits of a client may be on their way
     * @param nanos after what time to stop
     * @param patienceNanos how long after the end what is in flight is waited for
     * @param goesOn whether what this server refuses, because it is not the primary any more, is committed at another one
     */
    record Plan(
            KeyValueStore store,
            Optional<CommitLevel> level,
            Records records,
            OutputStream acked,
            int clients,
            int window,
            long nanos,
            long patienceNanos,
            boolean goesOn) {}

    /**
     * How it went.
     *
     * @param commits acknowledged commits
     * @param failed commits that were refused
     * @param localOnly acknowledged commits that got less than they asked for
     * @param inDoubt commits that were not waited for, because the load was interrupted or had ended
     * @param bytes the size of the values acknowledged
     * @param latencies of acknowledged commits, in nanoseconds
     */
    record Result(
            long commits, long localOnly, long failed, long inDoubt, long bytes, long nanos, Histogram latencies) {
        private static final int FIGURES = 6;

        /** Returns this and what has been measured at another server, as one. */
        Result and(Result other) {
            Histogram all = latencies.copy();
            all.add(other.latencies);
            return new Result(
                    commits + other.commits,
                    localOnly + other.localOnly,
                    failed + other.failed,
                    inDoubt + other.inDoubt,
                    bytes + other.bytes,
                    nanos + other.nanos,
                    all);
        }

        /** Returns what {@link #parse} reads: the figures and the histogram, in one word. */
        String text() {
            ByteBuffer buffer = ByteBuffer.allocate(FIGURES * Long.BYTES + latencies.getNeededByteBufferCapacity());
            buffer.putLong(commits).putLong(localOnly).putLong(failed);
            buffer.putLong(inDoubt).putLong(bytes).putLong(nanos);
            // The histogram writes where its own buffer begins.
            ByteBuffer packed = ByteBuffer.allocate(latencies.getNeededByteBufferCapacity());
            int length = latencies.encodeIntoCompressedByteBuffer(packed);
            buffer.put(packed.array(), 0, length).flip();
            byte[] text = new byte[buffer.remaining()];
            buffer.get(text);
            return Base64.getUrlEncoder().withoutPadding().encodeToString(text);
        }

        /**
         * Reads {@link #text}.
         *
         * @throws IllegalArgumentException if it is something else
         */
        static Result parse(String text) {
            ByteBuffer buffer = ByteBuffer.wrap(Base64.getUrlDecoder().decode(text));
            if (buffer.remaining() < FIGURES * Long.BYTES) {
                throw new IllegalArgumentException("expected what a load has measured, found \"" + text + '"');
            }
            long[] figures = new long[FIGURES];
            buffer.asLongBuffer().get(figures);
            // The histogram reads from where the array begins.
            ByteBuffer packed =
                    ByteBuffer.wrap(Arrays.copyOfRange(buffer.array(), FIGURES * Long.BYTES, buffer.capacity()));
            try {
                int at = 0;
                return new Result(
                        figures[at++],
                        figures[at++],
                        figures[at++],
                        figures[at++],
                        figures[at++],
                        figures[at],
                        Histogram.decodeFromCompressedByteBuffer(packed, MAX_LATENCY_NANOS));
            } catch (DataFormatException e) {
                throw new IllegalArgumentException("what a load has measured cannot be read: " + e.getMessage(), e);
            }
        }

        double seconds() {
            return nanos / NANOS_PER_SECOND;
        }

        double commitsPerSecond() {
            return nanos == 0 ? 0 : commits / seconds();
        }

        double bytesPerCommit() {
            return commits == 0 ? 0 : (double) bytes / commits;
        }

        double micros(double percentile) {
            return commits == 0 ? 0 : latencies.getValueAtPercentile(percentile) / NANOS_PER_MICRO;
        }
    }

    /** Hears how it goes, every second, on the thread that runs the load. */
    interface Progress {
        /**
         * Called with the last second.
         *
         * @param commits how many have been acknowledged since the start
         * @param oldest a commit that is waited for, if there is one
         */
        void tick(Result lastSecond, long commits, Optional<PendingCommit> oldest);
    }

    private final Plan plan;
    private final Recorder recorder = new Recorder(MAX_LATENCY_NANOS, LATENCY_DIGITS);
    private final List<Client> clients = new ArrayList<>();
    private final CountDownLatch running;
    private final LongAdder commits = new LongAdder();
    private final LongAdder failed = new LongAdder();
    private final LongAdder localOnly = new LongAdder();
    private final LongAdder inDoubt = new LongAdder();
    private final LongAdder bytes = new LongAdder();
    private final AtomicReference<Exception> failure = new AtomicReference<>();
    private volatile long endNanos;
    private boolean interrupted;

    Load(Plan plan) {
        this.plan = plan;
        running = new CountDownLatch(plan.clients());
        for (int i = 1; i <= plan.clients(); i++) {
            clients.add(new Client("load-" + i));
        }
    }

    /** Returns what ended the load before its time. */
    Optional<Exception> failure() {
        return Optional.ofNullable(failure.get());
    }

    /** Returns whether the thread that ran the load was interrupted. */
    boolean wasInterrupted() {
        return interrupted;
    }

    /** Runs the load. If the calling thread is interrupted, the clients are, and this returns. */
    Result run(Progress progress) {
        long started = System.nanoTime();
        endNanos = started + plan.nanos();
        clients.forEach(client -> client.thread.start());
        Histogram all = new Histogram(MAX_LATENCY_NANOS, LATENCY_DIGITS);
        Histogram interval = null;
        Result before = result(0, all);
        boolean ended = false;
        while (!ended) {
            try {
                ended = running.await(1, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                interrupted = true;
                end();
                clients.forEach(client -> client.thread.interrupt());
            }
            if (System.nanoTime() - endNanos > plan.patienceNanos()) {
                clients.forEach(client -> client.thread.interrupt());
            }
            interval = recorder.getIntervalHistogram(interval);
            all.add(interval);
            Result now = result(System.nanoTime() - started, all);
            if (!ended && !interrupted) {
                progress.tick(difference(before, now, interval), now.commits(), oldest());
            }
            before = now;
        }
        return before;
    }

    private Result result(long nanos, Histogram latencies) {
        return new Result(commits.sum(), localOnly.sum(), failed.sum(), inDoubt.sum(), bytes.sum(), nanos, latencies);
    }

    private static Result difference(Result before, Result now, Histogram interval) {
        return new Result(
                now.commits() - before.commits(),
                now.localOnly() - before.localOnly(),
                now.failed() - before.failed(),
                now.inDoubt(),
                now.bytes() - before.bytes(),
                now.nanos() - before.nanos(),
                interval);
    }

    private Optional<PendingCommit> oldest() {
        return clients.stream()
                .map(client -> client.waitedFor)
                .filter(Objects::nonNull)
                .findFirst();
    }

    private void fail(Exception cause) {
        failure.compareAndSet(null, cause);
        end();
    }

    /** Has no client begin another commit. */
    private synchronized void end() {
        long now = System.nanoTime();
        if (now - endNanos < 0) {
            endNanos = now;
        }
    }

    /** Commits, in a thread of its own. */
    private final class Client {
        private final Thread thread;
        private final Records.Item item = new Records.Item();
        private final byte[] line = new byte[MAX_LINE_BYTES];

        /** The window: what was committed {@code head}-th to {@code tail}-th. */
        private final PendingCommit[] pending = new PendingCommit[plan.window()];

        private final long[] startNanos = new long[plan.window()];
        private final long[] numbers = new long[plan.window()];
        private final int[] valueBytes = new int[plan.window()];
        private long head;
        private long tail;

        private volatile PendingCommit waitedFor;

        Client(String name) {
            thread = new Thread(this::work, name);
            thread.setDaemon(true);
        }

        private void work() {
            try {
                while (takeNext()) {
                    commit();
                    while (head < tail && (tail - head == plan.window() || pending[slot(head)].isAcknowledged())) {
                        takeAcknowledged();
                    }
                }
                while (head < tail) {
                    takeAcknowledged();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (IOException | RuntimeException e) {
                fail(e);
            } finally {
                inDoubt.add(tail - head);
                running.countDown();
            }
        }

        private boolean takeNext() {
            try {
                return System.nanoTime() - endNanos < 0 && plan.records().next(item);
            } catch (IOException | RuntimeException e) {
                fail(e);
                return false;
            }
        }

        private void commit() {
            long started = System.nanoTime();
            PendingCommit commit;
            try {
                Transaction transaction = plan.store().begin().put(item.key, item.value);
                commit = plan.level().isPresent()
                        ? transaction.commit(plan.level().get())
                        : transaction.commit();
            } catch (RuntimeException e) {
                // What a server that hands over does not take is committed where the load goes on.
                if (!(plan.goesOn() && e instanceof NotPrimaryException)) {
                    failed.increment();
                }
                fail(e);
                return;
            }
            int slot = slot(tail);
            pending[slot] = commit;
            startNanos[slot] = started;
            numbers[slot] = item.number;
            valueBytes[slot] = item.value.length;
            tail++;
        }

        private int slot(long index) {
            return (int) (index % plan.window());
        }

        /** Waits for the oldest commit, and takes out all that are acknowledged then. */
        private void takeAcknowledged() throws InterruptedException, IOException {
            PendingCommit oldest = pending[slot(head)];
            waitedFor = oldest;
            while (!oldest.await(TimeUnit.HOURS.toNanos(1))) {
                // It is the user who decides how long is too long.
                if (oldest.isAbandoned()) {
                    throw new IllegalStateException(oldest.outcome().detail());
                }
            }
            waitedFor = null;
            long now = System.nanoTime();
            while (head < tail && pending[slot(head)].isAcknowledged()) {
                int slot = slot(head);
                plan.acked().write(line, 0, writeLine(numbers[slot]));
                recorder.recordValue(Math.min(now - startNanos[slot], MAX_LATENCY_NANOS));
                if (pending[slot].outcome() instanceof CommitOutcome.LocalOnly) {
                    localOnly.increment();
                }
                pending[slot] = null;
                head++;
                commits.increment();
                bytes.add(valueBytes[slot]);
            }
        }

        private int writeLine(long number) {
            int length = 1;
            for (long rest = number; rest >= RADIX; rest /= RADIX) {
                length++;
            }
            long left = number;
            for (int i = length - 1; i >= 0; i--) {
                line[i] = (byte) ('0' + left % RADIX);
                left /= RADIX;
            }
            line[length] = '\n';
            return length + 1;
        }
    }
}
