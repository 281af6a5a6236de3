package lockstep.archive;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import lockstep.io.Disk;
import lockstep.wal.SegmentFiles;
import lockstep.wal.TimelineHistory;
import lockstep.wal.WalLayout;

/**
 * What has been archived, as PostgreSQL notes it: an empty file {@code pg_wal/archive_status/NAME.ready} says that {@code NAME}
 * waits for the archive, {@code NAME.done} that it is there. Both go when {@code NAME} has gone.
 *
 * <p>A file is this server's to archive if it has written it: segments and history files of its own timeline, and what an earlier
 * timeline had not finished when it took over. The rest was another server's, unless it is already marked.
 */
final class ArchiveStatusFiles {
    static final String DIRECTORY = SegmentFiles.DIRECTORY + "/archive_status";

    private static final String READY = ".ready";
    private static final String DONE = ".done";
    private static final String HISTORY = ".history";
    private static final String PARTIAL = ".partial";

    private final Disk disk;
    private final WalLayout layout;
    private final int timeline;

    ArchiveStatusFiles(Disk disk, WalLayout layout, int timeline) throws IOException {
        this.disk = disk;
        this.layout = layout;
        this.timeline = timeline;
        disk.createDirectories(DIRECTORY);
    }

    private record Marks(Set<String> ready, Set<String> done) {}

    private Marks marks() throws IOException {
        Marks marks = new Marks(new TreeSet<>(), new TreeSet<>());
        for (String name : disk.list(DIRECTORY)) {
            if (name.endsWith(READY)) {
                marks.ready().add(name.substring(0, name.length() - READY.length()));
            } else if (name.endsWith(DONE)) {
                marks.done().add(name.substring(0, name.length() - DONE.length()));
            }
        }
        return marks;
    }

    private boolean isOwn(String name, long flushedLsn) {
        if (WalLayout.isSegmentName(name)) {
            return WalLayout.timelineOf(name) == timeline && isFinished(name, flushedLsn);
        }
        return name.equals(TimelineHistory.fileName(timeline))
                || (name.endsWith(PARTIAL)
                        && WalLayout.isSegmentName(name.substring(0, name.length() - PARTIAL.length())));
    }

    private boolean isFinished(String segment, long flushedLsn) {
        return layout.segmentNumber(segment) < layout.segmentOf(flushedLsn);
    }

    /**
     * Marks what has been finished since the last time, and forgets what has gone.
     *
     * @return what waits for the archive, in the order in which it is archived: history files first, since who restores asks for
     *     them first
     */
    List<String> update(long flushedLsn) throws IOException {
        Marks marks = marks();
        Set<String> present = new TreeSet<>(disk.list(SegmentFiles.DIRECTORY));
        for (String name : present) {
            if (isOwn(name, flushedLsn)
                    && !marks.done().contains(name)
                    && marks.ready().add(name)) {
                disk.writeAtomically(DIRECTORY + '/' + name + READY, ByteBuffer.allocate(0));
            }
        }
        for (String name : marks.done()) {
            if (!present.contains(name)) {
                disk.delete(DIRECTORY + '/' + name + DONE);
            }
        }
        List<String> waiting = new ArrayList<>();
        for (String name : marks.ready()) {
            if (present.contains(name)) {
                waiting.add(name);
            } else {
                disk.delete(DIRECTORY + '/' + name + READY);
            }
        }
        waiting.sort(Comparator.comparing((String name) -> !name.endsWith(HISTORY))
                .thenComparing(Comparator.naturalOrder()));
        return waiting;
    }

    /** Notes that a file is in the archive; on the disk when this returns. */
    void done(String name) throws IOException {
        disk.rename(DIRECTORY + '/' + name + READY, DIRECTORY + '/' + name + DONE);
    }

    /** Returns the start of the first segment that waits for the archive; {@link Long#MAX_VALUE} if none does. */
    long unarchivedLsn(long flushedLsn) throws IOException {
        Marks marks = marks();
        long oldest = Long.MAX_VALUE;
        for (String name : disk.list(SegmentFiles.DIRECTORY)) {
            boolean waits = WalLayout.isSegmentName(name)
                    && (marks.ready().contains(name)
                            || (isOwn(name, flushedLsn) && !marks.done().contains(name)));
            if (waits) {
                oldest = Math.min(oldest, layout.segmentStart(layout.segmentNumber(name)));
            }
        }
        return oldest;
    }
}
