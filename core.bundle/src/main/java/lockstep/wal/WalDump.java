package lockstep.wal;

import java.nio.ByteBuffer;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import lockstep.io.Clock;
import lockstep.transport.api.Lsn;

/**
 * Shows records as {@code pg_waldump} does, a line each. Described are the records about the log itself and about the end
 * of transactions, and those of the resource managers that are here; of PostgreSQL's others, whose data only it
 * understands, the line shows the header.
 *
 * <p>Two things differ from {@code pg_waldump}: times are in UTC, and page images count as part of the record's length.
 */
public final class WalDump {
    /** What is known of custom resource managers. */
    public interface CustomRmgrs {
        /** Returns the name of the one with an id, if it is here. */
        Optional<String> name(int rmgr);

        /** Describes a record of one that is here. */
        String describe(WalRecord record);
    }

    private static final List<String> RMGR_NAMES = List.of(
            "XLOG",
            "Transaction",
            "Storage",
            "CLOG",
            "Database",
            "Tablespace",
            "MultiXact",
            "RelMap",
            "Standby",
            "Heap2",
            "Heap",
            "Btree",
            "Hash",
            "Gin",
            "Gist",
            "Sequence",
            "SPGist",
            "BRIN",
            "CommitTs",
            "ReplicationOrigin",
            "Generic",
            "LogicalMessage");

    private static final int STANDBY_RMGR = 8;
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSSSSS 'UTC'", Locale.ROOT);

    private final CustomRmgrs custom;

    /** Makes one that asks {@code custom} about ids from 128 on. */
    public WalDump(CustomRmgrs custom) {
        this.custom = custom;
    }

    /** Returns the name of a resource manager of PostgreSQL, and {@code custom128} and the like for others. */
    public static String rmgrName(int rmgr) {
        return rmgr < RMGR_NAMES.size() ? RMGR_NAMES.get(rmgr) : String.format(Locale.ROOT, "custom%03d", rmgr);
    }

    /** Returns the line for a record. */
    public String line(WalRecord record) {
        return String.format(
                        Locale.ROOT,
                        "rmgr: %-11s len (rec/tot): %6d/%6d, tx: %10s, lsn: %s, prev %s, desc: %s",
                        rmgr(record),
                        record.totalBytes(),
                        record.totalBytes(),
                        Integer.toUnsignedString(record.xid()),
                        paddedLsn(record.lsn()),
                        paddedLsn(record.prevLsn()),
                        description(record))
                .stripTrailing();
    }

    /** Returns the name of a record's resource manager. */
    public String rmgr(WalRecord record) {
        return customName(record).orElse(rmgrName(record.rmgr()));
    }

    /** Returns what a record says. */
    public String description(WalRecord record) {
        return (customName(record).isPresent() ? custom.describe(record) : describe(record)).stripTrailing();
    }

    private Optional<String> customName(WalRecord record) {
        return record.rmgr() < RMGR_NAMES.size() ? Optional.empty() : custom.name(record.rmgr());
    }

    /** Returns what a record of PostgreSQL's own resource managers, or of one that is not here, says. */
    private static String describe(WalRecord record) {
        String kind = kind(record.rmgr(), record.info());
        if (record.rmgr() >= RMGR_NAMES.size()) {
            return kind + " rmid: " + record.rmgr();
        }
        String detail;
        try {
            detail = detail(record);
        } catch (RuntimeException e) {
            // The record's CRC is good, so whoever wrote it had another idea of its data; the other lines still count.
            detail = "(unreadable data: " + e + ')';
        }
        return kind + ' ' + detail;
    }

    private static String kind(int rmgr, int info) {
        String name = switch (rmgr) {
            case XlogInfo.RMGR -> xlogKind(info);
            case CommitRecord.RMGR -> transactionKind(info & CommitRecord.OPERATION_MASK);
            case STANDBY_RMGR -> standbyKind(info);
            default -> "";
        };
        return name.isEmpty() ? "UNKNOWN (" + Integer.toHexString(info) + ')' : name;
    }

    private static String xlogKind(int info) {
        return switch (info) {
            case XlogInfo.CHECKPOINT_SHUTDOWN -> "CHECKPOINT_SHUTDOWN";
            case XlogInfo.CHECKPOINT_ONLINE -> "CHECKPOINT_ONLINE";
            case XlogInfo.NOOP -> "NOOP";
            case XlogInfo.NEXT_OID -> "NEXTOID";
            case XlogInfo.SWITCH -> "SWITCH";
            case XlogInfo.BACKUP_END -> "BACKUP_END";
            case XlogInfo.PARAMETER_CHANGE -> "PARAMETER_CHANGE";
            case XlogInfo.RESTORE_POINT -> "RESTORE_POINT";
            case XlogInfo.FULL_PAGE_WRITES_CHANGE -> "FPW_CHANGE";
            case XlogInfo.END_OF_RECOVERY -> "END_OF_RECOVERY";
            case XlogInfo.FULL_PAGE_IMAGE_FOR_HINT -> "FPI_FOR_HINT";
            case XlogInfo.FULL_PAGE_IMAGE -> "FPI";
            case XlogInfo.OVERWRITE_CONTINUATION -> "OVERWRITE_CONTRECORD";
            default -> "";
        };
    }

