package lockstep.wal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import lockstep.io.Disk;
import lockstep.transport.api.Lsn;

/**
 * Which timeline wrote which stretch of the log.
 *
 * <p>A promotion opens a new timeline where the WAL of the promoted standby ends; what an old primary writes behind that
 * place is no part of the log any more. A timeline therefore has a line of ancestors, each up to the position where the next
 * one began. The file {@code pg_wal/0000000N.history} says so, in PostgreSQL's form: a line for each ancestor, {@code
 * timeline TAB position TAB reason}. Timeline 1 has no ancestors and no file.
 *
 * <pre>
 *   timeline 1   ───────────────┬─────── lost with the old primary
 *   timeline 2                  └───────────┬──────
 *   timeline 3                              └──────────▶
 *                               E1          E2             3.history: "1 E1", "2 E2"
 * </pre>
 *
 * <p><b>Pages and files.</b> A page carries the timeline of its first byte: so the page in the midst of which a timeline ended
 * is the old one's. A segment's file is named after the timeline of its last byte: so the segment in which a timeline ended is
 * the new one's, and begins with a copy of the old one's bytes.
 *
 * @param timeline the newest
 * @param ancestors the others, oldest first
 */
public record TimelineHistory(int timeline, List<Ancestor> ancestors) {
    /** The timeline of a new system. */
    public static final int FIRST = 1;

    private static final String SUFFIX = ".history";
    private static final Pattern FILE_NAME = Pattern.compile("([0-9A-F]{8})\\.history");
    private static final Pattern LINE =
            Pattern.compile("\\s*(\\d{1,10})\\s+([0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8})\\s*(.*)");

    /**
     * A timeline that has ended.
     *
     * @param endLsn the first position that is not its own
     * @param reason for people: why the next one began
     */
    public record Ancestor(int timeline, long endLsn, String reason) {}

    /** Checks that timelines and positions rise. */
    public TimelineHistory {
        ancestors = List.copyOf(ancestors);
        int before = 0;
        long end = 0;
        for (Ancestor ancestor : ancestors) {
            if (ancestor.timeline() <= before || Long.compareUnsigned(ancestor.endLsn(), end) < 0) {
                throw new IllegalArgumentException("timeline " + ancestor.timeline() + " up to "
                        + Lsn.text(ancestor.endLsn()) + " does not follow timeline " + before + " up to "
                        + Lsn.text(end));
            }
            before = ancestor.timeline();
            end = ancestor.endLsn();
        }
        if (timeline <= before) {
            throw new IllegalArgumentException("timeline " + timeline + " does not follow timeline " + before);
        }
    }

    /** Returns that of a log that was all written on one timeline. */
    public static TimelineHistory of(int timeline) {
        return new TimelineHistory(timeline, List.of());
    }

    /**
     * Reads the text of a history file.
     *
     * @throws IllegalArgumentException if it is none; says in which line
     */
    public static TimelineHistory parse(int timeline, String text) {
        List<Ancestor> ancestors = new ArrayList<>();
        for (String line : text.lines().toList()) {
            if (line.isBlank() || line.stripLeading().startsWith("#")) {
                continue;
            }
            Matcher fields = LINE.matcher(line);
            if (!fields.matches()) {
                throw new IllegalArgumentException(
                        "\"" + line + "\" is no line of a timeline history: expected TIMELINE LSN REASON");
            }
            ancestors.add(new Ancestor(
                    Integer.parseInt(fields.group(1)),
                    Lsn.parse(fields.group(2)).value(),
                    fields.group(3)));
        }
        return new TimelineHistory(timeline, ancestors);
    }

    /** Returns the text of the history file, byte for byte as PostgreSQL writes it. */
    public String text() {
        StringBuilder text = new StringBuilder();
        for (Ancestor ancestor : ancestors) {
            text.append(text.isEmpty() ? "" : "\n")
                    .append(Integer.toUnsignedString(ancestor.timeline()))
                    .append('\t')
                    .append(Lsn.text(ancestor.endLsn()))
                    .append('\t')
                    .append(ancestor.reason())
                    .append('\n');
        }
        return text.toString();
    }

    /** Returns the name of a timeline's history file. */
    public static String fileName(int timeline) {
        return String.format(Locale.ROOT, "%08X%s", timeline, SUFFIX);
    }

    private static String path(int timeline) {
        return SegmentFiles.DIRECTORY + '/' + fileName(timeline);
    }

