package lockstep.launcher;

/** What the process exits with. The numbers from 64 are those of {@code sysexits.h}. */
final class ExitStatus {
    static final int OK = 0;
    static final int FAILED = 1;
    static final int USAGE = 64;
    static final int NO_SERVER = 69;

    /** The server has found what is wrong before it did anything. */
    static final int BAD_CONFIGURATION = 78;

    /** Above 125: a PostgreSQL server that recovers takes a lower status for the end of the archive, and this one for trouble. */
    static final int STOP_RECOVERY = 126;

    private ExitStatus() {}
}
