/**
 * Direct connections between two servers, {@code tcp://HOST:PORT}, on Netty. {@link lockstep.transport.tcp.TcpTransport}
 * is the component, {@link lockstep.transport.tcp.TcpSession} what happens on one connection.
 */
package lockstep.transport.tcp;
