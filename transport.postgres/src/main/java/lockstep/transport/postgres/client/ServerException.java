package lockstep.transport.postgres.client;

import java.io.IOException;
import lockstep.transport.postgres.protocol.Report;

/** The server answers with an error. */
final class ServerException extends IOException {
    private static final long serialVersionUID = 1;

    private final transient Report report;

    ServerException(Report report) {
        super(text(report));
        this.report = report;
    }

    private static String text(Report report) {
        return report.message()
                + (report.detail().isEmpty() ? "" : ": " + report.detail())
                + (report.hint().isEmpty() ? "" : " " + report.hint())
                + " (" + report.sqlState() + ")";
    }

    /** Returns whether the server closes the connection with it. */
    boolean isFatal() {
        return report.severity().equals("FATAL") || report.severity().equals("PANIC");
    }

    String sqlState() {
        return report.sqlState();
    }
}
