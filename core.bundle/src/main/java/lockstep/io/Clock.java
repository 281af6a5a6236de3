package lockstep.io;

import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** What time it is. */
public interface Clock {
    /** The start of PostgreSQL's time, from which timestamps in WAL and messages count. */
    Instant EPOCH = Instant.parse("2000-01-01T00:00:00Z");

    /** The clock of this machine. */
    Clock SYSTEM = new Clock() {
        @Override
        public long nanos() {
            return System.nanoTime();
        }

        @Override
        public long micros() {
            return EPOCH.until(Instant.now(), ChronoUnit.MICROS);
        }
    };

    /** Returns nanoseconds since some moment; for measuring how long something took. Never goes back. */
    long nanos();

    /** Returns microseconds since {@link #EPOCH}; for timestamps. */
    long micros();
}
