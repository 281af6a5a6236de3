package lockstep.shell.command;

import java.io.PrintStream;
import java.util.Comparator;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import lockstep.commit.CommitLevel;
import lockstep.commit.PendingCommit;
import lockstep.commit.SyncRole;
import lockstep.primary.Primary;
import lockstep.primary.WaitExplanation;
import lockstep.send.SenderState;
import lockstep.send.StandbyView;
import lockstep.transport.api.Lsn;
import lockstep.wal.Wal;

/** Waits for commits, and tells a client that waits long what it waits for. */
final class CommitWait {
    static final long LONG_WAIT_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final LocalServer server;
    private final PrintStream err;

    CommitWait(LocalServer server, PrintStream err) {
        this.server = server;
        this.err = err;
    }

    /**
     * Waits until a commit is acknowledged.
     *
     * @return whether it was in time
     * @throws InterruptedException if the client has gone or has had enough; it has been told what is known of the commit
     */
    boolean await(PendingCommit commit, long timeoutNanos) throws InterruptedException {
        try {
            long first = Math.min(LONG_WAIT_NANOS, timeoutNanos);
            if (commit.await(first)) {
                return true;
            }
            if (commit.isAbandoned()) {
                return false;
            }
            err.println(reason(commit));
            return first < timeoutNanos && commit.await(timeoutNanos - first);
        } catch (InterruptedException e) {
            // Gogo forgets what a command throws that it has interrupted.
            err.println(inDoubt(commit));
            throw e;
        }
    }

    /** Returns what a client is told who has given up. */
    String inDoubt(PendingCommit commit) {
        String place = server.findPrimary()
                .flatMap(Primary::commits)
                .map(commits -> commits.receipt(commit).position().toString())
                .orElse(Lsn.text(commit.lsn()));
        return "the commit at " + Lsn.text(commit.lsn()) + " is IN DOUBT: "
                + commit.outcome().detail()
                + ". It is in the WAL of this server, and becomes visible when it is as safe as "
                + commit.level().parameterValue() + " says. Ask later: commit status " + place;
    }

    private static boolean asksStandby(PendingCommit commit) {
        return commit.level().compareTo(CommitLevel.LOCAL) > 0;
    }

    /** Returns what a commit waits for now, in a line. */
    String reason(PendingCommit commit) {
        String lsn = Lsn.text(commit.lsn());
        Optional<Wal> wal = server.findPrimary().flatMap(Primary::wal);
        if (wal.isEmpty()) {
            return "waiting for the commit at " + lsn + ": this server no longer accepts commits";
        }
        long flushedLsn = wal.get().flushedLsn();
        if (flushedLsn < commit.lsn() || !asksStandby(commit)) {
            return "waiting for the disk of this server: the commit ends at " + lsn + ", flushed is the WAL up to "
                    + Lsn.text(flushedLsn);
        }
        Primary primary = server.findPrimary().orElseThrow();
        if (!primary.reason().isEmpty()) {
            return "waiting for the commit at " + lsn + ": " + primary.reason();
        }
        return primary.standbys().stream()
                .filter(standby -> standby.state() == SenderState.STREAMING && isChosen(standby))
                .filter(standby -> acknowledgedLsn(standby, commit.level()) < commit.lsn())
                .min(Comparator.comparingLong(standby -> acknowledgedLsn(standby, commit.level())))
                .map(standby -> waitsFor(standby, commit))
                .orElseGet(() -> waitsForMore(primary, lsn));
    }

    private static boolean isChosen(StandbyView standby) {
        return standby.syncState().equals(SyncRole.State.SYNC.toString())
                || standby.syncState().equals(SyncRole.State.QUORUM.toString());
    }

    private static String waitsForMore(Primary primary, String lsn) {
        String missing = primary.explain(Lsn.INVALID)
                .map(WaitExplanation::mode)
                .filter(mode -> !mode.reason().isEmpty())
                .map(mode -> ": " + mode.reason() + "; " + mode.next())
                .orElse("");
        return "waiting for standbys" + missing + "; the commit at " + lsn
                + " is safe on the disk of this server. \"--commit local\" does not wait for standbys, \"queue explain\" tells"
                + " who is awaited";
    }

    private static long acknowledgedLsn(StandbyView standby, CommitLevel level) {
        return switch (level) {
            case REMOTE_WRITE -> standby.writeLsn();
            case REMOTE_APPLY -> standby.replayLsn();
            default -> standby.flushLsn();
        };
    }

    private static String waitsFor(StandbyView standby, PendingCommit commit) {
        String verb = switch (commit.level()) {
            case REMOTE_WRITE -> "write";
            case REMOTE_APPLY -> "apply";
            default -> "flush";
        };
        return "waiting for standby " + standby.applicationName() + " to " + verb + ' ' + Lsn.text(commit.lsn())
                + ": it is at " + Lsn.text(acknowledgedLsn(standby, commit.level()))
                + (standby.reason().isEmpty() ? "" : ", " + standby.reason())
                + "; the commit is safe on the disk of this server";
    }
}
