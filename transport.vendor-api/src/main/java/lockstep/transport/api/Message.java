package lockstep.transport.api;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * What two servers say to each other. A standby opens the session and asks ({@link StartReplication} or {@link
 * BaseBackupRequest}); the server that has the WAL answers and then sends.
 *
 * <pre>
 *   standby                                    primary
 *   BaseBackupRequest            →
 *                                ←             BackupStarted, (BackupFile, BackupData…)…, BackupEnded
 *   DownstreamStatus             →
 *   SessionSuccession            →             only if another session of this standby goes on meanwhile
 *   StartReplication             →
 *                                ←             ReplicationStarted, or Refusal and the end of the session
 *                                ←             DegradedRange, WalData, Keepalive…, MoveRequest
 *   StandbyStatus, StandbyReason, DownstreamStatus, MoveRefused →
 *                                ←             SwitchoverRequest
 *   SwitchoverAnswer             →
 *                                ←             TakeOver, after the last WAL
 *   TookOver, or SwitchoverAnswer →
 * </pre>
 *
 * <p>Positions are LSNs ({@link Lsn}): that of a first byte, or of the last byte plus one. Times are microseconds since
 * 2000-01-01 00:00 UTC, as in PostgreSQL's protocol. Buffers are read from their position to their limit, which the
 * reader leaves as they are.
 */
public sealed interface Message {
    /**
     * Asks for WAL from a position on.
     *
     * @param standbyName what the primary calls this standby
     * @param slotName the replication slot that the primary keeps WAL with; empty for none
     * @param systemId the system the standby's WAL belongs to
     * @param timeline the timeline of the standby's last byte
     * @param epoch the epoch of the standby's last byte; 0 from a peer that gets only flushed WAL and knows no epochs
     * @param startLsn the end of the standby's valid WAL
     * @param newestTerm the newest term that the standby has heard of, from whomever; its epoch is 0 if the peer knows no epochs.
     *     A primary that hears of a newer timeline than its own, or of an epoch of its timeline that is not one of its own, is not
     *     the only one
     */
    record StartReplication(
            String standbyName, String slotName, long systemId, int timeline, int epoch, long startLsn, Term newestTerm)
            implements Message {}

    /**
     * Agrees to send WAL.
     *
     * @param segmentBytes the size of the primary's WAL segments
     * @param startLsn where the sent WAL begins: the position asked for, or an earlier one when the standby holds bytes
     *     that are not part of this log. The standby cuts its WAL back to it before it stores anything.
     * @param flushedLsn how far the primary has flushed
     * @param epochs the primary's epochs, oldest first; the last is the present one
     * @param history the text of the timeline's history file, in PostgreSQL's form; empty for timeline 1
     */
    record ReplicationStarted(
            long systemId,
            int timeline,
            int segmentBytes,
            long startLsn,
            long flushedLsn,
            List<Epoch> epochs,
            String history)
            implements Message {
        /** Copies the list. */
        public ReplicationStarted {
            epochs = List.copyOf(epochs);
        }
    }

    /**
     * A piece of WAL, cut anywhere. Pieces follow each other without a gap.
     *
     * @param startLsn the position of the first byte
     * @param endLsn how far the primary has inserted WAL
     * @param flushedLsn how far the primary has flushed; a standby never applies past it
     * @param sentAtMicros when it was sent
     * @param bytes the WAL itself, page headers included
     */
    record WalData(long startLsn, long endLsn, long flushedLsn, long sentAtMicros, ByteBuffer bytes)
            implements Message {}

    /**
     * Says that the primary lives, and how far it is.
     *
     * @param replyRequested whether the standby shall send its status at once
     */
    record Keepalive(long endLsn, long flushedLsn, long sentAtMicros, boolean replyRequested) implements Message {}

