package lockstep.io;

import java.io.IOException;

/** There is no room on the disk. Nothing was lost, and it may work again later. */
public class DiskFullException extends IOException {
    private static final long serialVersionUID = 1;

    /** Names the file for which there was no room. */
    public DiskFullException(String message, Throwable cause) {
        super(message, cause);
    }
}
