package lockstep.server;

import lockstep.io.Panic;
import org.osgi.service.component.annotations.Component;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Ends the process at once: no shutdown hooks, nothing more written. */
@Component
public final class HaltingPanic implements Panic {
    /** {@code EX_IOERR} of {@code sysexits.h}. */
    private static final int EXIT_STATUS = 74;

    private static final Logger log = LoggerFactory.getLogger(HaltingPanic.class);

    @Override
    public void panic(String message, Throwable cause) {
        System.err.println("PANIC: " + message);
        System.err.flush();
        log.error("PANIC: {}", message, cause);
        Runtime.getRuntime().halt(EXIT_STATUS);
    }
}