    /**
     * Reads the history of a timeline from {@code pg_wal}.
     *
     * @throws IOException if it is missing or cannot be understood; names the file
     */
    public static TimelineHistory read(Disk disk, int timeline) throws IOException {
        if (timeline == FIRST) {
            return of(FIRST);
        }
        String path = path(timeline);
        if (!disk.exists(path)) {
            throw new IOException("the file " + path + " is missing, which says where timeline " + timeline
                    + " began. Restore it from another server or the archive");
        }
        try {
            return parse(timeline, new String(disk.readAll(path), StandardCharsets.UTF_8));
        } catch (IllegalArgumentException e) {
            throw new IOException("the file " + path + " cannot be understood: " + e.getMessage(), e);
        }
    }

    /** Writes the history file, unless this is timeline 1; on the disk when this returns. */
    public void write(Disk disk) throws IOException {
        if (timeline != FIRST) {
            disk.writeAtomically(path(timeline), ByteBuffer.wrap(text().getBytes(StandardCharsets.UTF_8)));
        }
    }

    /** Returns a number that no timeline has of which there is a history file, and greater than {@code timeline}. */
    public static int unused(Disk disk, int timeline) throws IOException {
        int newest = timeline;
        for (String name : disk.list(SegmentFiles.DIRECTORY)) {
            Matcher matcher = FILE_NAME.matcher(name);
            if (matcher.matches()) {
                newest = Math.max(newest, Integer.parseUnsignedInt(matcher.group(1), 16));
            }
        }
        return newest + 1;
    }

    /** Returns the timeline that wrote the byte at a position, or will. */
    public int timelineAt(long lsn) {
        for (Ancestor ancestor : ancestors) {
            if (Long.compareUnsigned(lsn, ancestor.endLsn()) < 0) {
                return ancestor.timeline();
            }
        }
        return timeline;
    }

    /** Returns the timeline of the last byte of a log that ends at a position. */
    public int timelineBefore(long endLsn) {
        return timelineAt(endLsn == 0 ? 0 : endLsn - 1);
    }

    /** Returns where the newest timeline began; 0 if it has no ancestors. */
    public long startLsn() {
        return ancestors.isEmpty() ? 0 : ancestors.get(ancestors.size() - 1).endLsn();
    }

    /** Returns whether the newest timeline is that, or one of its ancestors. */
    public boolean contains(int candidate) {
        return candidate == timeline || ancestors.stream().anyMatch(ancestor -> ancestor.timeline() == candidate);
    }

    /** Returns where a timeline of this history ended; {@link Long#MAX_VALUE} for the newest. */
    public long endOf(int member) {
        for (Ancestor ancestor : ancestors) {
            if (ancestor.timeline() == member) {
                return ancestor.endLsn();
            }
        }
        return Long.MAX_VALUE;
    }

    /** Returns the history of a timeline that this one contains. */
    public TimelineHistory historyOf(int member) {
        return member == timeline
                ? this
                : new TimelineHistory(
                        member,
                        ancestors.stream()
                                .filter(ancestor -> ancestor.timeline() < member)
                                .toList());
    }

    /** Returns the timeline that began where one of the ancestors ended. */
    public int successorOf(int ancestor) {
        int index = ancestors.stream().map(Ancestor::timeline).toList().indexOf(ancestor);
        return memberAt(index + 1);
    }

    /**
     * Returns the history of a timeline that begins where a log ends.
     *
     * @param reason for people, on one line
     */
    public TimelineHistory fork(long endLsn, int newTimeline, String reason) {
        List<Ancestor> kept = new ArrayList<>();
        for (Ancestor ancestor : ancestors) {
            if (Long.compareUnsigned(ancestor.endLsn(), endLsn) < 0) {
                kept.add(ancestor);
            }
        }
        kept.add(new Ancestor(timelineBefore(endLsn), endLsn, reason));
        return new TimelineHistory(newTimeline, kept);
    }

    /** Returns up to where this and another log are one and the same; {@link Long#MAX_VALUE} if they are on one timeline. */
    public long sharedLsn(TimelineHistory other) {
        long shared = 0;
        for (int i = 0; ; i++) {
            if (memberAt(i) != other.memberAt(i)) {
                return shared;
            }
            long end = endOf(memberAt(i));
            long otherEnd = other.endOf(memberAt(i));
            shared = Math.min(end, otherEnd);
            if (end != otherEnd || shared == Long.MAX_VALUE) {
                return shared;
            }
        }
    }

    private int memberAt(int index) {
        return index < ancestors.size() ? ancestors.get(index).timeline() : timeline;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("timeline ").append(timeline);
        for (int i = ancestors.size() - 1; i >= 0; i--) {
            text.append(", from ")
                    .append(ancestors.get(i).timeline())
                    .append(" at ")
                    .append(Lsn.text(ancestors.get(i).endLsn()));
        }
        return text.toString();
    }
}
