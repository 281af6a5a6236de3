/**
 * PostgreSQL's own streaming replication protocol, {@code postgresql://HOST:PORT}, so that PostgreSQL servers and programs
 * are peers. {@link lockstep.transport.postgres.PostgresTransport} is the component; {@code protocol} has the messages,
 * {@code server} speaks as a PostgreSQL primary does with standbys, and {@code client} as a standby does with a primary.
 */
package lockstep.transport.postgres;
