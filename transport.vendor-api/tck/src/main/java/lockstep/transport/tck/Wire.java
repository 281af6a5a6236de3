package lockstep.transport.tck;

import java.io.IOException;
import lockstep.transport.api.Endpoint;

/**
 * The way from a client to the listener, where the kit makes trouble. Damage hits what the client sends; all else both
 * directions. Thread-safe.
 */
public interface Wire extends AutoCloseable {
    /** What can happen to bytes on their way. */
    enum Damage {
        /** One bit is turned. */
        FLIP,
        /** Some bytes are lost. */
        DROP,
        /** Some bytes come twice. */
        DUPLICATE
    }

    /** Returns where a client connects whose session shall pass through here. */
    Endpoint endpoint();

    /**
     * Damages what the client sends, once.
     *
     * @param afterBytes how many bytes pass unharmed, counted from now
     */
    void damage(Damage damage, long afterBytes);

    /** Holds back each piece for a while. */
    void delay(long ms);

    /** Lets nothing pass from now on; both ends see a peer that is silent. */
    void stall();

    /** Lets pass again. */
    void resume();

    /** Ends what passes, at once; both ends see that it is gone. */
    void cut();

    /** Cuts, and takes the wire away. */
    @Override
    void close() throws IOException;
}
