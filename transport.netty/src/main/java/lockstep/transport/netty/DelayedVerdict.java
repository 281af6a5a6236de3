package lockstep.transport.netty;

import io.netty.channel.Channel;
import java.util.concurrent.TimeUnit;

/**
 * Has a peer wait for the answer to its proof of who it is, as all of its address must after a wrong password. Meanwhile
 * nothing is read, so whoever guesses gains nothing by guessing faster; what had been read already, a peer that waits
 * would not have said. For one connection, on its thread.
 */
public final class DelayedVerdict {
    private boolean awaited;

    /** Returns whether the peer waits. */
    public boolean isAwaited() {
        return awaited;
    }

    /** Runs what hears the proof and answers: after a while, or now if that is zero; not if the connection ends before. */
    @SuppressWarnings("FutureReturnValueIgnored") // the connection's thread ends with the connection
    public void after(long delayMs, Channel channel, Runnable verdict) {
        if (delayMs == 0) {
            verdict.run();
            return;
        }
        awaited = true;
        channel.config().setAutoRead(false);
        channel.eventLoop()
                .schedule(
                        () -> {
                            awaited = false;
                            if (channel.isActive()) {
                                channel.config().setAutoRead(true);
                                verdict.run();
                            }
                        },
                        delayMs,
                        TimeUnit.MILLISECONDS);
    }
}
