package lockstep.transports;

import lockstep.transport.api.Peer;

/**
 * An open session.
 *
 * @param scheme of its transport
 * @param endpoint where this server connected to, or listens
 * @param isIncoming whether the peer connected to this server
 * @param peer the other side, as the transport knows it
 * @param sinceMicros when it was opened
 * @param sentBytes how much has been sent, in frames of the codec
 * @param receivedBytes how much has come
 */
public record LinkView(
        String scheme,
        String endpoint,
        boolean isIncoming,
        Peer peer,
        long sinceMicros,
        long sentBytes,
        long receivedBytes) {}
