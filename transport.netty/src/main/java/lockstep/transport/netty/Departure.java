package lockstep.transport.netty;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import lockstep.transport.api.Session;

/**
 * Waits for a session that this side opens. Time-out and opening race; whichever completes the future first has won.
 * Thread-safe.
 *
 * @param <S> how the transport knows its sessions
 */
public final class Departure<S extends Session> {
    private final CompletableFuture<S> open = new CompletableFuture<>();

    /** The session is open. Returns whether it is still wanted. */
    public boolean opened(S session) {
        return open.complete(session);
    }

    /** There will be no session. */
    public void failed(String why, Throwable reason) {
        open.completeExceptionally(new IOException(why, reason));
    }

    /**
     * Returns the session when it is open; closes it if it does not open in time.
     *
     * @throws IOException that says why there is none, with the reason as its cause
     */
    public S await(S session, long timeoutMs) throws IOException {
        try {
            open.get(timeoutMs, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            failed("no session within " + timeoutMs + " ms", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            failed("interrupted", e);
        } catch (ExecutionException e) {
            // Told below, where the future is read again.
        }
        try {
            return open.join();
        } catch (CompletionException e) {
            String why = e.getCause().getMessage();
            session.close(why);
            throw new IOException(why, e.getCause().getCause());
        }
    }
}
