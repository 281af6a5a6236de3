/**
 * The threads, sockets, ports and TLS of the transports that stand on Netty.
 *
 * <p>Each of their bundles has these classes inside, as a private package: a transport comes and goes with all that it runs
 * on, and another one is neither stopped by that nor bound to the same version. Netty itself is in bundles that all share.
 */
package lockstep.transport.netty;
