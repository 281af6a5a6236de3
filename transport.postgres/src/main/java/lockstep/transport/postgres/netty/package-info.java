/** Threads and sockets, which both sides use. */
package lockstep.transport.postgres.netty;
