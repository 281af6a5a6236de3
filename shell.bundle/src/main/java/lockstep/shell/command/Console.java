package lockstep.shell.command;

import java.io.PrintStream;
import org.apache.felix.service.command.CommandSession;
import org.apache.felix.service.command.Process;

/**
 * Where a running command writes to, besides its result.
 *
 * @param isLive whether {@code err} is a terminal, on which a line can be painted over
 */
record Console(PrintStream out, PrintStream err, boolean isLive) {
    private static final String TERMINAL = ".terminal";
    private static final int STANDARD_ERROR = 2;

    /** Returns that of the command that the calling thread runs. */
    static Console of(CommandSession session) {
        Process process = Process.Utils.current();
        return new Console(
                process.out(), process.err(), session.get(TERMINAL) != null && process.isTty(STANDARD_ERROR));
    }
}
