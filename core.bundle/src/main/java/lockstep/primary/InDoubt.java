package lockstep.primary;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import lockstep.commit.CommitLevel;
import lockstep.commit.CommitQueue;
import lockstep.commit.PendingCommit;
import lockstep.commit.Visibility;
import lockstep.redo.Redo;
import lockstep.redo.RedoListener;
import lockstep.transport.api.Lsn;
import lockstep.wal.CheckpointRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The commits that a crash found in the log and not released: in doubt.
 *
 * <p><b>Idea.</b> They go into the commit queue again, at the level that each had asked for, before anything new is inserted. From
 * then on they are commits like any other: released in their order when the policy is met, before those that come after them; and
 * no checkpoint passes them. Only what makes them visible differs: nobody has their changes in memory, so redo reads them from
 * the log, and memory is needed for their places in the queue only.
 *
 * <pre>
 *   state      event                                                next
 *   found      its level was released before the crash              redone before the server accepts commits
 *   found      a checkpoint in the log starts redo behind it        redone before the server accepts commits
 *   found      it asked for {@code local} or less                   visible before the server accepts commits
 *   found      otherwise                                            in doubt
 *   in doubt   standbys have it, or none is asked; by an operator   redone
 * </pre>
 *
 * <p>A standby may show what is in doubt here: it applies what this server had flushed, as PostgreSQL's does, since {@code
 * remote_apply} asks for just that before the release.
 *
 * <p><b>Threads.</b> Found by the thread that recovers, made visible by the one that releases; the range may be read by any.
 */
final class InDoubt implements RedoListener, Visibility {
    private static final Logger log = LoggerFactory.getLogger(InDoubt.class);

    private record Place(CommitLevel level, long startLsn, long lsn) {}

    private static final class Recovered extends PendingCommit {
        private final int xid;
        private final Place place;

        Recovered(InDoubt inDoubt, int xid, Place place) {
            super(inDoubt);
            this.xid = xid;
            this.place = place;
        }
    }

    private final ArrayDeque<Recovered> found = new ArrayDeque<>();
    private long settledLsn;
    private Redo redo;
    private volatile InDoubtRange range;

    /** What is before a checkpoint's redo position had been released. */
    @Override
    public void checkpoint(long lsn, CheckpointRecord checkpoint) {
        settledLsn = Math.max(settledLsn, checkpoint.redoLsn());
    }

    @Override
    public void heldBack(int xid, int level, long startLsn, long commitLsn) {
        found.add(new Recovered(this, xid, new Place(CommitLevel.ofCode(level), startLsn, commitLsn)));
    }

    /** Queues what was found, to be redone from now on as it is released; and releases what can be at once. */
    void queue(CommitQueue queue, Redo redoFromNowOn) throws IOException {
        redo = redoFromNowOn;
        redo.goBack();
        while (!found.isEmpty() && found.peekFirst().place.lsn <= settledLsn) {
            Place settled = found.removeFirst().place;
            redo.redoUpTo(settled.startLsn, settled.lsn);
        }
        for (Recovered commit : List.copyOf(found)) {
            queue.rejoin(commit, commit.place.level, commit.place.startLsn, commit.place.lsn);
        }
        update();
        queue.release();
        range().ifPresent(left -> log.warn(
                "in doubt: the {} commits from {} to {} were flushed before the crash and not released. They stay invisible until"
                        + " standbys have them as they asked, or an operator releases them (\"commit release {}\")",
                left.commits(),
                Lsn.text(left.fromLsn()),
                Lsn.text(left.toLsn()),
                Lsn.text(left.toLsn())));
    }

    /** Returns what is in doubt now. */
    Optional<InDoubtRange> range() {
        return Optional.ofNullable(range);
    }

    @Override
    public void settle(PendingCommit commit) {
        try {
            redo.redoUpTo(found.removeFirst().place.startLsn, commit.lsn());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void releaseEarly(PendingCommit commit) {
        Recovered own = (Recovered) commit;
        try {
            redo.redoEarly(own.xid, own.place.startLsn, own.place.lsn);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void publish() {
        boolean were = range != null;
        update();
        if (were && range == null) {
            log.info("no commit is in doubt any more");
        }
    }

    private void update() {
        range = found.isEmpty()
                ? null
                : new InDoubtRange(found.peekFirst().place.startLsn, found.peekLast().place.lsn, found.size());
    }
}
