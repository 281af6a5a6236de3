package lockstep.server;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.log.LogEntry;
import org.osgi.service.log.LogLevel;
import org.osgi.service.log.LogListener;
import org.osgi.service.log.LogReaderService;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/** Brings what the framework and the declarative services have to say into the log of the server. */
@Component(
        service = {},
        immediate = true)
public final class FrameworkLog {
    private final LogReaderService reader;
    private final LogListener listener = FrameworkLog::log;

    /** Also brings what was said before it came. */
    @Activate
    public FrameworkLog(@Reference LogReaderService reader) {
        this.reader = reader;
        List<LogEntry> before = new ArrayList<>(Collections.list(reader.getLog()));
        Collections.reverse(before); // it tells the latest first
        before.forEach(listener::logged);
        reader.addLogListener(listener);
    }

    /** Stops listening. */
    @Deactivate
    public void close() {
        reader.removeLogListener(listener);
    }

    private static void log(LogEntry entry) {
        String name =
                entry.getBundle() == null ? "osgi" : "osgi." + entry.getBundle().getSymbolicName();
        LoggerFactory.getLogger(name)
                .atLevel(level(entry.getLogLevel()))
                .setCause(entry.getException())
                .log(entry.getMessage());
    }

    /** What the framework finds worth informing of, such as each service that comes, is a detail to an operator. */
    private static Level level(LogLevel level) {
        return switch (level) {
            case AUDIT, INFO, DEBUG -> Level.DEBUG;
            case ERROR -> Level.ERROR;
            case WARN -> Level.WARN;
            case TRACE -> Level.TRACE;
        };
    }
}
