package lockstep.wal;

/** The kinds of record of the resource manager XLOG, those about the log itself; PostgreSQL's {@code catalog/pg_control.h}. */
public final class XlogInfo {
    /** The id of the resource manager. */
    public static final int RMGR = 0;

    /** A {@link CheckpointRecord} before a shutdown: no WAL follows it in this life of the server. */
    public static final int CHECKPOINT_SHUTDOWN = 0x00;

    /** A {@link CheckpointRecord} of a running server. */
    public static final int CHECKPOINT_ONLINE = 0x10;

    /** Says nothing; any data. */
    public static final int NOOP = 0x20;

    /** The object ids given out so far, a four-byte one. */
    public static final int NEXT_OID = 0x30;

    /** Ends its segment: the rest of it is zeros, page headers too. Has no data. */
    public static final int SWITCH = 0x40;

    /** The end of a backup: the LSN where it began. */
    public static final int BACKUP_END = 0x50;

    /** Settings of the server that a standby must match. */
    public static final int PARAMETER_CHANGE = 0x60;

    /** A named point to recover to: time in eight bytes, name in 64. */
    public static final int RESTORE_POINT = 0x70;

    /** Whether full-page images are written from here on: one byte. */
    public static final int FULL_PAGE_WRITES_CHANGE = 0x80;

    /** Begins a timeline: time in eight bytes, new and previous timeline in four each. */
    public static final int END_OF_RECOVERY = 0x90;

    /** A page image that is needed only for hint bits. */
    public static final int FULL_PAGE_IMAGE_FOR_HINT = 0xA0;

    /** A page image. */
    public static final int FULL_PAGE_IMAGE = 0xB0;

    /** Begins WAL that overwrites a record of which only a part had been written: its LSN, and the time. */
    public static final int OVERWRITE_CONTINUATION = 0xD0;

    private XlogInfo() {}

    /** Returns whether a record ends its segment. */
    static boolean isSwitch(int rmgr, int info) {
        return rmgr == RMGR && (info & RecordHeader.RMGR_INFO_MASK) == SWITCH;
    }
}
