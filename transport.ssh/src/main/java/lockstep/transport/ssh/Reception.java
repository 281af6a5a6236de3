package lockstep.transport.ssh;

import java.util.concurrent.atomic.AtomicInteger;
import lockstep.transport.api.Acceptor;
import lockstep.transport.api.SessionHandler;
import lockstep.transport.api.TransportException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets in those who come to a listener: gives each a session with its threads, and bounds how many may be there without a
 * greeting. Thread-safe.
 */
final class Reception {
    private static final Logger log = LoggerFactory.getLogger(Reception.class);
    private static final int MAX_GREETING = 64;

    private final String name;
    private final Acceptor acceptor;
    private final int openMs;
    private final Threads threads;
    private final AtomicInteger greeting = new AtomicInteger();
    private volatile boolean closed;

    /** @param name of the listener, for the log */
    Reception(String name, Acceptor acceptor, int openMs, Threads threads) {
        this.name = name;
        this.acceptor = acceptor;
        this.openMs = openMs;
        this.threads = threads;
    }

    /**
     * Begins a session with whoever is at the other end of a link, or cuts the link.
     *
     * @param peer what the link is called, in threads and the log
     */
    void admit(Link link, String peer) {
        if (greeting.incrementAndGet() > MAX_GREETING) {
            log.warn("{} refuses {}: {} connections are waiting for a greeting already", name, peer, MAX_GREETING);
            refuse(link);
            return;
        }
        SshSession session = new SshSession(link, false, openMs, peer, new Arrival(peer), threads);
        try {
            threads.start("ssh-session-" + peer, session::run, () -> session.close(SshTransport.WITHDRAWN));
        } catch (TransportException | OutOfMemoryError e) {
            log.warn("{} cannot serve {}", name, peer, e);
            refuse(link);
        }
    }

    private void refuse(Link link) {
        greeting.decrementAndGet();
        link.abort();
    }

    /** Lets nobody in any more; whoever is in stays. */
    void close() {
        closed = true;
    }

    private final class Arrival implements SshSession.Opening {
        private final String peer;

        Arrival(String peer) {
            this.peer = peer;
        }

        @Override
        public SessionHandler opened(SshSession session) {
            greeting.decrementAndGet();
            return closed ? null : acceptor.accept(session);
        }

        @Override
        public void failed(String why, Throwable reason) {
            greeting.decrementAndGet();
            if (!closed) {
                log.warn("{} refused {}: {}", name, peer, why);
            }
        }
    }
}
