package lockstep.receiver;

import java.io.IOException;

/** Recovery cannot go on, and trying again will not help: the server stops, saying why. */
final class RecoveryException extends IOException {
    private static final long serialVersionUID = 1;

    RecoveryException(String message) {
        super(message);
    }
}