    /**
     * The three acknowledged positions.
     *
     * @param writtenLsn WAL before it is with the standby's operating system
     * @param flushedLsn WAL before it is on the standby's disk, checked
     * @param appliedLsn WAL before it has been redone and can be read
     * @param replyRequested whether the primary shall send a keepalive at once
     */
    record StandbyStatus(long writtenLsn, long flushedLsn, long appliedLsn, long sentAtMicros, boolean replyRequested)
            implements Message {}

    /**
     * Says why a standby cannot go on for now, or that it can again.
     *
     * @param lsn the position it concerns
     * @param detail for people: the file, what was found, what was expected
     */
    record StandbyReason(Reason reason, long lsn, String detail) implements Message {}

    /**
     * Tells a standby of WAL that it lacks, or may lack, and whose commits were acknowledged all the same, because the primary
     * was in degraded mode. Sent with each agreement to send WAL, and whenever degraded mode is entered or left. It replaces
     * what was said before.
     *
     * @param startLsn where it begins; 0 if there is none, as far as this standby is concerned
     * @param endLsn where it ends; 0 while degraded mode goes on
     * @param reason why the primary is, or was, in degraded mode
     */
    record DegradedRange(long startLsn, long endLsn, String reason) implements Message {
        /** Nothing that the standby has yet to receive has been acknowledged without it. */
        public static final DegradedRange NONE = new DegradedRange(0, 0, "");
    }

    /**
     * Tells which standbys a standby serves itself, directly and through others. Sent before {@link StartReplication}, and
     * while WAL is sent whenever it is news, though not more often than a few times in a second.
     *
     * @param serverId names the running server that sends it: drawn when it started, so that one that follows itself through
     *     others is found out
     * @param omitted how many standbys are left out, since a message has no more than {@link
     *     MessageCodec#MAX_DOWNSTREAM_STANDBYS}
     * @param standbys each after the one that serves it
     */
    record DownstreamStatus(long serverId, int omitted, List<DownstreamStandby> standbys) implements Message {
        /** Copies the list. */
        public DownstreamStatus {
            standbys = List.copyOf(standbys);
        }
    }

    /**
     * Asks a standby that is sent WAL whether it could take the primary's place. It answers at once, and nothing has changed.
     *
     * @param primaryName what the primary would call itself as a standby
     */
    record SwitchoverRequest(String primaryName) implements Message {}

    /**
     * Says whether a standby can take the primary's place; also, after {@link TakeOver}, that it does not.
     *
     * @param endpoints where it listens, and would be reached as a primary; separated by commas, as in {@code primary_conninfo}
     * @param obstacle why it cannot, and what to do; empty if it can
     */
    record SwitchoverAnswer(String endpoints, String obstacle) implements Message {}

    /**
     * Hands over: the primary takes no commits any more, and this standby has all its WAL. The standby becomes a primary and says
     * so ({@link TookOver}), or declines ({@link SwitchoverAnswer}). A standby that was told this opens no other session unless it
     * has decided not to take over; so its next {@link StartReplication} says that it has not.
     *
     * @param endLsn where the primary's WAL ends, and the standby's
     */
    record TakeOver(long endLsn) implements Message {}

    /**
     * Says that the standby is the primary from now on: that is on its disk, and it takes commits in a moment.
     *
     * @param timeline the timeline it has opened
     * @param startLsn where that begins
     */
    record TookOver(int timeline, long startLsn) implements Message {}

    /**
     * Says, before {@link StartReplication}, that this session is to take the place of another one of the same running
     * standby, which goes on until this one has caught up with it. {@link DownstreamStatus#serverId} tells which that is.
     */
    record SessionSuccession() implements Message {}

    /**
     * Asks a standby that is being sent WAL to go on over another of its endpoints: it opens a session there and, when
     * that has caught up, closes this one.
     *
     * @param scheme of the endpoint, such as {@code ssh}; {@link #ANY_OTHER} for the first that can be used of those that have
     *     not the scheme of this session
     */
    record MoveRequest(String scheme) implements Message {
        /** In the place of a scheme: any but the present one. */
        public static final String ANY_OTHER = "";
    }

