package lockstep.transport.api;

/**
 * The other side of a session, as the transport knows it.
 *
 * @param address where it is, for people and logs, such as {@code 127.0.0.1:40112}; never empty
 * @param identity whom authentication established, such as the subject of a certificate or the name of a user; empty if
 *     nobody was authenticated. What a peer merely says of itself is no identity
 * @param flushedWalOnly true when the peer's protocol has no field for the primary's flush position. Such a peer is sent
 *     only WAL that the primary has flushed, because it would apply all that it gets.
 */
public record Peer(String address, String identity, boolean flushedWalOnly) {}
