package lockstep.security;

import java.io.IOException;

/** A peer is not let in. The message may be told to it: it holds no secret. */
public class AccessException extends IOException {
    private static final long serialVersionUID = 1;

    /** Says who and why. */
    public AccessException(String message) {
        super(message);
    }

    /** Says who and why. */
    public AccessException(String message, Throwable cause) {
        super(message, cause);
    }
}
