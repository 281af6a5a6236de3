package lockstep.transport.tcp;

import java.net.InetSocketAddress;
import java.util.Optional;
import java.util.function.Consumer;
import lockstep.security.AccessException;
import lockstep.transport.api.Peer;
import lockstep.transport.netty.Tls;

/**
 * One side of what is said between the greeting and the first message, in which who connects says who it is, and proves it
 * if the rules of the other want that.
 *
 * <pre>
 *   connecting                                  listening
 *   greeting, HELLO name                   →
 *                                          ←    greeting
 *                                          ←    WELCOME, or REFUSED, or AUTHENTICATE mechanisms
 *   RESPONSE mechanism, data               →
 *                                          ←    CHALLENGE data
 *   PROOF data                             →
 *                                          ←    WELCOME data, or REFUSED
 * </pre>
 *
 * <p>HELLO may ask for a {@link Compression}, to which WELCOME may agree.
 *
 * <p>Nothing of the core is asked before the end of it. With TLS all of this is inside, and a certificate may take the
 * place of the password. For one session, and its thread.
 */
interface Handshake {
    /** Hears that the connection is there. On the connecting side greeting and hello can be said. */
    void begin(Consumer<Word> say);

    /** Returns how long the peer is to wait before its next word is heard, which nothing may follow then. */
    default long delayMs(Link link) {
        return 0;
    }

    /**
     * Hears a word of the peer, and may answer.
     *
     * @return whether that was all, and the session is open
     * @throws AccessException if there will be no session; what is to be said of that has been said
     */
    boolean hear(Word word, Link link, Consumer<Word> say) throws AccessException;

    /** Returns what is known of the peer at the end of it. */
    Peer peer(Link link);

    /** Returns what has been agreed on at the end of it; empty if frames go as they are. */
    Optional<Compression> compression();

    /** What carries the words. */
    record Link(InetSocketAddress remote, Tls tls) {}
}
