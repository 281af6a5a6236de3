package lockstep.send;

import lockstep.transport.api.Peer;

/**
 * A standby has moved over from one session to another.
 *
 * @param from the peer of the session before
 * @param to the peer of the session that took its place
 */
public record StandbyMove(Peer from, Peer to) {}
