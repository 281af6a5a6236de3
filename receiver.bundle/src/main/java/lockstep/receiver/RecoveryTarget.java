package lockstep.receiver;

import java.time.DateTimeException;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.format.ResolverStyle;
import java.time.temporal.ChronoField;
import java.time.temporal.ChronoUnit;
import java.time.temporal.TemporalAccessor;
import java.time.temporal.TemporalQueries;
import java.util.Locale;
import lockstep.io.Clock;
import lockstep.redo.RedoStop;
import lockstep.transport.api.Lsn;
import lockstep.wal.CommitRecord;
import lockstep.wal.RestorePointRecord;
import lockstep.wal.WalRecord;

/**
 * Where recovery ends before the WAL does: PostgreSQL's {@code recovery_target_lsn}, {@code _time}, {@code _xid} and {@code _name}, at most one of them.
 *
 * <pre>
 *   target   inclusive: redo ends                                 otherwise: redo ends
 *   LSN      after the first record that begins at it or later    before that record
 *   TIME     before the first commit or abort later than it       before the first one at it or later
 *   XID      after the commit or abort of that transaction        before it
 *   NAME     after the restore point of that name                 (the same)
 * </pre>
 *
 * <p>Transactions do not end in the order of their ids, so all that ended before the one of an XID are part of the state. Nor do the
 * times of commit records rise strictly: the first one that is too late ends redo.
 */
sealed interface RecoveryTarget extends RedoStop {
    /** Returns the end of the WAL. */
    static RecoveryTarget none() {
        return new None();
    }

    /**
     * Returns whether WAL that ends at a position has reached the target although no record said so: what an LSN at the very end of
     * the WAL stands for is all of the WAL.
     */
    default boolean isReachedAtEnd(long endLsn) {
        return false;
    }

    /** No target. */
    record None() implements RecoveryTarget {
        @Override
        public boolean isReachedAtEnd(long endLsn) {
            return true;
        }

        @Override
        public String toString() {
            return "end of WAL";
        }
    }

    /** A position. */
    record AtLsn(long lsn, boolean inclusive) implements RecoveryTarget {
        @Override
        public boolean before(WalRecord next) {
            return !inclusive && Long.compareUnsigned(next.lsn(), lsn) >= 0;
        }

        @Override
        public boolean after(WalRecord redone) {
            return inclusive
                    ? Long.compareUnsigned(redone.lsn(), lsn) >= 0
                    : Long.compareUnsigned(redone.endLsn(), lsn) >= 0;
        }

        @Override
        public boolean isReachedAtEnd(long endLsn) {
            return Long.compareUnsigned(endLsn, lsn) >= 0;
        }

        @Override
        public String toString() {
            return "LSN " + Lsn.text(lsn);
        }
    }

    /** A time in microseconds since {@link Clock#EPOCH}. */
    record AtTime(long micros, boolean inclusive) implements RecoveryTarget {
        @Override
        public boolean before(WalRecord next) {
            if (!endsTransaction(next)) {
                return false;
            }
            long ended = CommitRecord.decode(next.data()).timeMicros();
            return inclusive ? ended > micros : ended >= micros;
        }

        @Override
        public String toString() {
            return "time " + Clock.EPOCH.plus(micros, ChronoUnit.MICROS);
        }
    }

    /** A transaction. */
    record AtXid(int xid, boolean inclusive) implements RecoveryTarget {
        @Override
        public boolean before(WalRecord next) {
            return !inclusive && isIt(next);
        }

        @Override
        public boolean after(WalRecord redone) {
            return inclusive && isIt(redone);
        }

        private boolean isIt(WalRecord record) {
            return record.xid() == xid && endsTransaction(record);
        }

        @Override
        public String toString() {
            return "transaction " + Integer.toUnsignedString(xid);
        }
    }

    /** A restore point. */
    record AtName(String name) implements RecoveryTarget {
        @Override
        public boolean after(WalRecord redone) {
            return RestorePointRecord.isRestorePoint(redone)
                    && RestorePointRecord.decode(redone.data()).name().equals(name);
        }

        @Override
        public String toString() {
            return "restore point \"" + name + '"';
        }
    }

    private static boolean endsTransaction(WalRecord record) {
        if (record.rmgr() != CommitRecord.RMGR) {
            return false;
        }
        int operation = record.info() & CommitRecord.OPERATION_MASK;
        return operation == CommitRecord.COMMIT || operation == CommitRecord.ABORT;
    }

    // Reading configured values.

    /** PostgreSQL's ISO form: the seconds may have a fraction, and the zone may be missing. */
    DateTimeFormatter TIME = new DateTimeFormatterBuilder()
            .parseCaseInsensitive()
            .appendPattern("uuuu-MM-dd[ ]['T']HH:mm[:ss]")
            .appendFraction(ChronoField.MICRO_OF_SECOND, 0, 6, true)
            .appendPattern("[ ][XXX][X][VV]")
            .toFormatter(Locale.ROOT)
            .withResolverStyle(ResolverStyle.STRICT);

    /**
     * Reads a position.
     *
     * @throws IllegalArgumentException if it is none
     */
    static RecoveryTarget lsn(String text, boolean inclusive) {
        return new AtLsn(Lsn.parse(text).value(), inclusive);
    }

    /**
     * Reads a time.
     *
     * @param zone counts if the text names none
     * @throws IllegalArgumentException if it is none
     */
    static RecoveryTarget time(String text, boolean inclusive, ZoneId zone) {
        try {
            TemporalAccessor read = TIME.parse(text.strip());
            ZoneId named = read.query(TemporalQueries.zone());
            ZonedDateTime time = ZonedDateTime.of(
                    read.query(TemporalQueries.localDate()),
                    read.query(TemporalQueries.localTime()),
                    named == null ? zone : named);
            return new AtTime(ChronoUnit.MICROS.between(Clock.EPOCH, time.toInstant()), inclusive);
        } catch (DateTimeException e) {
            throw new IllegalArgumentException(
                    '"' + text + "\" is no time: expected one such as 2026-05-01 12:00:00.25 UTC", e);
        }
    }

    /**
     * Reads a transaction id.
     *
     * @throws IllegalArgumentException if it is none
     */
    static RecoveryTarget xid(String text, boolean inclusive) {
        try {
            int xid = Integer.parseUnsignedInt(text.strip());
            if (xid != 0) {
                return new AtXid(xid, inclusive);
            }
        } catch (NumberFormatException e) {
            // The message below says it.
        }
        throw new IllegalArgumentException('"' + text + "\" is no transaction id: expected 1 to 4294967295");
    }

    /**
     * Reads a name.
     *
     * @throws IllegalArgumentException if no restore point can be called so
     */
    static RecoveryTarget name(String text) {
        RestorePointRecord.checkName(text);
        return new AtName(text);
    }
}
