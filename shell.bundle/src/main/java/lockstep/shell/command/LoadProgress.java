package lockstep.shell.command;

import java.util.Locale;
import java.util.Optional;
import lockstep.commit.PendingCommit;

/** Shows how a load goes: on a terminal in one line that changes, else in a line every second if that is asked for. */
final class LoadProgress implements Load.Progress {
    private static final String CLEAR_LINE = "\r\u001b[K";

    private final CommitWait wait;
    private final Console console;
    private final boolean isAsked;
    private int seconds;
    private boolean isWaiting;

    LoadProgress(CommitWait wait, Console console, boolean isAsked) {
        this.wait = wait;
        this.console = console;
        this.isAsked = isAsked;
    }

    @Override
    public void tick(Load.Result lastSecond, long commits, Optional<PendingCommit> oldest) {
        seconds++;
        boolean stuck = lastSecond.commits() == 0 && oldest.isPresent();
        if (stuck && !isWaiting) {
            console.err().println((console.isLive() ? CLEAR_LINE : "") + wait.reason(oldest.get()));
        }
        isWaiting = stuck;
        String line = String.format(
                Locale.ROOT,
                "%4d s  %,12d commits  %,10.0f commits/s  p50 %s  p99 %s",
                seconds,
                commits,
                lastSecond.commitsPerSecond(),
                micros(lastSecond, Load.MEDIAN),
                micros(lastSecond, Load.P99));
        if (console.isLive()) {
            console.err().print(CLEAR_LINE + line);
            console.err().flush();
        } else if (isAsked) {
            console.err().println(line);
        }
    }

    /** Leaves the terminal at the start of a line. */
    void end() {
        if (console.isLive() && seconds > 0) {
            console.err().print(CLEAR_LINE);
            console.err().flush();
        }
    }

    private static String micros(Load.Result result, double percentile) {
        return Fields.shownMicros(Math.round(result.micros(percentile)));
    }
}
