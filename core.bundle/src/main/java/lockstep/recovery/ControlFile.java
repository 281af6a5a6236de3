package lockstep.recovery;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.zip.CRC32C;
import lockstep.io.Disk;
import lockstep.transport.api.Lsn;
import lockstep.transport.api.Term;
import lockstep.wal.TimelineHistory;
import lockstep.wal.WalFormat;
import lockstep.wal.WalIdentity;
import lockstep.wal.WalLayout;

/**
 * What a server must know before it reads its WAL, kept in the file {@code control} of the data directory. It is written
 * in one step, so that a crash leaves either the old or the new one, and ends with a CRC. The form is text, a value a
 * line, so that people can read it.
 *
 * @param systemId names the log; a standby has the primary's
 * @param segmentBytes the size of its segments
 * @param timeline the newest timeline of its history
 * @param state whether the server was stopped in good order
 * @param checkpointLsn where the last checkpoint or restartpoint record begins
 * @param redoLsn where redo starts: the state on disk holds all before it
 * @param priorRedoLsn the {@code redoLsn} before that; WAL is kept from there
 * @param nextXid the first transaction id not used before the checkpoint
 * @param knownFlushedLsn up to where the WAL is known to have been on this disk; what is missing below it is damage
 * @param appliableLsn on a standby, up to where the primary was known to have flushed
 * @param epochs the epochs of the log
 * @param fencedBy the newest term heard of that is none of this log ({@link #isForeign}): a primary takes no commits for it, a standby
 *     passes it on; {@link Term#NONE} if there is none
 * @param format who writes the log
 */
