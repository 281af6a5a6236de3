/**
 * Sessions over Unix domain sockets, {@code unix:///PATH}, for two servers on one machine; written against the published
 * contract and the JDK. {@link lockstep.transport.unix.UnixTransport} is the component. Only it and {@link
 * lockstep.transport.unix.UnixAddress} know which kind of socket it is; the rest serves any stream socket.
 */
package lockstep.transport.unix;
