package lockstep.simulation;

/** What shall have happened over all seeds: a simulation that never meets a fault proves nothing about it. */
enum Event {
    /** A commit was released to its client. */
    COMMIT_RELEASED,
    /** A commit was released before one that stands earlier in the log. */
    EARLY_RELEASE,
    /** A primary that came back had commits in doubt. */
    IN_DOUBT,
    /** A commit that no client had heard of became visible after a crash. */
    RECOVERED_UNANSWERED,
    /** A loss of power put in doubt again what had been released. */
    DOUBTED_AGAIN,
    /** The primary took a checkpoint. */
    CHECKPOINT,
    /** The standby took a restartpoint. */
    RESTARTPOINT,
    /** A segment was given the name of a later one. */
    SEGMENT_RECYCLED,
    /** The standby was built from a base backup. */
    BASE_BACKUP,
    /** A standby that was restarted went on with what it had. */
    BASE_BACKUP_NOT_NEEDED,
    /** A primary that lost WAL came back, and still had less than the standby. */
    CUT_BACK_PRIMARY_HAS_LESS,
    /** A primary that lost WAL came back, and had already written past what the standby held. */
    CUT_BACK_PRIMARY_HAS_MORE,
    /** A standby that others follow had cut its log back, and so did one of those. */
    CUT_BACK_CHAIN,
    /** A standby was built from a base backup of another. */
    BASE_BACKUP_FROM_STANDBY,
    /** A standby had more of the log than the one it follows, and waited for that to catch up. */
    WAITED_FOR_UPSTREAM,
    /** The primary had removed WAL that the standby needed. */
    WAL_REMOVED,
    /** A standby is rebuilt in place, from a new base backup. */
    REBUILD,
    /** A process was killed; its machine went on. */
    KILL,
    /** A machine lost its power, and with it what it had not flushed. */
    POWER_LOSS,
    /** A machine went between two blocks of one write. */
    CRASH_WITHIN_WRITE,
    /** A machine went before a flush that would have covered what it had written. */
    CRASH_BEFORE_SYNC,
    /** A server went while it recovered. */
    CRASH_DURING_RECOVERY,
    /** A block was on the disk in part only after a loss of power. */
    TORN_BLOCK,
    /** A later block was on the disk, and an earlier one was not. */
    BLOCKS_OUT_OF_ORDER,
    /** A flush failed. */
    SYNC_FAILED,
    /** The standby's disk was full for a while. */
    DISK_FULL,
    /** A server was stopped in good order. */
    ORDERLY_STOP,
    /** Redo was paused for a while. */
    REDO_PAUSED,
    /** A standby was asked to move to another endpoint. */
    MOVE_WISHED,
    /** A standby moved over to another session while the one before went on. */
    MOVED,
    /** A session broke. */
    SESSION_CUT,
    /** A session fell silent. */
    SESSION_SILENT,
    /** A bit changed on its way. */
    BIT_FLIPPED,
    /** Nobody could connect for a while. */
    NETWORK_DOWN,
    /** The primary went into degraded mode. */
    DEGRADED,
    /** The primary left degraded mode. */
    DEGRADED_LEFT,
    /** A commit was refused. */
    COMMIT_REFUSED,
    /** A limit of degraded mode was passed. */
    DEGRADED_EXHAUSTED,
    /** A commit was told that it is on the primary only, and so it was. */
    LOCAL_ONLY,
    /** A primary that was lost went on for a while, cut off from everybody. */
    PRIMARY_CUT_OFF,
    /** A standby became a primary. */
    PROMOTED,
    /** A standby was promoted although it was known to lack commits. */
    PROMOTION_FORCED,
    /** A standby crashed while it was promoted. */
    CRASH_DURING_PROMOTION,
    /** An old primary had nothing that the new one had not, and followed it. */
    OLD_PRIMARY_FOLLOWS,
    /** An old primary had less of the log than the new one. */
    OLD_PRIMARY_HAS_LESS,
    /** An old primary had more, and was refused. */
    OLD_PRIMARY_REFUSED,
    /** An old primary was rewound. */
    OLD_PRIMARY_REWOUND,
    /** An old primary could not be rewound, and took a base backup. */
    OLD_PRIMARY_REBUILT,
    /** Of a primary and a copy of it, the primary was fenced. */
    ORIGINAL_FENCED,
    /** Of a primary and a copy of it, the copy was fenced. */
    COPY_FENCED
}
