/** The side of a standby: connects to a PostgreSQL server, or to a Lockstep server that speaks like one. */
package lockstep.transport.postgres.client;
