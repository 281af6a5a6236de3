package lockstep.wal;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * A remark in the log itself, about the log: a record that PostgreSQL's own tools and servers pass over, with a line of text
 * that begins with {@value #PREFIX} and a word for its kind.
 */
public final class LogNote {
    private static final String PREFIX = "lockstep ";

    /** Longer ones are none of ours. */
    private static final int MAX_BYTES = 8192;

    private LogNote() {}

    /**
     * Inserts a note.
     *
     * @param kind a word
     * @param text the rest of the line
     * @return the end of the record
     */
    public static long write(Wal wal, String kind, String text) {
        byte[] note = (PREFIX + kind + ' ' + text).getBytes(StandardCharsets.UTF_8);
        RecordGroup group = new RecordGroup();
        ByteBuffer data = group.add(0, XlogInfo.RMGR, XlogInfo.NOOP, note.length);
        data.put(note);
        return wal.insert(group, Placement.NONE);
    }

    /** Returns what a note says, without its kind; empty if the record is none of this kind. */
    public static Optional<String> read(WalRecord record, String kind) {
        String prefix = PREFIX + kind + ' ';
        return read(record).filter(text -> text.startsWith(prefix)).map(text -> text.substring(prefix.length()));
    }

    /** Returns the whole line of a note; empty if the record is none. */
    static Optional<String> read(WalRecord record) {
        if (record.rmgr() != XlogInfo.RMGR || record.info() != XlogInfo.NOOP) {
            return Optional.empty();
        }
        ByteBuffer data = record.data();
        if (data.remaining() > MAX_BYTES) {
            return Optional.empty();
        }
        String text = StandardCharsets.UTF_8.decode(data).toString();
        return text.startsWith(PREFIX) ? Optional.of(text) : Optional.empty();
    }
}