    private static String transactionKind(int operation) {
        return switch (operation) {
            case CommitRecord.COMMIT -> "COMMIT";
            case 0x10 -> "PREPARE";
            case CommitRecord.ABORT -> "ABORT";
            case 0x30 -> "COMMIT_PREPARED";
            case 0x40 -> "ABORT_PREPARED";
            case 0x50 -> "ASSIGNMENT";
            case 0x60 -> "INVALIDATION";
            default -> "";
        };
    }

    private static String standbyKind(int info) {
        return switch (info) {
            case 0x00 -> "LOCK";
            case 0x10 -> "RUNNING_XACTS";
            case 0x20 -> "INVALIDATIONS";
            default -> "";
        };
    }

    private static String detail(WalRecord record) {
        ByteBuffer data = record.data();
        if (record.rmgr() == CommitRecord.RMGR) {
            int operation = record.info() & CommitRecord.OPERATION_MASK;
            boolean ends = operation == CommitRecord.COMMIT || operation == CommitRecord.ABORT;
            return ends ? time(CommitRecord.decode(data).timeMicros()) : "";
        }
        if (record.rmgr() != XlogInfo.RMGR) {
            return "";
        }
        return switch (record.info()) {
            case XlogInfo.CHECKPOINT_SHUTDOWN -> checkpoint(CheckpointRecord.decode(data), "shutdown");
            case XlogInfo.CHECKPOINT_ONLINE -> checkpoint(CheckpointRecord.decode(data), "online");
            case XlogInfo.NOOP -> LogNote.read(record).orElse("");
            case XlogInfo.NEXT_OID -> Integer.toUnsignedString(data.getInt());
            case XlogInfo.BACKUP_END -> Lsn.text(data.getLong());
            case XlogInfo.RESTORE_POINT -> RestorePointRecord.decode(data).name();
            case XlogInfo.FULL_PAGE_WRITES_CHANGE -> Boolean.toString(data.get() != 0);
            case XlogInfo.END_OF_RECOVERY -> endOfRecovery(data);
            case XlogInfo.OVERWRITE_CONTINUATION ->
                "lsn " + Lsn.text(data.getLong()) + "; time " + time(data.getLong());
            default -> "";
        };
    }

    private static String checkpoint(CheckpointRecord checkpoint, String kind) {
        return "redo " + Lsn.text(checkpoint.redoLsn())
                + "; tli " + text(checkpoint.timeline())
                + "; prev tli " + text(checkpoint.previousTimeline())
                + "; fpw " + checkpoint.fullPageWrites()
                + "; xid " + (checkpoint.nextXid() >>> Integer.SIZE) + ':' + text((int) checkpoint.nextXid())
                + "; oid " + text(checkpoint.nextOid())
                + "; multi " + text(checkpoint.nextMulti())
                + "; offset " + text(checkpoint.nextMultiOffset())
                + "; oldest xid " + text(checkpoint.oldestXid())
                + " in DB " + text(checkpoint.oldestXidDatabase())
                + "; oldest multi " + text(checkpoint.oldestMulti())
                + " in DB " + text(checkpoint.oldestMultiDatabase())
                + "; oldest/newest commit timestamp xid: " + text(checkpoint.oldestCommitXid())
                + '/' + text(checkpoint.newestCommitXid())
                + "; oldest running xid " + text(checkpoint.oldestRunningXid())
                + "; " + kind;
    }

    private static String endOfRecovery(ByteBuffer data) {
        EndOfRecoveryRecord record = EndOfRecoveryRecord.decode(data);
        return "tli " + text(record.timeline()) + "; prev tli " + text(record.previousTimeline()) + "; time "
                + time(record.timeMicros());
    }

    private static String time(long micros) {
        return Clock.EPOCH
                .plus(micros, ChronoUnit.MICROS)
                .atOffset(ZoneOffset.UTC)
                .format(TIME);
    }

    /** Here, and only here, PostgreSQL pads the lower half. */
    private static String paddedLsn(long lsn) {
        return String.format(Locale.ROOT, "%X/%08X", lsn >>> Integer.SIZE, lsn & 0xFFFF_FFFFL);
    }

    private static String text(int unsigned) {
        return Integer.toUnsignedString(unsigned);
    }
}
