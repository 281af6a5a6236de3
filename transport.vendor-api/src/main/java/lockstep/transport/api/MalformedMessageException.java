package lockstep.transport.api;

import java.io.IOException;

/** Bytes are not a message: damaged on the way, or never meant as one. The session they came on cannot go on. */
public class MalformedMessageException extends IOException {
    private static final long serialVersionUID = 1;

    /** Says what was found and what was expected. */
    public MalformedMessageException(String message) {
        super(message);
    }

    /** Says what was found and what was expected. */
    public MalformedMessageException(String message, Throwable cause) {
        super(message, cause);
    }
}