    /**
     * Says that a standby does not do what a {@link MoveRequest} asked, or could not: this session goes on.
     *
     * @param scheme as it was asked
     * @param text why, for people
     */
    record MoveRefused(String scheme, String text) implements Message {}

    /**
     * Asks for all that a standby with an empty data directory needs.
     *
     * @param standbyName what the primary calls this standby
     * @param slotName the replication slot that keeps WAL from the backup on, and forgets what it kept before; empty for none
     * @param createSlot whether the primary makes the slot if there is none
     */
    record BaseBackupRequest(String standbyName, String slotName, boolean createSlot) implements Message {}

    /**
     * Begins a base backup.
     *
     * @param segmentBytes the size of the primary's WAL segments
     * @param checkpointLsn the checkpoint that the standby starts from
     * @param redoLsn where its redo starts: the first WAL the standby needs, at the start of a record
     * @param epochs the primary's epochs, oldest first
     * @param history the text of the timeline's history file, as in {@link ReplicationStarted}; the redo position may lie on an
     *     earlier timeline
     * @param postgresVersion the major version of the PostgreSQL server whose log it is, which has no files for this standby; 0
     *     for a log that Lockstep writes
     */
    record BackupStarted(
            long systemId,
            int timeline,
            int segmentBytes,
            long checkpointLsn,
            long redoLsn,
            List<Epoch> epochs,
            String history,
            int postgresVersion)
            implements Message {
        /** Copies the list. */
        public BackupStarted {
            epochs = List.copyOf(epochs);
        }
    }

    /**
     * Begins a file of a base backup; its bytes follow.
     *
     * @param path relative to the data directory, with {@code /} between names
     */
    record BackupFile(String path, long lengthBytes) implements Message {}

    /** The next bytes of the file that was begun last. */
    record BackupData(ByteBuffer bytes) implements Message {}

    /**
     * Ends a base backup. The primary keeps the WAL from the backup's redo position on for as long as this session is
     * open, so that the standby can ask for it next.
     *
     * @param endLsn how far the primary had flushed when the last file was read
     */
    record BackupEnded(long endLsn) implements Message {}

    /** Says why the session is about to end; both sides show it. */
    record Refusal(RefusalCode code, String text) implements Message {}

    /** Why a standby cannot acknowledge for now. */
    enum Reason {
        /** It is well again. */
        RECOVERED,
        /** There is no room for the next segment; it goes on by itself when there is. */
        DISK_FULL,
        /** Its disk refused a write or flush; it has stopped. */
        FSYNC_ERROR,
        /** WAL came that is not valid; it asks for the range again. */
        CRC_MISMATCH,
        /** It cannot keep up. */
        OVERLOADED,
        /** It is being stopped in good order. */
        LEAVING
    }

    /** What kind of refusal a {@link Refusal} is. */
    enum RefusalCode {
        /** The standby's WAL belongs to another system. */
        SYSTEM_MISMATCH,
        /** The standby's timeline is not one of the primary's. */
        TIMELINE_MISMATCH,
        /** The standby asks for WAL that the primary does not have yet and cannot cut it back. */
        START_AHEAD,
        /** The WAL asked for has been removed. */
        WAL_REMOVED,
        /** A standby of that name is connected. */
        NAME_IN_USE,
        /** The server takes no more standbys ({@code max_wal_senders}). */
        TOO_MANY_STANDBYS,
        /** The server cannot serve standbys now, for instance because it recovers. */
        NOT_READY,
        /** A message came that has no place here. */
        PROTOCOL,
        /** The server is shutting down. */
        SHUTTING_DOWN,
        /** There is no replication slot of that name, and none can be made. */
        NO_SUCH_SLOT,
        /** Another session uses that replication slot. */
        SLOT_IN_USE,
        /** WAL that the replication slot held has been removed: it held too much. */
        SLOT_INVALIDATED,
        /** The server follows the standby itself, perhaps through others: neither would lead to a primary. */
        LOOP,
        /** The peer may not be the standby that it says it is ({@code access.conf}). */
        NOT_ALLOWED
    }
}
