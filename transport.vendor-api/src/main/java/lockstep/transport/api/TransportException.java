package lockstep.transport.api;

import java.io.IOException;

/** A listener or session could not be opened. The WAL is unharmed; trying again later may help. */
public class TransportException extends IOException {
    private static final long serialVersionUID = 1;

    /** Names the endpoint and says what went wrong. */
    public TransportException(String message) {
        super(message);
    }

    /** Names the endpoint and says what went wrong. */
    public TransportException(String message, Throwable cause) {
        super(message, cause);
    }
}