public record ControlFile(
        long systemId,
        int segmentBytes,
        int timeline,
        State state,
        long checkpointLsn,
        long redoLsn,
        long priorRedoLsn,
        int nextXid,
        long knownFlushedLsn,
        long appliableLsn,
        Epochs epochs,
        Term fencedBy,
        WalFormat format) {
    /** Its path, relative to the data directory. */
    public static final String PATH = "control";

    /** In which state a server was when it last said so. */
    public enum State {
        /** It works as a primary, or has crashed as one. */
        IN_PRODUCTION,
        /** It works as a standby, or has crashed as one. */
        IN_RECOVERY,
        /** It was stopped in good order: its WAL ends with what the control file says. */
        SHUT_DOWN
    }

    private static final String CRC = "crc32c = ";

    /** That of a log which Lockstep writes. */
    public ControlFile(
            long systemId,
            int segmentBytes,
            int timeline,
            State state,
            long checkpointLsn,
            long redoLsn,
            long priorRedoLsn,
            int nextXid,
            long knownFlushedLsn,
            long appliableLsn,
            Epochs epochs,
            Term fencedBy) {
        this(
                systemId,
                segmentBytes,
                timeline,
                state,
                checkpointLsn,
                redoLsn,
                priorRedoLsn,
                nextXid,
                knownFlushedLsn,
                appliableLsn,
                epochs,
                fencedBy,
                WalFormat.LOCKSTEP);
    }

    /** Returns whether the data directory has one. */
    public static boolean exists(Disk disk) {
        return disk.exists(PATH);
    }

    /**
     * Reads it.
     *
     * @throws IOException if it cannot be read or is damaged; says what is wrong with it
     */
    public static ControlFile read(Disk disk) throws IOException {
        String text = new String(disk.readAll(PATH), StandardCharsets.UTF_8);
        int end = text.lastIndexOf(CRC);
        if (end < 0 || !text.substring(end).equals(crcLine(text.substring(0, end)))) {
            throw new IOException("the file " + PATH + " is damaged: its CRC does not fit its content."
                    + " Restore the data directory from a base backup");
        }
        Map<String, String> values = new LinkedHashMap<>();
        text.substring(0, end).lines().forEach(line -> {
            int equals = line.indexOf('=');
            if (equals > 0) {
                values.put(
                        line.substring(0, equals).strip(),
                        line.substring(equals + 1).strip());
            }
        });
        try {
            return new ControlFile(
                    Long.parseUnsignedLong(value(values, "system_identifier")),
                    Integer.parseInt(value(values, "wal_segment_size")),
                    Integer.parseInt(value(values, "timeline")),
                    State.valueOf(value(values, "state").toUpperCase(Locale.ROOT)),
                    Lsn.parse(value(values, "checkpoint_lsn")).value(),
                    Lsn.parse(value(values, "redo_lsn")).value(),
                    Lsn.parse(value(values, "prior_redo_lsn")).value(),
                    Integer.parseUnsignedInt(value(values, "next_xid")),
                    Lsn.parse(value(values, "known_flushed_lsn")).value(),
                    Lsn.parse(value(values, "appliable_lsn")).value(),
                    Epochs.parse(value(values, "epochs")),
                    Term.parse(value(values, "fenced_by")),
                    WalFormat.parse(values.getOrDefault("written_by", WalFormat.LOCKSTEP.toString())));
        } catch (IllegalArgumentException e) {
            throw new IOException("the file " + PATH + " cannot be understood: " + e.getMessage(), e);
        }
    }

    private static String value(Map<String, String> values, String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("it has no " + name);
        }
        return value;
    }

    /** Returns which log it is, with the history of its timeline read from {@code pg_wal}. */
    public WalIdentity identity(Disk disk) throws IOException {
        return new WalIdentity(systemId, TimelineHistory.read(disk, timeline), new WalLayout(segmentBytes), format);
    }

    /** Writes it; on the disk when this returns. */
    public void write(Disk disk) throws IOException {
        String text = "# Written by the server; do not edit.\n"
                + "system_identifier = " + Long.toUnsignedString(systemId) + '\n'
                + "wal_segment_size = " + segmentBytes + '\n'
                + "timeline = " + timeline + '\n'
                + "state = " + state.name().toLowerCase(Locale.ROOT) + '\n'
                + "checkpoint_lsn = " + Lsn.text(checkpointLsn) + '\n'
                + "redo_lsn = " + Lsn.text(redoLsn) + '\n'
                + "prior_redo_lsn = " + Lsn.text(priorRedoLsn) + '\n'
                + "next_xid = " + Integer.toUnsignedString(nextXid) + '\n'
                + "known_flushed_lsn = " + Lsn.text(knownFlushedLsn) + '\n'
                + "appliable_lsn = " + Lsn.text(appliableLsn) + '\n'
                + "epochs = " + epochs + '\n'
                + "fenced_by = " + fencedBy + '\n'
                + "written_by = " + format + '\n';
        disk.writeAtomically(PATH, ByteBuffer.wrap((text + crcLine(text)).getBytes(StandardCharsets.UTF_8)));
    }

    private static String crcLine(String text) {
        CRC32C crc = new CRC32C();
        crc.update(text.getBytes(StandardCharsets.UTF_8));
        return String.format(Locale.ROOT, "%s%08X%n", CRC, crc.getValue());
    }

    /** Returns this with another state. */
    public ControlFile with(State newState) {
        return new ControlFile(
                systemId,
                segmentBytes,
                timeline,
                newState,
                checkpointLsn,
                redoLsn,
                priorRedoLsn,
                nextXid,
                knownFlushedLsn,
                appliableLsn,
                epochs,
                fencedBy,
                format);
    }

    /** Returns this on another timeline, which follows the present one; its epochs are not known yet, those that it left behind are gone. */
    public ControlFile with(TimelineHistory history) {
        return new ControlFile(
                systemId,
                segmentBytes,
                history.timeline(),
                state,
                checkpointLsn,
                redoLsn,
                priorRedoLsn,
                nextXid,
                knownFlushedLsn,
                appliableLsn,
                epochs.before(history.endOf(timeline)),
                newerThan(new Term(history.timeline(), 0)),
                format);
    }

    /** Returns the term of this log: its timeline, and the epoch that was opened last. */
    public Term term() {
        return new Term(timeline, epochs.last().number());
    }

    /**
     * Returns the newest term that this server has heard of, which it tells when it asks for WAL. A server that was a primary itself
     * gives its term up by asking another: it tells what it has heard from others, and of its own the timeline.
     */
    public Term heardTerm() {
        if (!fencedBy.equals(Term.NONE)) {
            return fencedBy;
        }
        return state == State.IN_RECOVERY ? term() : new Term(timeline, 0);
    }

    /**
     * Returns whether a term is that of a primary which has gone on without this log: its timeline is a newer one, or its epoch, on
     * the same timeline, is none of this log's. Who was once the primary of this log has a term that is not foreign.
     */
    public boolean isForeign(Term other) {
        return other.timeline() > timeline
                || (other.timeline() == timeline && other.epoch() != 0 && !epochs.contains(other.epoch()));
    }

    /**
     * Returns this as a primary that opens a timeline: all WAL up to there counts, and a new epoch begins.
     *
     * @param micros the time
     */
    public ControlFile promoted(TimelineHistory history, long micros) {
        long startLsn = history.startLsn();
        return new ControlFile(
                systemId,
                segmentBytes,
                history.timeline(),
                State.IN_PRODUCTION,
                checkpointLsn,
                redoLsn,
                priorRedoLsn,
                nextXid,
                startLsn,
                startLsn,
                epochs.fork(startLsn, micros),
                Term.NONE,
                format);
    }

    /** Returns this as a standby of a primary that has these timelines and epochs. What is no newer than these is foreign no more. */
    public ControlFile following(TimelineHistory history, Epochs primaryEpochs) {
        return new ControlFile(
                systemId,
                segmentBytes,
                history.timeline(),
                State.IN_RECOVERY,
                checkpointLsn,
                redoLsn,
                priorRedoLsn,
                nextXid,
                knownFlushedLsn,
                appliableLsn,
                primaryEpochs,
                newerThan(new Term(history.timeline(), primaryEpochs.last().number())),
                format);
    }

    /**
     * Returns this for a log that is going to be cut off at a position: nothing is claimed of what was behind it.
     *
     * @param lsn not before {@code redoLsn}, unless it is the log of a PostgreSQL server, of which nothing is redone
     */
    public ControlFile rewound(long lsn) {
        return new ControlFile(
                systemId,
                segmentBytes,
                timeline,
                state,
                checkpointLsn < lsn ? checkpointLsn : Math.min(redoLsn, lsn),
                Math.min(redoLsn, lsn),
                Math.min(priorRedoLsn, lsn),
                nextXid,
                Math.min(knownFlushedLsn, lsn),
                Math.min(appliableLsn, lsn),
                epochs.before(lsn),
                fencedBy,
                format);
    }

    private Term newerThan(Term present) {
        return fencedBy.compareTo(present) > 0 ? fencedBy : Term.NONE;
    }

    /** Returns this with a term heard of that is foreign, or without one. */
    public ControlFile fenced(Term by) {
        return new ControlFile(
                systemId,
                segmentBytes,
                timeline,
                state,
                checkpointLsn,
                redoLsn,
                priorRedoLsn,
                nextXid,
                knownFlushedLsn,
                appliableLsn,
                epochs,
                by,
                format);
    }

    /** Returns this with other epochs. */
    public ControlFile with(Epochs newEpochs) {
        return new ControlFile(
                systemId,
                segmentBytes,
                timeline,
                state,
                checkpointLsn,
                redoLsn,
                priorRedoLsn,
                nextXid,
                knownFlushedLsn,
                appliableLsn,
                newEpochs,
                fencedBy,
                format);
    }

    /** Returns this after a checkpoint or restartpoint. */
    public ControlFile checkpointed(long recordLsn, long newRedoLsn, int unusedXid, long flushedLsn, long appliable) {
        return new ControlFile(
                systemId,
                segmentBytes,
                timeline,
                state,
                recordLsn,
                newRedoLsn,
                redoLsn,
                unusedXid,
                flushedLsn,
                appliable,
                epochs,
                fencedBy,
                format);
    }
}
