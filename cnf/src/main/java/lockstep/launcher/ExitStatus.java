package lockstep.launcher;

/** What the process exits with. The numbers from 64 are those of {@code sysexits.h}. */
final class ExitStatus {
    static final int OK = 0;
    static final int FAILED = 1;
    static final int USAGE = 64;
    static final int NO_SERVER = 69;

    private ExitStatus() {}
}
