package lockstep.bench;

import java.util.Locale;
import org.HdrHistogram.Histogram;

/** How long something took, many times. */
final class Latencies {
    private static final int DIGITS = 3;
    private final Histogram nanos = new Histogram(DIGITS);
    private final long startedNanos = System.nanoTime();
    private long endedNanos;

    void add(long tookNanos) {
        nanos.recordValue(tookNanos);
        endedNanos = System.nanoTime();
    }

    /** Takes in what another has. */
    void add(Latencies other) {
        nanos.add(other.nanos);
    }

    double p50Micros() {
        return nanos.getValueAtPercentile(50) / 1000.0;
    }

    double p99Micros() {
        return nanos.getValueAtPercentile(99) / 1000.0;
    }

    double perSecond() {
        return nanos.getTotalCount() * 1e9 / (endedNanos - startedNanos);
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT, "%9.0f /s   p50 %7.0f us   p99 %7.0f us", perSecond(), p50Micros(), p99Micros());
    }
}
